// Names as keys of a bucket: safe, short enough, reversible, and never two names for one place.
#include "stores/s3/keys.hpp"

#include <random>
#include <set>

#include "base/limits.hpp"
#include "catch.hpp"
#include "stores/name_encoding.hpp"

using namespace unum;
using namespace unum::s3;

namespace {

std::string item(std::string_view name, ItemKind kind) {
  std::string text;
  append_item(text, name, kind);
  return text;
}

std::string session_of(std::string_view session) {
  std::string text;
  append_session(text, session);
  return text;
}

void check_component(const std::string& component) {
  REQUIRE_FALSE(component.empty());
  CHECK(component.size() <= kComponentBytesMax);
  CHECK(component.front() != '.');
  CHECK(component.find("..") == std::string::npos);
  for (const char c : component) {
    const bool printable = c > ' ' && c < '\x7f';
    CHECK(printable);
    CHECK(std::string_view("/\\&<>\"'").find(c) == std::string_view::npos);
  }
}

std::string unescaped(std::string_view url) {
  std::string text;
  for (std::size_t i = 0; i < url.size(); ++i) {
    if (url[i] == '%') {
      text += static_cast<char>(std::stoi(std::string(url.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      text += url[i];
    }
  }
  return text;
}

std::string refusal(std::string_view name) {
  try {
    parse_location(name);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid);
    CHECK(error.code() == "Unum.InvalidStoreName");
    return error.message();
  }
  return {};
}

}  // namespace

TEST_CASE("plain names stand in a bucket as they are") {
  CHECK(item("F-unumIndex-2.5", ItemKind::outcome) == "F-unumIndex-2.5-output.json");
  CHECK(item("F", ItemKind::report) == "F-error.json");
  CHECK(item("F", ItemKind::input) == "F-input.json");
  CHECK(item("F", ItemKind::claim) == "F-fanin");
  CHECK(item("F", ItemKind::wanted) == "F-wanted");
  CHECK(item("F", ItemKind::garbage) == "F-gc");
  CHECK(session_of("0b5ecf94-ef3a-4b0e") == "0b5ecf94-ef3a-4b0e");
}

TEST_CASE("a path holds a key's bytes, escaped as a signature expects") {
  std::string url;
  append_item_url(url, "a/b,c", ItemKind::claim);
  CHECK(url == "a%252Fb%2Cc-fanin");
  url.clear();
  append_session_url(url, "a.b");
  CHECK(url == "a.b");
  url.clear();
  append_url(url, "p/q r", true);
  CHECK(url == "p/q%20r");
}

TEST_CASE("any name comes back from its key or its companion, and has a key of its own") {
  std::mt19937 random(11);
  std::set<std::string> names;
  const std::string favourites("./%-a\0\xff~", 8);
  for (int i = 0; i < 3'000; ++i) {
    std::string name(1 + random() % (i % 10 == 0 ? 2'000 : 12), '\0');
    for (char& c : name)
      c = random() % 4 == 0 ? static_cast<char>(random()) : favourites[random() % 8];
    names.insert(std::move(name));
  }
  std::set<std::string> sessions;
  std::set<std::string> items;
  for (const std::string& name : names) {
    const std::string session = session_of(name);
    const std::string key = item(name, ItemKind::outcome);
    check_component(session);
    check_component(key);
    CHECK(is_shortened(session) == needs_companion(name, "F", ItemKind::outcome));
    CHECK(is_shortened(key) == needs_companion("s", name, ItemKind::outcome));
    if (is_shortened(session)) {
      CHECK_FALSE(decode_session(session));
    } else {
      CHECK(decode_session(session) == name);
    }
    if (is_shortened(key)) {
      CHECK_FALSE(decode_item(key));
      CHECK(shortened_kind(key) == ItemKind::outcome);
    } else {
      CHECK(decode_item(key) == ItemId{name, ItemKind::outcome});
      CHECK_FALSE(shortened_kind(key));
    }
    std::string url;
    append_item_url(url, name, ItemKind::outcome);
    CHECK(unescaped(url) == key);
    const auto full = parse_companion(companion_text("s" + name, name));
    REQUIRE(full);
    CHECK(full->session == "s" + name);
    CHECK(full->name == name);
    sessions.insert(session);
    items.insert(key);
  }
  CHECK(sessions.size() == names.size());
  CHECK(items.size() == names.size());
}

TEST_CASE("the longest names and prefix fit S3's 1,024 bytes, and a file name's 255") {
  const std::string name(kItemNameBytesMax, '/');
  for (const ItemKind kind : kItemKinds) {
    CHECK(shortened_kind(item(name, kind)) == kind);
    CHECK(item(name, kind).size() + kCompanionSuffix.size() <= 255);
    // The last name that is not shortened, and the first that is.
    const std::size_t room = kComponentBytesMax - file_suffix(kind).size();
    CHECK_FALSE(is_shortened(item(std::string(room, 'n'), kind)));
    CHECK(is_shortened(item(std::string(room + 1, 'n'), kind)));
  }
  const Location location = parse_location("bucket/" + std::string(kPrefixBytesMax - 1, 'p'));
  CHECK(location.prefix.size() + 2 * kComponentBytesMax + 1 + kCompanionSuffix.size() <= 1024);
}

TEST_CASE("objects of others are no items of ours") {
  for (const char* text : {"", ".unum-probe", "README", "-output.json", "a%2-output.json",
                           "%41-output.json", "a%2f-output.json", "a b-output.json",
                           "F-output.json.name", "a%~-output.json", "a%~b"}) {
    INFO(text);
    CHECK_FALSE(decode_item(text));
    CHECK_FALSE(shortened_kind(text));
  }
  for (const char* text : {"", "x", "5\nab", "\nab", "-1\nab", "99999999999999999999\nab"})
    CHECK_FALSE(parse_companion(text));
}

TEST_CASE("a store's name is a bucket, or a bucket and a prefix") {
  CHECK(parse_location("my-bucket").bucket == "my-bucket");
  CHECK(parse_location("my-bucket").prefix.empty());
  CHECK(parse_location("my-bucket/").prefix.empty());
  CHECK(parse_location("b.c.d/p/q").bucket == "b.c.d");
  CHECK(parse_location("b.c.d/p/q").prefix == "p/q/");
  CHECK(parse_location("b.c.d/p/q/").prefix == "p/q/");
  CHECK(refusal("ab").find("3 to 63") != std::string::npos);
  CHECK(refusal(std::string(64, 'b')).find("3 to 63") != std::string::npos);
  CHECK(refusal("s3://bucket").find("letters, digits") != std::string::npos);
  CHECK(refusal("a..b").find("single dots") != std::string::npos);
  CHECK(refusal("-abc").find("begins") != std::string::npos);
  CHECK(refusal("abc--use1-az4--x-s3").find("directory bucket") != std::string::npos);
  CHECK(refusal("bucket/a//b").find("empty") != std::string::npos);
  CHECK(refusal("bucket/a/../b").find("\"..\"") != std::string::npos);
  CHECK(refusal("bucket//").find("empty") != std::string::npos);
  CHECK(refusal("bucket/a b").find("no blanks") != std::string::npos);
  CHECK(refusal("bucket/a\\b").find("backslashes") != std::string::npos);
  CHECK(refusal("bucket/" + std::string(kPrefixBytesMax, 'p')).find("512") != std::string::npos);
  CHECK(fits_host_name("my-bucket-1"));
  CHECK_FALSE(fits_host_name("my.bucket"));
  CHECK_FALSE(fits_host_name("MyBucket"));
}
