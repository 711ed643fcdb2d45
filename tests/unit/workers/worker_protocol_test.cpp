// Frames between the host and its workers: what a worker says is never trusted.
#include "workers/worker_protocol.hpp"

#include <random>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "catch.hpp"
#include "unum/error.hpp"

using namespace unum;
using namespace unum::worker;
using namespace std::string_view_literals;

TEST_CASE("the bytes of a call's frame are those that the shims read") {
  std::string frame;
  const UserCall call{.function = "F",
                      .instance = "F-unumIndex-1",
                      .session = "s",
                      .input = json::View::trusted("{}"),
                      .traceparent = "00-ab",
                      .attempt = 3};
  append_call(frame, call, 0x01020304, 1000);
  CHECK(frame ==
        "unm1C\0\0\0\x29\0\0\0"
        "\4\3\2\1\xe8\3\0\0\3\0\0\0\x0d\0\1\0\5\0\0\0F-unumIndex-1s00-ab"sv);
}

TEST_CASE("the bytes around an event in pieces are those that the shims read") {
  std::string frame;
  const UserCall call{.function = "F",
                      .instance = "F-unumIndex-1",
                      .session = "s",
                      .input = {},
                      .traceparent = "00-ab",
                      .attempt = 3};
  append_streamed_call(frame, call, 0x01020304);
  CHECK(frame ==
        "unm1S\0\0\0\x27\0\0\0"
        "\4\3\2\1\0\0\0\0\3\0\0\0\x0d\0\1\0\5\0\0\0F-unumIndex-1s00-ab"sv);
  frame.clear();
  append_header(frame, FrameType::data, 7);
  append_final_data(frame, 1000);
  CHECK(frame == "unm1D\0\0\0\7\0\0\0unm1F\0\0\0\4\0\0\0\xe8\3\0\0"sv);
}

TEST_CASE("a load frame is a JSON object with the function's environment where it is wanted") {
  FunctionCode code;
  code.function = "F";
  code.handler = "a\"b.c";
  code.directory = "/d";
  code.memory_mb = 128;
  const std::vector<std::pair<std::string, std::string>> environment = {{"A", "1\n"}, {"B", ""}};
  std::string frame = "before";
  append_load(frame, code, &environment);
  const std::string bytes = frame.substr(6 + kHeaderBytes);
  CHECK(frame.substr(6, 5) == "unm1L");
  CHECK(bytes.size() ==
        static_cast<unsigned char>(frame[6 + 8]) + 256u * static_cast<unsigned char>(frame[6 + 9]));
  const json::View payload = json::validate(bytes, "the load frame");
  CHECK(json::string_value(*json::member(payload, "handler")) == "a\"b.c");
  CHECK(*json::member(payload, "environment") == R"({"A":"1\n","B":""})");
  CHECK(*json::member(payload, "memory_mb") == "128");
  std::string other;
  append_load(other, code, nullptr);
  other.erase(0, kHeaderBytes);
  const json::View plain = json::validate(other, "the load frame");
  CHECK_FALSE(json::member(plain, "environment").has_value());
}

TEST_CASE("only a worker's frames are taken for one") {
  const auto header = [](std::string_view bytes) { return parse_header(bytes).has_value(); };
  CHECK(header("unm1R\0\0\0\4\0\0\0"sv));
  CHECK(header("unm1X\0\0\0\xff\xff\0\0more"sv));
  CHECK_FALSE(header("unm1R\0\0\0\4\0\0"sv));
  CHECK_FALSE(header("unm2R\0\0\0\4\0\0\0"sv));
  CHECK_FALSE(header("unm1C\0\0\0\4\0\0\0"sv));
  CHECK_FALSE(header("unm1R\1\0\0\4\0\0\0"sv));
  CHECK_FALSE(header("unm1R\0\0\0\xff\xff\xff\xff"sv));
}

TEST_CASE("an answer that is cut off is no answer") {
  const auto answer = parse_answer(FrameType::result, "\1\0\0\0[1]"sv);
  REQUIRE(answer.has_value());
  CHECK(answer->sequence == 1);
  CHECK(answer->succeeded);
  CHECK(answer->value == "[1]");
  const std::string_view failure = "\2\0\0\0\3\0\0\0Errwhy"sv;
  const auto failed = parse_answer(FrameType::last_error, failure);
  REQUIRE(failed.has_value());
  CHECK(failed->retires);
  CHECK(failed->error == "Err");
  CHECK(failed->cause == "why");
  for (std::size_t size = 0; size < 11; ++size) {
    CHECK_FALSE(parse_answer(FrameType::error, failure.substr(0, size)).has_value());
  }
  CHECK_FALSE(parse_answer(FrameType::result, "\1\0\0"sv).has_value());
  CHECK_FALSE(parse_answer(FrameType::error, "\2\0\0\0\0\0\0\0"sv).has_value());
}

TEST_CASE("no bytes make the parsers read outside them") {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? random() : 0);
    if (bytes.size() > 5 && round % 2 == 0) bytes.replace(0, 5, "unm1E");
    parse_header(bytes);
    parse_answer(FrameType::error, bytes);
    parse_answer(FrameType::result, bytes);
  }
}

TEST_CASE("an event or a name beyond its limit never reaches a worker") {
  std::string frame;
  UserCall call{.function = "F",
                .instance = "F",
                .session = "s",
                .input = json::View::trusted("{}"),
                .traceparent = {},
                .attempt = 1};
  const std::string long_name(kItemNameBytesMax + 1, 'x');
  call.instance = long_name;
  CHECK_THROWS_AS(append_call(frame, call, 1, 0), Error);
  CHECK(frame.empty());
  const std::string long_trace(kTraceparentBytesMax + 1, 'x');
  call.instance = "F";
  call.traceparent = long_trace;
  append_call(frame, call, 1, 0);
  CHECK(frame.size() < 100);  // a trace that cannot be one is left out
}
