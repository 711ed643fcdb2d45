// Where a Redis server is and as whom to speak to it, as a text says it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unum::redis {

/// A server, and how to get in.
struct Address {
  std::string host;  ///< Name or number; empty for a unix socket.
  std::uint16_t port = 6379;
  std::string unix_path;  ///< Instead of host and port.
  bool tls = false;
  std::string username;  ///< Empty: the default user.
  std::string password;  ///< Empty: no AUTH.
  unsigned database = 0;
  std::string ca_file;  ///< CA certificates in PEM; empty: the system's.
  /// Whether connections say READONLY, so that a cluster's replica answers by itself. No text says
  /// so: it is how a client addresses replicas.
  bool of_replica = false;

  /// "host:port" or the socket's path, for messages: no secret.
  std::string endpoint() const;
};

/// Reads `host`, `host:port`, `[v6]:port`, `redis://[[user]:password@]host[:port][/db]`, the same
/// with `rediss://` (TLS), `unix:/path`, each with `?db=N`, `?ca=FILE` behind it. In place of one
/// host may stand several, with commas between them: servers of one cluster, who have user,
/// password and all the rest in common. In a URL, user, password and parameters are
/// percent-encoded. Gives at least one. Throws `invalid` that says what is wrong, without the
/// password.
std::vector<Address> parse_addresses(std::string_view text);
/// The first of them.
Address parse_address(std::string_view text);
/// User and password from UNUM_REDIS_USERNAME and UNUM_REDIS_PASSWORD where the address has none,
/// so that no secret need stand in a file; the CA file from UNUM_REDIS_CA.
void add_environment(Address& address);
/// The text as it may be shown: the password, if any, as "***", and so whatever may be one in a
/// text that is no address.
std::string without_secret(std::string_view text);
/// The text without its password, as it can be given again where UNUM_REDIS_PASSWORD has that.
std::string without_password(std::string_view text);

}  // namespace unum::redis
