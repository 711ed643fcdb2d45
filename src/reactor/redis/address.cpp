// Reading a Redis server's address, and showing one.
#include "reactor/redis/address.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "unum/error.hpp"

namespace unum::redis {
namespace {

constexpr unsigned kDatabaseMax = 1'000'000;  // servers are configured with 16, and few with more
constexpr unsigned kPortMax = 65'535;
// Servers of a cluster that one name lists: any one of them leads to all the others.
constexpr std::size_t kNamedMax = 64;
constexpr std::string_view kHidden = "***";

constexpr std::array<std::string_view, 5> kSentinelSchemes = {
    "redis-sentinel", "rediss-sentinel", "redis+sentinel", "rediss+sentinel", "sentinel"};

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(ErrorKind::invalid, "stores", "Unum.InvalidStoreName",
              "\"" + without_secret(text) +
                  "\" is no address of a Redis server: " + std::string(why) +
                  "; write host, host:port, redis://[user:password@]host[:port][/db], rediss://... "
                  "for TLS, or unix:/path/of/socket; several hosts of a cluster with commas "
                  "between them");
}

std::optional<unsigned> number(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

/// "//host", which is what is left of a URL whose scheme was taken for the store's type, is one.
std::string_view with_scheme(std::string_view text, std::string& made) {
  if (!text.starts_with("//")) return text;
  made = "redis:" + std::string(text);
  return made;
}

std::string decode(std::string_view whole, std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2)
      refuse(whole, "a % that begins no %XX");
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

/// Of a parameter whose name may be shown: "colour=x". Anything else may be part of a password.
bool is_word(std::string_view parameter) {
  const std::size_t end = parameter.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  return end > 0 && end <= 16 && parameter.substr(end).starts_with('=');
}

void read_parameters(std::string_view whole, std::string_view query, Address& address) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view key = part.substr(0, equals);
    const std::string value =
        decode(whole, equals == part.size() ? std::string_view() : part.substr(equals + 1));
    if (key == "db") {
      const auto database = number(value, kDatabaseMax);
      if (!database) refuse(whole, "the database is not a number");
      address.database = *database;
    } else if (key == "ca") {
      address.ca_file = value;
    } else {
      refuse(whole, "unknown parameter" + (is_word(part) ? " \"" + std::string(key) + "\"" : ""));
    }
  }
}

/// What may stand in a host's name; anything else may be a piece of a password in the wrong place.
bool is_host(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return digit || letter || c == '-' || c == '.' || c == '_' || (c & 0x80) != 0;
  });
}

/// What may stand between brackets: a number, and the zone behind its %.
bool is_v6(std::string_view text) {
  const std::size_t zone = std::min(text.find('%'), text.size());
  const std::string_view digits = text.substr(0, zone);
  return digits.find(':') != std::string_view::npos &&
         digits.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos &&
         is_host(text.substr(std::min(zone + 1, text.size())));
}

void read_host(std::string_view whole, std::string_view text, Address& address) {
  std::string_view port;
  bool has_port = false;
  const bool bracketed = text.starts_with('[');
  if (bracketed) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) refuse(whole, "a [ without its ]");
    address.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    has_port = text.starts_with(':');
    if (!text.empty() && !has_port) refuse(whole, "what follows the ] is no :port");
    if (has_port) port = text.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    address.host = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
  }
  if (address.host.empty()) refuse(whole, "it has no host");
  if (!(bracketed ? is_v6(address.host) : is_host(address.host)))
    refuse(whole, "the host holds characters that no host's name has");
  if (!has_port) return;
  const auto value = number(port, kPortMax);
  if (!value || *value == 0) refuse(whole, "the port is not a number from 1 to 65535");
  address.port = static_cast<std::uint16_t>(*value);
}

/// Each host with what all of them have in common.
std::vector<Address> read_hosts(std::string_view whole, std::string_view text,
                                const Address& common) {
  std::vector<Address> addresses;
  for (;;) {
    if (addresses.size() >= kNamedMax) refuse(whole, "it lists more than 64 hosts");
    const std::size_t comma = std::min(text.find(','), text.size());
    read_host(whole, text.substr(0, comma), addresses.emplace_back(common));
    if (comma == text.size()) return addresses;
    text.remove_prefix(comma + 1);
  }
}

void read_unix_path(std::string_view whole, std::string_view path, Address& address) {
  if (path.starts_with("//")) path.remove_prefix(2);
  if (!path.starts_with('/')) refuse(whole, "the path of a unix socket begins with /");
  if (path.size() > 107) refuse(whole, "the path of a unix socket has at most 107 bytes");
  address.unix_path = path;
}

/// Before anything else is looked at: their URLs have parameters of their own.
void refuse_sentinels(std::string_view whole) {
  const std::string_view scheme = whole.substr(0, whole.find("://"));
  if (std::find(kSentinelSchemes.begin(), kSentinelSchemes.end(), scheme) == kSentinelSchemes.end())
    return;
  throw Error(ErrorKind::invalid, "stores", "Unum.InvalidStoreName",
              "\"" + without_secret(whole) +
                  "\" names Sentinels, which unum does not ask; name the primary that they "
                  "watch, redis:HOST:PORT (redis-cli -h SENTINEL -p 26379 sentinel "
                  "get-master-addr-by-name NAME tells it), or servers of a Redis cluster");
}

void read_scheme(std::string_view whole, std::string_view scheme, Address& address) {
  if (scheme == "rediss") {
    address.tls = true;
  } else if (scheme != "redis") {
    refuse(whole, "unknown scheme");
  }
}

