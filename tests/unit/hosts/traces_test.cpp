// Steps as spans: whose parents and links they have, and what the environment says of them.
#include "hosts/traces.hpp"

#include <algorithm>
#include <map>

#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

namespace {

struct Spans final : RunObserver {
  void ended(std::string_view, const StepReport& report) override { add(report); }
  void attempted(std::string_view, const StepReport& report) override {
    attempts.push_back(report);
  }
  void add(const StepReport& report) {
    if (report.trace) of.emplace(report.instance, *report.trace);
  }
  std::map<std::string, StepTrace> of;
  std::vector<StepReport> attempts;
};

LocalHostTuning traced(Spans& spans, std::optional<double> ratio = 1) {
  LocalHostTuning options;
  options.observer = &spans;
  options.runtime.traces = ratio;
  return options;
}

/// What user code was given as its trace context, by instance.
NativeApp telling_app(std::map<std::string, std::string>& told) {
  NativeApp app;
  const auto tell = [&told](const UserCall& call) {
    told[std::string(call.instance)] = call.traceparent;
    return std::string(call.input);
  };
  app.add(map_to("M", "F", R"("Start": true, )"), tell);
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop), tell);
  app.add(terminal("A"), tell);
  return app;
}

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string input_with(const char* traceparent) {
  return std::string(R"({"Data":{"Source":"http","Value":[1,2]},"traceparent":")") + traceparent +
         "\"}";
}

std::optional<TraceSettings> settings_of(std::map<std::string, std::string> variables) {
  return trace_settings(
      [&](const char* name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
      },
      "orders");
}

}  // namespace

TEST_CASE("each step is a span below whoever invoked it, an aggregator's links its contributors") {
  std::map<std::string, std::string> told;
  NativeApp app = telling_app(told);
  Spans spans;
  World world("memory");
  const std::string input = input_with(kParent);
  require_result(world.reactor.run(app.run(world.reactor, *world.store, "s", input, traced(spans))),
                 "[1,2]");
  REQUIRE(spans.of.size() == 4);
  const StepTrace& m = spans.of.at("M");
  const StepTrace& first = spans.of.at("F-unumIndex-0");
  const StepTrace& second = spans.of.at("F-unumIndex-1");
  const StepTrace& a = spans.of.at("A");
  CHECK(m.parent_span_id == "b7ad6b7169203331");
  CHECK(first.parent_span_id == m.span_id);
  CHECK(second.parent_span_id == m.span_id);
  const bool invoked_by_one =
      a.parent_span_id == first.span_id || a.parent_span_id == second.span_id;
  CHECK(invoked_by_one);
  CHECK(a.links == std::vector<std::string>{first.span_id, second.span_id});
  CHECK(m.links.empty());
  for (const auto& [instance, span] : spans.of) {
    INFO(instance);
    CHECK(span.trace_id == "0af7651916cd43dd8448eb211c80319c");
    CHECK(span.begun <= span.ended);
    CHECK(span.begun.time_since_epoch().count() > 0);
    CHECK(told[instance] == "00-" + span.trace_id + "-" + span.span_id + "-01");
  }
}

TEST_CASE("a session without a trace context begins a trace of its own, if it is sampled") {
  std::map<std::string, std::string> told;
  NativeApp app = telling_app(told);
  Spans spans;
  World world("memory");
  require_result(
      world.reactor.run(app.run(world.reactor, *world.store, "s", "[1,2]", traced(spans))),
      "[1,2]");
  CHECK(spans.of.at("M").parent_span_id.empty());
  CHECK(spans.of.at("A").trace_id == spans.of.at("M").trace_id);
  Spans none;
  require_result(
      world.reactor.run(app.run(world.reactor, *world.store, "t", "[1,2]", traced(none, 0))),
      "[1,2]");
  CHECK(none.of.empty());
  CHECK(told["A"].ends_with("-00"));
}

