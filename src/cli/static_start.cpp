// What a program does first that is linked statically (-Dprefer_static=true): it says that modules
// which glibc and OpenSSL would load are not to be. They need the very libraries that the program
// was built with, and a machine that it is copied to has others.
#include <nss.h>
#include <openssl/crypto.h>

// GCC's start of a static program registers the frames of all functions, and the first exception
// then sorts them: 59 million instructions, 9 ms. Without that the unwinder looks into the index
// that the linker makes (--eh-frame-hdr). The linker puts these in the place of the two functions.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void __wrap___register_frame_info(const void* frames, void* object);
void* __wrap___deregister_frame_info(const void* frames);
void __wrap___register_frame_info(const void*, void*) {}
void* __wrap___deregister_frame_info(const void*) { return nullptr; }
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace {

const bool kStarted = [] {
  // Both are built into glibc. nsswitch.conf may name more (mDNS, LDAP, systemd's machines).
  __nss_configure_lookup("hosts", "files dns");
  // openssl.cnf may name providers. And what OpenSSL would free at the exit, the exit frees.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
  return true;
}();

}  // namespace
