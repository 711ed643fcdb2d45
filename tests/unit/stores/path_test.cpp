// Names as path components: safe, reversible, and never two names for one place.
#include "stores/fs/path.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "catch.hpp"

using namespace unum;
using namespace unum::fs;

namespace {

void check_component(const std::string& component) {
  CHECK(component.size() <= kComponentBytesMax);
  REQUIRE_FALSE(component.empty());
  CHECK(component.front() != '.');
  CHECK(component.find('/') == std::string::npos);
  CHECK(component.find('\0') == std::string::npos);
}

std::string joined(const std::vector<std::string>& components) {
  std::string text;
  for (std::size_t i = 0; i < components.size(); ++i) {
    check_component(components[i]);
    CHECK(is_continued(components[i]) == (i + 1 < components.size()));
    text += components[i];
    if (i + 1 < components.size()) text.pop_back();
  }
  return text;
}

}  // namespace

TEST_CASE("plain names stand in the file system as they are") {
  CHECK(ItemPath("F-unumIndex-2.5", ItemKind::outcome).file() ==
        std::string("F-unumIndex-2.5-output.json"));
  CHECK(ItemPath("F", ItemKind::report).file() == std::string("F-error.json"));
  CHECK(ItemPath("F", ItemKind::input).file() == std::string("F-input.json"));
  CHECK(ItemPath("F", ItemKind::claim).file() == std::string("F-fanin"));
  CHECK(ItemPath("F", ItemKind::wanted).file() == std::string("F-wanted"));
  CHECK(ItemPath("F", ItemKind::garbage).file() == std::string("F-gc"));
  CHECK(session_components("0b5ecf94-ef3a-4b0e-9a53-4e2a7f1d9c11") ==
        std::vector<std::string>{"0b5ecf94-ef3a-4b0e-9a53-4e2a7f1d9c11"});
}

TEST_CASE("what is not safe is percent-encoded") {
  CHECK(ItemPath("..", ItemKind::claim).file() == std::string("%2E.-fanin"));
  CHECK(ItemPath("a..b", ItemKind::claim).file() == std::string("a.%2Eb-fanin"));
  CHECK(ItemPath("a/b%", ItemKind::claim).file() == std::string("a%2Fb%25-fanin"));
  CHECK(session_components("..") == std::vector<std::string>{"%2E."});
  CHECK(session_components(std::string("\0", 1)) == std::vector<std::string>{"%00"});
}

TEST_CASE("any name comes back as it went in, from safe components of its own") {
  std::mt19937 random(7);
  std::set<std::string> names;
  const std::string favourites("./%-a\0\xff", 7);
  for (int i = 0; i < 3'000; ++i) {
    std::string name(1 + random() % (i % 10 == 0 ? 2'000 : 12), '\0');
    for (char& c : name)
      c = random() % 4 == 0 ? static_cast<char>(random()) : favourites[random() % 7];
    names.insert(std::move(name));
  }
  std::set<std::string> sessions;
  std::set<std::string> files;
  for (const std::string& name : names) {
    const std::string session = joined(session_components(name));
    CHECK(decode_session(session) == name);
    sessions.insert(session);
    const ItemPath path(name, ItemKind::outcome);
    std::vector<std::string> components = path.directories();
    components.push_back(path.file());
    const std::string file = joined(components);
    CHECK(decode_item(file) == ItemId{name, ItemKind::outcome});
    files.insert(file);
  }
  CHECK(sessions.size() == names.size());
  CHECK(files.size() == names.size());
}

TEST_CASE("files of others are no items, and a name has one spelling only") {
  for (const char* text :
       {"", ".unum-1", "README", "-output.json", "a%2-output.json", "a%zz-output.json",
        "%41-output.json", "a%2f-output.json", "..-output.json", "a b-output.json"}) {
    INFO(text);
    CHECK_FALSE(decode_item(text));
  }
  CHECK_FALSE(decode_session("%41"));
  CHECK_FALSE(decode_session("a b"));
  CHECK_FALSE(decode_session(".git"));
}

TEST_CASE("an item's name and its suffix come apart again") {
  for (const ItemKind kind : {ItemKind::outcome, ItemKind::report, ItemKind::input, ItemKind::claim,
                              ItemKind::wanted, ItemKind::garbage}) {
    CHECK(parse_item_name(item_name("F-output", kind)) == ItemId{"F-output", kind});
  }
  CHECK_FALSE(parse_item_name("F"));
  CHECK_FALSE(parse_item_name("-output"));
}
