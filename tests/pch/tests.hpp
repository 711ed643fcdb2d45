// Precompiled for every test program: Catch2 and the standard headers that nearly all of them use.
#ifndef UNUM_TESTS_PCH
#define UNUM_TESTS_PCH

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "catch.hpp"

#endif
