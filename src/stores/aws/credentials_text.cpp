// Readers of foreign texts that hold secrets: no message quotes them.
#include "stores/aws/credentials_text.hpp"

#include <charconv>
#include <pugixml.hpp>
#include <utility>

#include "base/json.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

[[noreturn]] void fail(const std::string& source, std::string_view why) {
  throw Error(ErrorKind::invalid, "aws", "Unum.InvalidCredentials",
              "what " + source + " gave are no credentials: " + std::string(why));
}

/// Nothing if it is absent or null.
std::optional<std::string> member_text(std::string_view object, std::string_view key,
                                       const std::string& source) {
  const auto value = json::member(object, key);
  if (!value || json::type_of(*value) == json::Type::null) return std::nullopt;
  if (json::type_of(*value) != json::Type::string) {
    fail(source, std::string(key) + " is no string");
  }
  return json::string_value(*value);
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

/// A header's value must not hold a line's end: it would begin another header.
void check(const Credentials& credentials, const std::string& source) {
  const auto clean = [](std::string_view text) {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') return false;
    }
    return true;
  };
  if (credentials.access_key_id.empty()) fail(source, "the access key's id is missing");
  if (credentials.secret_access_key.empty()) fail(source, "the secret access key is missing");
  if (!clean(credentials.access_key_id) || !clean(credentials.secret_access_key) ||
      !clean(credentials.session_token)) {
    fail(source, "there are blanks or control characters in them");
  }
}

void set_expiration(Credentials& credentials, std::string_view text, const std::string& source) {
  credentials.expiration = parse_iso8601(text);
  if (!credentials.expiration) fail(source, "the time of their expiration is none (ISO 8601)");
}

}  // namespace

Credentials parse_credentials_json(std::string_view text, CredentialsJson form,
                                   const std::string& source) {
  try {
    json::validate(text, source);
  } catch (const Error&) {
    fail(source, "it is no JSON");
  }
  text = json::trim(text);
  if (json::type_of(text) != json::Type::object) fail(source, "it is no JSON object");
  if (form == CredentialsJson::process &&
      json::member(text, "Version") != std::optional<std::string_view>("1")) {
    fail(source, "its Version is not 1");
  }
  if (form == CredentialsJson::metadata) {
    const auto code = member_text(text, "Code", source);
    if (code && *code != "Success") fail(source, "its Code is not Success");
  }
  Credentials credentials;
  credentials.source = source;
  credentials.access_key_id = member_text(text, "AccessKeyId", source).value_or("");
  credentials.secret_access_key = member_text(text, "SecretAccessKey", source).value_or("");
  credentials.session_token =
      member_text(text, form == CredentialsJson::process ? "SessionToken" : "Token", source)
          .value_or("");
  check(credentials, source);
  if (const auto end = member_text(text, "Expiration", source)) {
    set_expiration(credentials, *end, source);
  }
  return credentials;
}

Credentials parse_sts_answer(std::string_view text, const std::string& source) {
  pugi::xml_document document;
  if (!document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8)) {
    fail(source, "it is no XML");
  }
  // <AssumeRoleResponse><AssumeRoleResult><Credentials>
  pugi::xml_node found;
  for (const pugi::xml_node result : document.document_element().children()) {
    if (const pugi::xml_node inner = result.child("Credentials")) found = inner;
  }
  if (!found) fail(source, "there is no element Credentials");
  Credentials credentials;
  credentials.source = source;
  credentials.access_key_id = found.child_value("AccessKeyId");
  credentials.secret_access_key = found.child_value("SecretAccessKey");
  credentials.session_token = found.child_value("SessionToken");
  check(credentials, source);
  set_expiration(credentials, found.child_value("Expiration"), source);
  return credentials;
}

std::optional<std::chrono::system_clock::time_point> parse_iso8601(std::string_view text) {
  // YYYY-MM-DDTHH:MM:SS, then a fraction, then Z or +HH:MM.
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const auto field = [&](std::size_t at, std::size_t digits) {
    return number(text.substr(at, digits)).value_or(-1);
  };
  const int year = field(0, 4);
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(field(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(field(8, 2))));
  const int hours = field(11, 2);
  const int minutes = field(14, 2);
  const int seconds = field(17, 2);
  if (year < 0 || !date.ok() || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 ||
      seconds < 0 || seconds > 60) {
    return std::nullopt;
  }
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') rest.remove_prefix(1);
  }
  std::chrono::minutes offset{0};
  if (rest != "Z" && rest != "z") {
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') {
      return std::nullopt;
    }
    const auto hh = number(rest.substr(1, 2));
    const auto mm = number(rest.substr(4, 2));
    if (!hh || !mm || *hh > 23 || *mm > 59) return std::nullopt;
    offset = std::chrono::minutes(*hh * 60 + *mm) * (rest[0] == '-' ? -1 : 1);
  }
  return std::chrono::sys_days(date) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
         std::chrono::seconds(seconds) - offset;
}

std::vector<std::string> split_command(std::string_view command) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';
  const auto put = [&](char c) {
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c != '\0') words.back() += c;
  };
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (quote == '\'') {
      c == quote ? void(quote = '\0') : put(c);
    } else if (quote == '"') {
      const bool escape =
          c == '\\' && i + 1 < command.size() && (command[i + 1] == '"' || command[i + 1] == '\\');
      if (escape) {
        put(command[++i]);
      } else {
        c == quote ? void(quote = '\0') : put(c);
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      put('\0');  // "" is a word, too
    } else if (c == '\\' && i + 1 < command.size()) {
      put(command[++i]);
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      in_word = false;
    } else {
      put(c);
    }
  }
  if (quote != '\0') {
    throw Error(ErrorKind::invalid, "aws", "Unum.InvalidProfile",
                "a quote in the command of credential_process does not end");
  }
  return words;
}

}  // namespace unum::aws
