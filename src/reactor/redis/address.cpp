// Reading a Redis server's address.
#include "reactor/redis/address.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "unum/error.hpp"

namespace unum::redis {
namespace {

constexpr unsigned kDatabaseMax = 1'000'000;  // servers are configured with 16, and few with more

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(ErrorKind::invalid, "redis", "Unum.InvalidStoreName",
              "\"" + without_secret(text) +
                  "\" is no address of a Redis server: " + std::string(why) +
                  "; write host, host:port, redis://[user:password@]host[:port][/db], rediss://... "
                  "for TLS, or unix:/path/of/socket");
}

std::optional<unsigned> number(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
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
      refuse(whole, "unknown parameter \"" + std::string(key) + "\"");
    }
  }
}

void read_host(std::string_view whole, std::string_view text, Address& address) {
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
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
  const auto bad = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '/'; };
  if (std::any_of(address.host.begin(), address.host.end(), bad))
    refuse(whole, "the host holds blanks or slashes");
  if (!has_port) return;
  const auto value = number(port, 65'535);
  if (!value || *value == 0) refuse(whole, "the port is not a number from 1 to 65535");
  address.port = static_cast<std::uint16_t>(*value);
}

}  // namespace

std::string Address::endpoint() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_address(std::string_view text) {
  Address address;
  std::string_view rest = text;
  // Behind the last @: what stands before it is a secret, and none of it goes into a message.
  const std::size_t behind_user = rest.rfind('@');
  const std::size_t question =
      rest.find('?', behind_user == std::string_view::npos ? 0 : behind_user);
  if (question != std::string_view::npos) {
    read_parameters(text, rest.substr(question + 1), address);
    rest = rest.substr(0, question);
  }
  if (rest.starts_with("unix:")) {
    rest.remove_prefix(5);
    if (rest.starts_with("//")) rest.remove_prefix(2);
    if (!rest.starts_with('/')) refuse(text, "the path of a unix socket begins with /");
    if (rest.size() > 107) refuse(text, "the path of a unix socket has at most 107 bytes");
    address.unix_path = rest;
    return address;
  }
  const std::size_t scheme = rest.find("://");
  if (scheme == std::string_view::npos) {
    if (rest.find('@') != std::string_view::npos)
      refuse(text, "user and password need the form redis://");
    read_host(text, rest, address);
    return address;
  }
  if (rest.substr(0, scheme) == "rediss") {
    address.tls = true;
  } else if (rest.substr(0, scheme) != "redis") {
    refuse(text, "unknown scheme");
  }
  rest.remove_prefix(scheme + 3);
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = rest.substr(0, at);
    const std::size_t colon = user.find(':');
    if (colon == std::string_view::npos) refuse(text, "before the @ stands user:password");
    address.username = decode(text, user.substr(0, colon));
    address.password = decode(text, user.substr(colon + 1));
    rest.remove_prefix(at + 1);
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty()) {
      const auto value = number(database, kDatabaseMax);
      if (!value) refuse(text, "the database behind the / is not a number");
      address.database = *value;
    }
    rest = rest.substr(0, slash);
  }
  read_host(text, rest, address);
  return address;
}

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

std::string without_secret(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at < begin) return std::string(text);
  const std::size_t colon = text.substr(begin, at - begin).find(':');
  const std::size_t secret = colon == std::string_view::npos ? begin : begin + colon + 1;
  return std::string(text.substr(0, secret)) + "***" + std::string(text.substr(at));
}

}  // namespace unum::redis
