// Reading S3's XML with pugixml.
#include "stores/s3/answers.hpp"

#include <charconv>
#include <chrono>
#include <optional>
#include <pugixml.hpp>

#include "base/wall_time.hpp"
#include "unum/error.hpp"

namespace unum::s3 {
namespace {

[[noreturn]] void throw_corrupt(std::string_view what, std::string_view why) {
  std::string message = "the server's answer is no ";
  message.append(what).append(": ").append(why);
  throw Error(ErrorKind::corrupt, "s3", "Unum.BadAnswer", std::move(message));
}

/// The root element if it has this name, else an empty node. The text is used up.
pugi::xml_node root_of(pugi::xml_document& document, std::string& body, const char* name,
                       std::string_view what) {
  const pugi::xml_parse_result result =
      document.load_buffer_inplace(body.data(), body.size(), pugi::parse_default);
  if (!result) throw_corrupt(what, result.description());
  return document.child(name);
}

pugi::xml_node required_root(pugi::xml_document& document, std::string& body, const char* name,
                             std::string_view what) {
  const pugi::xml_node root = root_of(document, body, name, what);
  if (!root) throw_corrupt(what, "it begins otherwise");
  return root;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// A key as `encoding-type=url` writes it, where a blank may be a plus sign.
std::string decode_url(std::string_view text) {
  std::string key;
  key.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) throw_corrupt("listing", "a key has a bad escape");
      key += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      key += text[i] == '+' ? ' ' : text[i];
    }
  }
  return key;
}

/// The number that `digits` digits at `at` are.
std::optional<int> number(std::string_view text, std::size_t at, std::size_t digits) noexcept {
  int value = 0;
  if (at + digits > text.size()) return std::nullopt;
  for (const char c : text.substr(at, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::int64_t parse_time(std::string_view text) {
  const auto year = number(text, 0, 4);
  const auto month = number(text, 5, 2);
  const auto day = number(text, 8, 2);
  const auto hour = number(text, 11, 2);
  const auto minute = number(text, 14, 2);
  const auto second = number(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || !text.ends_with('Z')) {
    throw_corrupt("listing", "a time is not in UTC as ISO 8601 writes it");
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) throw_corrupt("listing", "a time has no such day");
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + *hour * 3'600 + *minute * 60 + *second;
  std::int64_t nanoseconds = 0;
  if (text.size() > 21 && text[19] == '.') {
    std::int64_t unit = 100'000'000;
    for (std::size_t i = 20; i + 1 < text.size() && unit > 0; ++i, unit /= 10) {
      const auto digit = number(text, i, 1);
      if (!digit) throw_corrupt("listing", "a time has a bad fraction");
      nanoseconds += *digit * unit;
    }
  }
  return saturated_unix_ns(seconds, nanoseconds);
}

ListPage parse_list_page(std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node root = required_root(document, body, "ListBucketResult", "listing");
  // A server may leave the encoding out although it was asked for: what it says counts.
  const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
  const auto text_of = [&](const char* value) {
    return encoded ? decode_url(value) : std::string(value);
  };
  ListPage page;
  for (const pugi::xml_node entry : root.children("Contents")) {
    ListedObject object;
    object.key = text_of(entry.child_value("Key"));
    const std::string_view size = entry.child_value("Size");
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.bytes);
    if (object.key.empty() || error != std::errc() || end != size.data() + size.size()) {
      throw_corrupt("listing", "an object has no key or no size");
    }
    object.modified_unix_ns = parse_time(entry.child_value("LastModified"));
    page.objects.push_back(std::move(object));
  }
  for (const pugi::xml_node entry : root.children("CommonPrefixes")) {
    page.prefixes.push_back(text_of(entry.child_value("Prefix")));
  }
  if (std::string_view(root.child_value("IsTruncated")) == "true") {
    page.continuation = root.child_value("NextContinuationToken");
    if (page.continuation.empty()) {
      throw_corrupt("listing", "it breaks off and does not say where it goes on");
    }
  }
  return page;
}

std::vector<DeleteFailure> parse_delete_result(std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node root = required_root(document, body, "DeleteResult", "DeleteResult");
  std::vector<DeleteFailure> failures;
  for (const pugi::xml_node entry : root.children("Error")) {
    failures.push_back(
        {entry.child_value("Key"), entry.child_value("Code"), entry.child_value("Message")});
  }
  return failures;
}

std::string parse_upload_id(std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node root = required_root(document, body, "InitiateMultipartUploadResult",
                                            "InitiateMultipartUploadResult");
  std::string id = root.child_value("UploadId");
  if (id.empty()) throw_corrupt("InitiateMultipartUploadResult", "it holds no UploadId");
  return id;
}

ErrorAnswer parse_error(std::string& body) {
  if (body.empty()) return {};
  pugi::xml_document document;
  const pugi::xml_node root = root_of(document, body, "Error", "XML");
  return {root.child_value("Code"), root.child_value("Message"), root.child_value("Region"),
          root.child_value("RequestId")};
}

bool is_absent(int status, std::string_view code, std::string_view body) noexcept {
  if (status != 404) return false;
  if (code == "404") return body.empty();
  return code == "NoSuchKey" || (code.find("Bucket") == std::string_view::npos &&
                                 code.find("AccessPoint") == std::string_view::npos);
}

bool is_lost_write(int status, std::string_view code, std::string_view) noexcept {
  if (status == 412) return true;
  return status == 409 && code.find("Bucket") == std::string_view::npos;
}

bool is_lost_completion(int status, std::string_view code, std::string_view body) noexcept {
  return is_lost_write(status, code, body) || code == "NoSuchUpload" ||
         (status == 404 && code == "404" && body.empty());
}

void append_xml(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
}

}  // namespace unum::s3
