// One source, two programs: a libFuzzer target (meson option `fuzzers`, clang), and a test that
// runs the same functions over the seed corpus.
//
// A file lists its functions with UNUM_FUZZ_TARGETS. A fuzzer runs the one that UNUM_FUZZ_TARGET
// names; the test runs each over every file of tests/fuzz/corpus/<target>/, and over every prefix
// of it, since a text that is cut off is what networks give.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace unum::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view text);
};

/// In memory of exactly its size, so that a sanitizer sees a read beyond it.
inline void run_exactly(const Target& target, std::string_view text) {
  const std::vector<char> copy(text.begin(), text.end());
  target.run(std::string_view(copy.data(), copy.size()));
}

inline const Target* find(const std::vector<Target>& targets, const char* name) {
  for (const Target& target : targets) {
    if (name != nullptr && std::string_view(name) == target.name) return &target;
  }
  return nullptr;
}

/// Runs the targets over their corpora; 1 if a target has none.
inline int run_corpora(const std::vector<Target>& targets) {
  const char* root = std::getenv("UNUM_SOURCE_ROOT");
  std::size_t texts = 0;
  for (const Target& target : targets) {
    const auto folder =
        std::filesystem::path(root != nullptr ? root : ".") / "tests/fuzz/corpus" / target.name;
    const std::size_t before = texts;
    if (std::filesystem::is_directory(folder)) {
      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ostringstream text;
        text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
        const std::string bytes = text.str();
        for (std::size_t size = 0; size <= bytes.size(); ++size) {
          run_exactly(target, std::string_view(bytes).substr(0, size));
        }
        ++texts;
      }
    }
    if (texts == before) {
      std::fprintf(stderr, "%s has no corpus in %s\n", target.name, folder.c_str());
      return 1;
    }
  }
  std::printf("%zu texts and all that they begin with\n", texts);
  return 0;
}

}  // namespace unum::fuzz

#ifdef UNUM_LIBFUZZER
#define UNUM_FUZZ_TARGETS(...)                                                            \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {     \
    static const std::vector<unum::fuzz::Target> kTargets{__VA_ARGS__};                   \
    static const unum::fuzz::Target* const kTarget =                                      \
        unum::fuzz::find(kTargets, std::getenv("UNUM_FUZZ_TARGET"));                      \
    if (kTarget == nullptr) {                                                             \
      std::fprintf(stderr, "UNUM_FUZZ_TARGET names none of this program's targets:\n");   \
      for (const auto& target : kTargets) std::fprintf(stderr, "  %s\n", target.name);    \
      std::exit(2);                                                                       \
    }                                                                                     \
    unum::fuzz::run_exactly(*kTarget,                                                     \
                            std::string_view(reinterpret_cast<const char*>(data), size)); \
    return 0;                                                                             \
  }
#else
#define UNUM_FUZZ_TARGETS(...) \
  int main() { return unum::fuzz::run_corpora({__VA_ARGS__}); }
#endif
