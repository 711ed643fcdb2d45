// What the command puts right of what it inherited, before it does anything.
#pragma once

namespace unum::cli {

/// Call it first. Descriptors 0 to 2 that came closed are held, so that no file becomes one of
/// them; what reads or writes there fails all the same (only messages to a closed stderr vanish).
/// Signals have their default handling, as far as the command relies on it, and none is blocked.
/// The soft limit of descriptors is the hard one.
void put_inherited_state_right() noexcept;

/// Throws an error of the machine if nothing that is printed could arrive: stdout is closed, open
/// for reading only, a pipe whose reader has gone, or a device that is full. A disk that becomes
/// full shows itself when the result is written.
void require_stdout();

}  // namespace unum::cli
