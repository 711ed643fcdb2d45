// What a program does first that is linked statically (-Dprefer_static=true): it says that modules
// which glibc and OpenSSL would load are not to be. They need the very libraries that the program
// was built with, and a machine that it is copied to has others.
#include <nss.h>
#include <openssl/crypto.h>

namespace {

const bool kStarted = [] {
  // Both are built into glibc. nsswitch.conf may name more (mDNS, LDAP, systemd's machines).
  __nss_configure_lookup("hosts", "files dns");
  // openssl.cnf may name providers. And what OpenSSL would free at the exit, the exit frees.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
  return true;
}();

}  // namespace
