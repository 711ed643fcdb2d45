// Readers of foreign texts that hold secrets: no message quotes them.
#include "aws/credentials_text.hpp"

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
std::optional<std::string> member_text(json::View object, std::string_view key,
                                       const std::string& source) {
  const auto value = json::member(object, key);
  if (!value || json::type_of(*value) == json::Type::null) return std::nullopt;
  if (json::type_of(*value) != json::Type::string) {
    fail(source, std::string(key) + " is no string");
  }
  return json::string_value(*value);
}

void check(const Credentials& credentials, const std::string& source) {
  if (credentials.access_key_id.empty()) fail(source, "the access key's id is missing");
  if (credentials.secret_access_key.empty()) fail(source, "the secret access key is missing");
  for (const auto& [text, name] : {std::pair(&credentials.access_key_id, "the access key's id"),
                                   std::pair(&credentials.secret_access_key, "the secret"),
                                   std::pair(&credentials.session_token, "the token")}) {
    if (const std::string_view flaw = flaw_of_key(*text); !flaw.empty()) {
      fail(source, std::string(name) + " " + std::string(flaw));
    }
  }
}

void set_expiration(Credentials& credentials, std::string_view text, const std::string& source) {
  credentials.expiration = parse_expiration(text);
  if (!credentials.expiration) {
    fail(source, "their Expiration is no time with a zone; it must be like 2026-11-25T20:00:00Z");
  }
}

}  // namespace

Credentials parse_credentials_json(std::string_view given, CredentialsJson form,
                                   const std::string& source) {
  json::View text;
  try {
    text = json::validate(given, source);
  } catch (const Error&) {
    fail(source, "it is no JSON");
  }
  if (json::type_of(text) != json::Type::object) fail(source, "it is no JSON object");
  if (form == CredentialsJson::process && json::member(text, "Version") != std::string_view("1")) {
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

std::string_view flaw_of_key(std::string_view text) {
  if (text.ends_with('\n') || text.ends_with('\r')) return "ends with a line's end";
  for (const char c : text) {
    if (c == '\n' || c == '\r') return "has more than one line";
    if (c == ' ' || c == '\t') return "has a blank in it";
    if (c < ' ' || c >= '\x7f') return "has a character in it that no key has";
  }
  return {};
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
    } else if (c == '\\') {
      if (i + 1 == command.size()) {
        throw Error(ErrorKind::invalid, "aws", "Unum.InvalidProfile",
                    "nothing stands behind the backslash at the end of credential_process");
      }
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
