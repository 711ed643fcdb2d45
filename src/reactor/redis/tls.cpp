// TLS to a Redis server by OpenSSL: hiredis has none in its older releases and verifies no name in
// its newer ones.
#include <string>

#include "reactor/redis/transport.hpp"
#include "unum/error.hpp"

#ifdef UNUM_HAVE_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace unum::redis {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const noexcept { ::SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL* session) const noexcept { ::SSL_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Session = std::unique_ptr<SSL, FreeSession>;

std::string library_error() {
  char text[256] = "no reason given";
  if (const unsigned long code = ::ERR_get_error(); code != 0)
    ::ERR_error_string_n(code, text, sizeof text);
  ::ERR_clear_error();
  return text;
}

/// Made for each connection: reconnecting is rare, and a replaced CA file is then read again.
Context make_context(const Address& address) {
  Context context(::SSL_CTX_new(::TLS_client_method()));
  if (!context) throw Error(ErrorKind::exhausted, "redis", "Unum.Tls", library_error());
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool loaded =
      address.ca_file.empty()
          ? ::SSL_CTX_set_default_verify_paths(context.get()) == 1
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

class TlsTransport final : public Transport {
 public:
  TlsTransport(Descriptor fd, const Address& address)
      : Transport(std::move(fd)),
        context_(make_context(address)),
        session_(::SSL_new(context_.get())) {
    if (!session_ || ::SSL_set_fd(session_.get(), this->fd()) != 1)
      throw Error(ErrorKind::exhausted, "redis", "Unum.Tls", library_error());
    // The certificate must be this very host's; a number is compared with the certificate's
    // numbers, and is no server name to be told.
    X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(session_.get());
    ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (::X509_VERIFY_PARAM_set1_ip_asc(wanted, address.host.c_str()) == 1) return;
    ::ERR_clear_error();
    if (::X509_VERIFY_PARAM_set1_host(wanted, address.host.c_str(), 0) != 1 ||
        ::SSL_set_tlsext_host_name(session_.get(), address.host.c_str()) != 1)
      throw Error(ErrorKind::invalid, "redis", "Unum.Tls", library_error());
  }
  ~TlsTransport() override {
    // One attempt to say goodbye: it is a single record, and nobody waits for the answer.
    if (greeted_) static_cast<void>(::SSL_shutdown(session_.get()));
    ::ERR_clear_error();
  }

  Task<void> greet(Reactor& reactor, const Address& address, Wait wait) {
    for (;;) {
      ::ERR_clear_error();
      const int result = ::SSL_connect(session_.get());
      if (result == 1) break;
      const int reason = ::SSL_get_error(session_.get(), result);
      if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
        throw_greeting_failed(address, reason);
      const unsigned events = reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
      const int waited = co_await reactor.poll(fd(), events, wait);
      if (waited < 0) throw_wait_ended(waited, wait, "greeting " + address.endpoint() + " by TLS");
    }
    greeted_ = true;
  }

  long read(std::span<char> buffer) noexcept override {
    const int most = static_cast<int>(std::min<std::size_t>(buffer.size(), INT_MAX));
    ::ERR_clear_error();
    const int got = ::SSL_read(session_.get(), buffer.data(), most);
    return got > 0 ? got : failure(got);
  }
  long write(std::string_view bytes) noexcept override {
    const int most = static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX));
    ::ERR_clear_error();
    const int sent = ::SSL_write(session_.get(), bytes.data(), most);
    return sent > 0 ? sent : failure(sent);
  }
  bool holds_bytes() const noexcept override { return ::SSL_pending(session_.get()) > 0; }
  std::string why(long result) const override {
    return result == -EPROTO ? "TLS failed" : Transport::why(result);
  }

 private:
  /// Version 1.3 has no renegotiation and we ask for none, so that a read that wants to write, or
  /// the reverse, only waits for the kernel's buffer: the other direction's readiness drives it.
  long failure(int result) noexcept {
    const int errno_value = errno;
    switch (::SSL_get_error(session_.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: return -EAGAIN;
      case SSL_ERROR_ZERO_RETURN: return 0;
      case SSL_ERROR_SYSCALL: return errno_value != 0 ? -errno_value : 0;
      default: return -EPROTO;
    }
  }

  [[noreturn]] void throw_greeting_failed(const Address& address, int reason) const {
    const int errno_value = errno;
    const long verified = ::SSL_get_verify_result(session_.get());
    if (verified != X509_V_OK) {
      ::ERR_clear_error();
      throw Error(ErrorKind::denied, "redis", "Unum.TlsNotTrusted",
                  "the certificate of " + address.endpoint() +
                      " is not accepted: " + ::X509_verify_cert_error_string(verified));
    }
    if (reason == SSL_ERROR_SYSCALL) {
      throw Error(
          ErrorKind::disconnected, "redis", "Unum.Tls",
          "greeting " + address.endpoint() + " by TLS: " +
              (errno_value != 0 ? std::strerror(errno_value) : "the server closed the connection"));
    }
    throw Error(ErrorKind::denied, "redis", "Unum.Tls",
                address.endpoint() +
                    " cannot be spoken to by TLS (does it speak it on this port?)"
                    ": " +
                    library_error());
  }

  Context context_;
  Session session_;
  bool greeted_ = false;
};

}  // namespace

Task<std::unique_ptr<Transport>> greet_by_tls(Reactor& reactor, Descriptor fd,
                                              const Address& address, Wait wait) {
  auto transport = std::make_unique<TlsTransport>(std::move(fd), address);
  co_await transport->greet(reactor, address, wait);
  co_return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace unum::redis

#else

namespace unum::redis {

Task<std::unique_ptr<Transport>> greet_by_tls(Reactor&, Descriptor, const Address& address, Wait) {
  throw Error(ErrorKind::invalid, "redis", "Unum.NoTls",
              "rediss://" + address.endpoint() +
                  " needs TLS, and this build of unum was made without libssl");
}

}  // namespace unum::redis

#endif
