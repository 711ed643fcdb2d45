// What the shared library exports: everything public carries UNUM_API, everything else is hidden.
#pragma once

#define UNUM_API [[gnu::visibility("default")]]
