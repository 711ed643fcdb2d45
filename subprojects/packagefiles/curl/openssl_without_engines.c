/* curl's part for OpenSSL, without the start of OpenSSL's engines: nobody here asks for one, and it
 * makes OpenSSL load all its texts of errors, a third of what a program does that GETs one object.
 * Without it they are loaded when the first error occurs. */
#include "curl_setup.h"

#include <openssl/crypto.h>
#undef OPENSSL_INIT_ENGINE_ALL_BUILTIN

#include "vtls/openssl.c"
