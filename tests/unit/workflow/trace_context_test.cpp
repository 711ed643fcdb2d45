// Trace contexts, as the W3C's recommendation and OpenTelemetry's samplers have them.
#include "workflow/trace_context.hpp"
#include "catch.hpp"

using namespace unum;

TEST_CASE("a traceparent is read and written as the recommendation has it") {
  const std::string text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto context = parse_traceparent(text);
  REQUIRE(context);
  CHECK(context->trace_id == "0af7651916cd43dd8448eb211c80319c");
  CHECK(context->span_id == "b7ad6b7169203331");
  CHECK(context->sampled);
  CHECK(to_traceparent(*context) == text);
  CHECK_FALSE(
      parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02")->sampled);
  // A later version may have more behind it.
  CHECK(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  for (const char* const wrong :
       {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01"}) {
    INFO(wrong);
    CHECK_FALSE(parse_traceparent(wrong));
  }
}

TEST_CASE("a session's trace and an instance's span are the same in every process") {
  const TraceContext trace = trace_of_session("first", 1);
  CHECK(trace.trace_id == trace_of_session("first", 1).trace_id);
  CHECK(trace.trace_id != trace_of_session("second", 1).trace_id);
  CHECK(trace.trace_id.size() == 32);
  const std::string span = span_id_of(trace.trace_id, "first", "F-unumIndex-1");
  CHECK(span.size() == 16);
  CHECK(span == span_id_of(trace.trace_id, "first", "F-unumIndex-1"));
  CHECK(span != span_id_of(trace.trace_id, "first", "F-unumIndex-2"));
  CHECK(span != span_id_of(trace.trace_id, "first", "F-unumIndex-1", 1));
}

TEST_CASE("a part of all sessions is sampled") {
  int sampled = 0;
  for (int i = 0; i < 1000; ++i) {
    sampled += trace_of_session("session " + std::to_string(i), 0.25).sampled ? 1 : 0;
  }
  CHECK(sampled > 180);
  CHECK(sampled < 320);
  CHECK_FALSE(trace_of_session("any", 0).sampled);
  CHECK(trace_of_session("any", 1).sampled);
}