TEST_CASE("what is not to be traced passes trace contexts on as they come") {
  std::map<std::string, std::string> told;
  NativeApp app = telling_app(told);
  World world("memory");
  for (const bool traces : {false, true}) {
    Spans spans;
    const char* const given =
        traces ? "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" : kParent;
    const std::optional<double> ratio = traces ? std::optional<double>(1) : std::nullopt;
    const std::string session = traces ? "unsampled" : "untraced";
    require_result(world.reactor.run(app.run(world.reactor, *world.store, session,
                                             input_with(given), traced(spans, ratio))),
                   "[1,2]");
    CHECK(spans.of.empty());
    for (const auto& [instance, context] : told) CHECK(context == given);
  }
}

TEST_CASE("an attempt that is tried again is a span of its own") {
  NativeApp app;
  int calls = 0;
  app.add(R"({"Name": "S", "Start": true,
              "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 1,
                         "MaxAttempts": 2}]})",
          [&](const UserCall& call) {
            if (++calls < 3) throw CodeFailure{"Busy", "later"};
            return std::string(call.input);
          });
  Spans spans;
  World world("memory");
  require_result(world.reactor.run(app.run(world.reactor, *world.store, "s", "1", traced(spans))),
                 "1");
  REQUIRE(spans.attempts.size() == 2);
  std::set<std::string> ids{spans.of.at("S").span_id};
  for (const StepReport& attempt : spans.attempts) ids.insert(attempt.trace->span_id);
  CHECK(ids.size() == 3);
}

TEST_CASE("the environment says where spans go, as it does for OpenTelemetry's SDKs") {
  CHECK_FALSE(settings_of({}));
  const std::string at = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const auto plain = settings_of({{at, "http://localhost:4318/"}});
  REQUIRE(plain);
  CHECK(plain->origin == "http://localhost:4318");
  CHECK(plain->target == "/v1/traces");
  CHECK(plain->timeout == std::chrono::seconds(10));
  CHECK(plain->attributes.back() == std::pair<std::string, std::string>("service.name", "orders"));
  const auto own = settings_of({{at, "http://other:1"},
                                {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c.example/in"},
                                {"OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x = y"},
                                {"OTEL_EXPORTER_OTLP_TIMEOUT", "250"},
                                {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
                                {"OTEL_TRACES_SAMPLER", "parentbased_traceidratio"},
                                {"OTEL_TRACES_SAMPLER_ARG", "0.5"},
                                {"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=b%2Cc"}});
  REQUIRE(own);
  CHECK(own->origin == "https://c.example");
  CHECK(own->target == "/in");
  CHECK(own->headers == std::vector<std::string>{"api-key: a b", "x: y"});
  CHECK(own->timeout == std::chrono::milliseconds(250));
  CHECK(own->gzip);
  CHECK(own->ratio == 0.5);
  CHECK(own->attributes ==
        std::vector<std::pair<std::string, std::string>>{{"service.name", "a"}, {"team", "b,c"}});
  CHECK(
      settings_of({{at, "http://a:1"}, {"OTEL_SERVICE_NAME", "named"}})->attributes.back().second ==
      "named");
  using Variables = std::map<std::string, std::string>;
  for (const Variables& nowhere :
       {Variables{{at, "http://a:1"}, {"OTEL_SDK_DISABLED", "TRUE"}},
        Variables{{at, "http://a:1"}, {"OTEL_TRACES_EXPORTER", "none"}},
        Variables{{at, "http://a:1"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}},
        Variables{{at, "http://a:1"}, {"OTEL_TRACES_SAMPLER", "always_off"}},
        Variables{{at, "collector:4317"}}, Variables{{at, "http://user:secret@a:1"}},
        Variables{{at, "http://"}}}) {
    CHECK_FALSE(settings_of(nowhere));
  }
  // What cannot be counts as not set.
  const auto odd = settings_of({{at, "http://a:1"},
                                {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"},
                                {"OTEL_TRACES_SAMPLER", "sometimes"},
                                {"OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"}});
  REQUIRE(odd);
  CHECK(odd->timeout == std::chrono::seconds(10));
  CHECK(odd->ratio == 1);
  CHECK_FALSE(odd->gzip);
}