void read_identity(std::string_view whole, std::string_view identity, Address& address) {
  const std::size_t colon = identity.find(':');
  if (colon == std::string_view::npos) refuse(whole, "before the @ stands user:password");
  address.username = decode(whole, identity.substr(0, colon));
  address.password = decode(whole, identity.substr(colon + 1));
}

// --- Showing ------------------------------------------------------------------------------------

std::string shown_host(std::string_view text) {
  std::string shown;
  if (text.starts_with('[')) {
    const std::size_t end = std::min(text.find(']'), text.size());
    shown = is_v6(text.substr(1, end - 1)) ? text.substr(0, end + 1) : kHidden;
    text.remove_prefix(std::min(end + 1, text.size()));
  } else {
    const std::string_view host = text.substr(0, text.find(':'));
    shown = is_host(host) ? host : kHidden;
    text.remove_prefix(host.size());
  }
  if (text.empty()) return shown;
  const bool is_port = text.starts_with(':') && number(text.substr(1), kPortMax);
  return shown + (is_port || text == ":" ? std::string(text) : ":" + std::string(kHidden));
}

std::string shown_hosts(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  std::string_view hosts = text.substr(0, slash);
  const std::string_view path = text.substr(slash);
  std::string shown;
  for (;;) {
    const std::size_t comma = std::min(hosts.find(','), hosts.size());
    shown += shown_host(hosts.substr(0, comma));
    if (comma == hosts.size()) break;
    hosts.remove_prefix(comma + 1);
    shown += ',';
  }
  if (path.empty()) return shown;
  const bool is_database = path.size() == 1 || number(path.substr(1), kDatabaseMax);
  return shown + (is_database ? std::string(path) : "/" + std::string(kHidden));
}

std::string shown_parameters(std::string_view query) {
  std::string shown;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const bool known = part.starts_with("ca=") ||
                       (part.starts_with("db=") && number(part.substr(3), kDatabaseMax));
    const std::string_view key = is_word(part) ? part.substr(0, part.find('=') + 1) : "";
    shown += shown.empty() ? '?' : '&';
    shown += known ? std::string(part) : std::string(key) + std::string(kHidden);
  }
  return shown;
}

/// `password` stands in place of the password.
std::string shown_with(std::string_view text, std::string_view password) {
  std::string made;
  text = with_scheme(text, made);
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t at = text.rfind('@');
  const bool has_identity = at != std::string_view::npos && at >= begin;
  const std::size_t question = text.find('?', has_identity ? at : begin);
  const std::string parameters =
      question == std::string_view::npos ? "" : shown_parameters(text.substr(question + 1));
  const std::string_view plain = text.substr(0, question);
  if (plain.starts_with("unix:/")) return std::string(plain) + parameters;
  std::string shown(text.substr(0, begin));
  if (shown.find_first_of("@:?#/ ") < scheme) shown = std::string(kHidden) + "://";
  std::string_view rest = plain.substr(begin);
  if (has_identity) {
    const std::string_view identity = text.substr(begin, at - begin);
    const std::size_t colon = identity.find(':');
    // Without a user nothing but the password stands there.
    if (colon == std::string_view::npos) {
      shown += kHidden;
    } else {
      shown.append(identity.substr(0, colon + 1)).append(password);
    }
    shown += '@';
    rest = plain.substr(at + 1);
  }
  return shown + shown_hosts(rest) + parameters;
}

}  // namespace

std::string Address::endpoint() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::vector<Address> parse_addresses(std::string_view text) {
  std::string made;
  text = with_scheme(text, made);
  refuse_sentinels(text);
  Address common;
  std::string_view rest = text;
  // Behind the last @: what stands before it is a secret, and none of it goes into a message.
  const std::size_t behind_user = rest.rfind('@');
  const std::size_t question =
      rest.find('?', behind_user == std::string_view::npos ? 0 : behind_user);
  if (question != std::string_view::npos) {
    read_parameters(text, rest.substr(question + 1), common);
    rest = rest.substr(0, question);
  }
  if (rest.starts_with("unix:")) {
    read_unix_path(text, rest.substr(5), common);
    return {common};
  }
  const std::size_t scheme = rest.find("://");
  if (scheme == std::string_view::npos) {
    if (rest.find('@') != std::string_view::npos)
      refuse(text, "user and password need the form redis://");
    return read_hosts(text, rest, common);
  }
  read_scheme(text, rest.substr(0, scheme), common);
  rest.remove_prefix(scheme + 3);
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    read_identity(text, rest.substr(0, at), common);
    rest.remove_prefix(at + 1);
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty()) {
      const auto value = number(database, kDatabaseMax);
      if (!value) refuse(text, "the database behind the / is not a number");
      common.database = *value;
    }
    rest = rest.substr(0, slash);
  }
  return read_hosts(text, rest, common);
}

Address parse_address(std::string_view text) { return parse_addresses(text).front(); }

void add_environment(Address& address) {
  const auto value = [](const char* name) {
    const char* found = std::getenv(name);
    return std::string(found != nullptr ? found : "");
  };
  if (address.password.empty()) {
    address.password = value("UNUM_REDIS_PASSWORD");
    if (address.username.empty()) address.username = value("UNUM_REDIS_USERNAME");
  }
  if (address.ca_file.empty()) address.ca_file = value("UNUM_REDIS_CA");
}

std::string without_secret(std::string_view text) { return shown_with(text, kHidden); }

std::string without_password(std::string_view text) { return shown_with(text, ""); }

}  // namespace unum::redis
