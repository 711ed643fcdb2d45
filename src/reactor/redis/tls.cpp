// TLS to a Redis server: hiredis speaks it (from 1.0 on) over a session of ours, since it verifies
// no name by itself.
#include <string>

#include "reactor/redis/connect.hpp"
#include "unum/error.hpp"

#ifdef UNUM_REDIS_TLS

#include <hiredis/async.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "reactor/ca_certificates.hpp"

namespace unum::redis {
namespace {

struct FreeTrust {
  void operator()(SSL_CTX* context) const noexcept { ::SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL* session) const noexcept { ::SSL_free(session); }
};
using Trust = std::unique_ptr<SSL_CTX, FreeTrust>;
using Session = std::unique_ptr<SSL, FreeSession>;

std::string library_error() {
  char text[256] = "no reason given";
  if (const unsigned long code = ::ERR_get_error(); code != 0)
    ::ERR_error_string_n(code, text, sizeof text);
  ::ERR_clear_error();
  return text;
}

/// SSL_CERT_FILE and SSL_CERT_DIR count as ever.
bool trust_system(SSL_CTX* context) {
  if (std::getenv("SSL_CERT_FILE") != nullptr || std::getenv("SSL_CERT_DIR") != nullptr) {
    return ::SSL_CTX_set_default_verify_paths(context) == 1;
  }
  const CaPlace place =
      find_ca_certificates(::X509_get_default_cert_file(), ::X509_get_default_cert_dir());
  if (!place.file.empty()) {
    return ::SSL_CTX_load_verify_locations(context, place.file.c_str(), nullptr) == 1;
  }
  return ::SSL_CTX_set_default_verify_paths(context) == 1;
}

/// Made for each connection: reconnecting is rare, and a replaced CA file is then read again.
Trust make_trust(const Address& address) {
  Trust context(::SSL_CTX_new(::TLS_client_method()));
  if (!context) throw Error(ErrorKind::exhausted, "redis", "Unum.Tls", library_error());
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const bool loaded =
      address.ca_file.empty()
          ? trust_system(context.get())
          : ::SSL_CTX_load_verify_locations(context.get(), address.ca_file.c_str(), nullptr) == 1;
  if (!loaded) {
    throw Error(
        ErrorKind::invalid, "redis", "Unum.CaFile",
        "the CA certificates " +
            (address.ca_file.empty() ? std::string("of the system") : "in " + address.ca_file) +
            " cannot be read: " + library_error());
  }
  return context;
}

/// The certificate must be this very host's; a number is compared with the certificate's numbers,
/// and is no server name to be told.
Session make_session(const Address& address) {
  const Trust trust = make_trust(address);
  Session session(::SSL_new(trust.get()));  // which holds the trust from here on
  if (!session) throw Error(ErrorKind::exhausted, "redis", "Unum.Tls", library_error());
  X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(session.get());
  ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (::X509_VERIFY_PARAM_set1_ip_asc(wanted, address.host.c_str()) == 1) return session;
  ::ERR_clear_error();
  if (::X509_VERIFY_PARAM_set1_host(wanted, address.host.c_str(), 0) != 1 ||
      ::SSL_set_tlsext_host_name(session.get(), address.host.c_str()) != 1)
    throw Error(ErrorKind::invalid, "redis", "Unum.Tls", library_error());
  return session;
}

[[noreturn]] void throw_tls_failed(SSL* session, const Address& address, int reason,
                                   int errno_value) {
  const long verified = ::SSL_get_verify_result(session);
  if (verified != X509_V_OK) {
    ::ERR_clear_error();
    throw Error(ErrorKind::denied, "redis", "Unum.TlsNotTrusted",
                "the certificate of " + address.endpoint() +
                    " is not accepted: " + ::X509_verify_cert_error_string(verified));
  }
  if (reason == SSL_ERROR_SYSCALL) {
    throw Error(
        ErrorKind::disconnected, "redis", "Unum.Tls",
        "beginning TLS with " + address.endpoint() + ": " +
            (errno_value != 0 ? std::strerror(errno_value) : "the server closed the connection"));
  }
  throw Error(ErrorKind::denied, "redis", "Unum.Tls",
              address.endpoint() +
                  " cannot be spoken to by TLS (does it speak it on this port?)"
                  ": " +
                  library_error());
}

}  // namespace

void check_has_tls(const Address&) {}

void forget_tls_errors() noexcept { ::ERR_clear_error(); }

Task<void> begin_tls(Reactor& reactor, redisAsyncContext& context, const Address& address,
                     Wait wait) {
  Session made = make_session(address);
  ::ERR_clear_error();
  if (::redisInitiateSSL(&context.c, made.get()) != REDIS_OK)
    throw_tls_failed(made.get(), address, SSL_ERROR_SYSCALL, errno);
  SSL* const session = made.release();  // hiredis' own now
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_connect(session);
    const int errno_value = errno;
    if (result == 1) co_return;
    const int reason = ::SSL_get_error(session, result);
    if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
      throw_tls_failed(session, address, reason, errno_value);
    const unsigned events = reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    const int waited = co_await reactor.poll(context.c.fd, events, wait);
    if (waited < 0) throw_wait_ended(waited, wait, "beginning TLS with " + address.endpoint());
  }
}

}  // namespace unum::redis

#else

namespace unum::redis {

void check_has_tls(const Address& address) {
  throw Error(ErrorKind::invalid, "redis", "Unum.NoTls",
              "rediss://" + address.endpoint() +
                  " needs TLS, and this build of unum was made with a hiredis that has none (older "
                  "than 1.0, or without libssl); build it with --force-fallback-for=hiredis");
}

void forget_tls_errors() noexcept {}

Task<void> begin_tls(Reactor&, redisAsyncContext&, const Address& address, Wait) {
  check_has_tls(address);
  co_return;
}

}  // namespace unum::redis

#endif
