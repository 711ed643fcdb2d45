// See traces.hpp.
#include "hosts/traces.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "base/backoff.hpp"
#include "base/build_config.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/wall_time.hpp"

namespace unum {
namespace {

using std::chrono::milliseconds;

// Spans of one request (the default of OTEL_BSP_MAX_EXPORT_BATCH_SIZE).
constexpr std::size_t kBatch = 512;
// A span waits for others for at most so long (the default of OTEL_BSP_SCHEDULE_DELAY).
constexpr milliseconds kDelay{5'000};
constexpr Backoff kBackoff{milliseconds(200), milliseconds(5'000)};
constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr const char* kEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
constexpr const char* kTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

void complain(const char* variable, std::string_view value, std::string_view right) {
  log::warn(LogArea::host, "{} is \"{}\", which counts as not set; it must be {}", variable, value,
            right);
}

/// A variable of the exporter: the one for traces, else the one for all signals.
std::optional<std::string> of_exporter(const Environment& environment, std::string_view name) {
  const std::string own = fmt::format("OTEL_EXPORTER_OTLP_TRACES_{}", name);
  if (std::optional<std::string> value = environment(own.c_str())) return value;
  return environment(fmt::format("OTEL_EXPORTER_OTLP_{}", name).c_str());
}

bool is_true(const std::optional<std::string>& value) {
  constexpr std::string_view kTrue = "true";
  return value && std::ranges::equal(*value, kTrue, [](char a, char b) { return (a | 0x20) == b; });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const char* const digits = text.data() + i + 1;
    const bool is_encoded = text[i] == '%' && i + 2 < text.size() &&
                            std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
    out += is_encoded ? static_cast<char>(byte) : text[i];
    if (is_encoded) i += 2;
  }
  return out;
}

/// "a=b,c=d", with values that are percent-encoded (W3C Baggage, without properties).
std::vector<std::pair<std::string, std::string>> pairs_of(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(','));
    const std::size_t equals = pair.find('=');
    if (equals != pair.npos && !trimmed(pair.substr(0, equals)).empty()) {
      pairs.emplace_back(trimmed(pair.substr(0, equals)),
                         percent_decoded(trimmed(pair.substr(equals + 1))));
    }
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
  }
  return pairs;
}

bool take_endpoint(const Environment& environment, TraceSettings& settings) {
  const char* variable = kTracesEndpoint;
  std::optional<std::string> url = environment(variable);
  const bool is_whole = url.has_value();
  if (!url) url = environment(variable = kEndpoint);
  if (!url) return false;
  const bool has_scheme = url->starts_with("http://") || url->starts_with("https://");
  const std::size_t host = url->find("//") + 2;
  const std::size_t path = has_scheme ? std::min(url->find('/', host), url->size()) : 0;
  const bool is_usable = has_scheme && path > host && url->find_first_of(" @\\") == url->npos;
  if (!is_usable) {
    // Not repeated: what stands before an @ may be a password.
    complain(variable, "...", "a URL, http://HOST:PORT, without a user");
    return false;
  }
  settings.origin = url->substr(0, path);
  settings.target = url->substr(path);
  if (!is_whole) {
    while (settings.target.ends_with('/')) settings.target.pop_back();
    settings.target += "/v1/traces";
  }
  if (settings.target.empty()) settings.target = "/";
  return true;
}

/// False: nothing is sampled that begins here, nor anything else.
bool take_sampler(const Environment& environment, TraceSettings& settings) {
  const std::string sampler = environment("OTEL_TRACES_SAMPLER").value_or("parentbased_always_on");
  const std::string_view kind =
      std::string_view(sampler).substr(sampler.starts_with("parentbased_") ? 12 : 0);
  if (kind == "always_off") {
    settings.ratio = 0;
    return sampler.starts_with("parentbased_");
  }
  if (kind == "traceidratio") {
    const std::string text = environment("OTEL_TRACES_SAMPLER_ARG").value_or("1");
    double ratio = 1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ratio);
    const bool is_ratio =
        error == std::errc() && end == text.data() + text.size() && ratio >= 0 && ratio <= 1;
    if (!is_ratio) complain("OTEL_TRACES_SAMPLER_ARG", text, "a number from 0 to 1");
    settings.ratio = is_ratio ? ratio : 1;
  } else if (kind != "always_on") {
    complain("OTEL_TRACES_SAMPLER", sampler,
             "always_on, always_off or traceidratio, or one of them behind \"parentbased_\"");
  }
  return true;
}

void take_resource(const Environment& environment, std::string_view application,
                   TraceSettings& settings) {
  settings.attributes = pairs_of(environment("OTEL_RESOURCE_ATTRIBUTES").value_or(""));
  const auto is_name = [](const auto& pair) { return pair.first == "service.name"; };
  std::optional<std::string> name = environment("OTEL_SERVICE_NAME");
  if (!name && std::ranges::any_of(settings.attributes, is_name)) return;
  std::erase_if(settings.attributes, is_name);
  settings.attributes.emplace_back("service.name", name.value_or(std::string(application)));
}

bool comes_again(int status) {
  constexpr std::array<int, 4> kRetried = {429, 502, 503, 504};  // of the OTLP specification
  return std::ranges::find(kRetried, status) != kRetried.end();
}

std::optional<std::string> gzipped(std::string_view text) {
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(6), &libdeflate_free_compressor);
  if (!compressor) return std::nullopt;
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), text.size()), '\0');
  const std::size_t size =
      libdeflate_gzip_compress(compressor.get(), text.data(), text.size(), out.data(), out.size());
  if (size == 0) return std::nullopt;
  out.resize(size);
  return out;
}

void append_attribute(std::string& out, std::string_view name, std::string_view text) {
  if (out.ends_with('}')) out += ',';
  out += "{\"key\":";
  json::append_string(out, name);
  out += ",\"value\":{\"stringValue\":";
  json::append_string(out, text);
  out += "}}";
}

void append_number(std::string& out, std::string_view name, std::uint64_t number) {
  if (out.ends_with('}')) out += ',';
  out += fmt::format(R"({{"key":"{}","value":{{"intValue":"{}"}}}})", name, number);
}

/// Names and attributes are those of the conventions for functions as a service, "faas", and own
/// ones below "unum.".
void append_span(std::string& out, std::string_view function, const StepReport& report) {
  const StepTrace& trace = *report.trace;
  constexpr int kServer = 2;
  constexpr int kConsumer = 5;
  const int kind = trace.parent_span_id.empty() ? kServer : kConsumer;
  out += fmt::format(R"({{"traceId":"{}","spanId":"{}",)", trace.trace_id, trace.span_id);
  if (!trace.parent_span_id.empty()) {
    out += fmt::format(R"("parentSpanId":"{}",)", trace.parent_span_id);
  }
  out += "\"name\":";
  json::append_string(out, function);
  out += fmt::format(R"(,"kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":[)",
                     kind, unix_ns(trace.begun), unix_ns(trace.ended));
  append_attribute(out, "faas.name", function);
  append_attribute(out, "faas.invocation_id", report.instance);
  append_attribute(out, "unum.session", report.session);
  append_attribute(out, "unum.status", to_string(report.status));
  append_number(out, "unum.attempt", static_cast<std::uint64_t>(std::max(report.attempt, 0)));
  append_number(out, "unum.invocations", report.invocations);
  append_number(out, "unum.result.size", report.result_bytes);
  if (report.adopted) append_attribute(out, "unum.adopted", "true");
  if (!report.error.empty()) append_attribute(out, "error.type", report.error);
  out += "],\"links\":[";
  for (const std::string& link : trace.links) {
    if (out.ends_with('}')) out += ',';
    out += fmt::format(R"({{"traceId":"{}","spanId":"{}"}})", trace.trace_id, link);
  }
  out += "],\"status\":{";
  if (!report.error.empty()) {
    out += "\"code\":2,\"message\":";
    json::append_string(out, report.error);
  }
  out += "}}";
}

}  // namespace

std::optional<TraceSettings> trace_settings(const Environment& environment,
                                            std::string_view application) {
  if (is_true(environment("OTEL_SDK_DISABLED"))) return std::nullopt;
  if (environment("OTEL_TRACES_EXPORTER").value_or("otlp") != "otlp") return std::nullopt;
  TraceSettings settings;
  if (!take_endpoint(environment, settings)) return std::nullopt;
  // A server that takes Protobuf takes JSON, too.
  const std::string protocol = of_exporter(environment, "PROTOCOL").value_or("http/json");
  if (!protocol.starts_with("http/")) {
    log::warn(LogArea::host,
              "nothing is traced: OTEL_EXPORTER_OTLP_PROTOCOL is \"{}\", and OTLP is "
              "spoken over HTTP here (http/json)",
              protocol);
    return std::nullopt;
  }
  if (!take_sampler(environment, settings)) return std::nullopt;
  for (const auto& [name, value] : pairs_of(of_exporter(environment, "HEADERS").value_or(""))) {
    settings.headers.push_back(fmt::format("{}: {}", name, value));
  }
  settings.certificate = of_exporter(environment, "CERTIFICATE").value_or("");
  const std::string compression = of_exporter(environment, "COMPRESSION").value_or("none");
  settings.gzip = compression == "gzip";
  if (!settings.gzip && compression != "none") {
    complain("OTEL_EXPORTER_OTLP_COMPRESSION", compression, "gzip or none");
  }
  if (const std::optional<std::string> text = of_exporter(environment, "TIMEOUT")) {
    long long ms = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), ms);
    if (error == std::errc() && end == text->data() + text->size() && ms > 0 && ms <= 3'600'000) {
      settings.timeout = milliseconds(ms);
    } else {
      complain("OTEL_EXPORTER_OTLP_TIMEOUT", *text, "a number of milliseconds, up to an hour");
    }
  }
  take_resource(environment, application, settings);
  return settings;
}

TraceExporter::TraceExporter(Reactor& reactor, TraceSettings settings)
    : reactor_(reactor), settings_(std::move(settings)), http_(reactor, [&] {
        http::ClientOptions options;
        options.connections_per_origin_max = 4;
        options.ca_bundle = settings_.certificate;
        return options;
      }()) {}

TraceExporter::~TraceExporter() = default;

void TraceExporter::add(std::string_view function, const StepReport& report) {
  if (!report.trace) return;
  if (kept_.count + under_way_ >= kSpansMax) {
    Batch one;
    one.count = 1;
    drop(one, "more than " + std::to_string(kSpansMax) + " wait to be sent");
    return;
  }
  if (kept_.count > 0) kept_.spans += ',';
  append_span(kept_.spans, function, report);
  if (++kept_.count >= kBatch) {
    sending_.spawn(send(std::exchange(kept_, {})));
  } else if (later_.running() == 0) {
    later_.spawn(send_later());
  }
}

Task<void> TraceExporter::send_later() {
  const bool is_due = co_await reactor_.sleep_until(reactor_.now() + kDelay, closing_.token());
  if (is_due && kept_.count > 0) sending_.spawn(send(std::exchange(kept_, {})));
}

std::string TraceExporter::request_of(const Batch& batch) const {
  std::string out = R"({"resourceSpans":[{"resource":{"attributes":[)";
  for (const auto& [name, value] : settings_.attributes) append_attribute(out, name, value);
  out += R"(]},"scopeSpans":[{"scope":{"name":"unum","version":")";
  out.append(build::kVersion).append("\"},\"spans\":[").append(batch.spans);
  return out + "]}]}]}";
}

Task<void> TraceExporter::send(Batch batch) {
  under_way_ += batch.count;
  std::string why;
  bool is_sent = false;
  try {
    std::vector<std::string> headers = settings_.headers;
    headers.emplace_back("Content-Type: application/json");
    std::string body = request_of(batch);
    if (settings_.gzip) {
      if (std::optional<std::string> packed = gzipped(body)) {
        body = std::move(*packed);
        headers.emplace_back("Content-Encoding: gzip");
      }
    }
    const Wait wait{reactor_.now() + settings_.timeout, stop_->token()};
    for (unsigned failures = 0; !is_sent; ++failures) {
      milliseconds asked{0};
      is_sent = co_await send_once(body, headers, wait, asked);
      if (is_sent) break;
      const Clock::duration pause = kBackoff.pause(failures, reactor_.random_fraction()) + asked;
      const bool waited =
          co_await reactor_.sleep_until(std::min(reactor_.now() + pause, wait.deadline), wait.stop);
      if (!waited || reactor_.now() >= wait.deadline) {
        why = "the collector did not take them in time";
        break;
      }
    }
  } catch (const Error& error) {
    why = error.message();
  } catch (const std::exception& error) {
    why = error.what();
  }
  under_way_ -= batch.count;
  if (is_sent) {
    sent_ += batch.count;
  } else {
    drop(batch, why);
  }
  ended_.wake_all();
}

/// What a collector says that took some and not others.
void TraceExporter::tell_rejected(std::string_view answer) {
  try {
    const json::View view = json::validate(answer, "the collector's answer");
    const bool is_object = json::type_of(view) == json::Type::object;
    const auto partial = is_object ? json::member(view, "partialSuccess") : std::nullopt;
    if (!partial || json::type_of(*partial) != json::Type::object) return;
    const auto rejected = json::member(*partial, "rejectedSpans");
    if (!rejected || rejected->text() == "0" || rejected->text() == "\"0\"") return;
    const auto message = json::member(*partial, "errorMessage");
    log::warn(LogArea::host, "the collector rejected {} spans: {}", rejected->text(),
              message ? message->text() : "it does not say why");
  } catch (const Error&) {
    // An answer that is no JSON says nothing of spans.
  }
}

/// True if they are there; false: to be sent again. Throws where that is of no use.
Task<bool> TraceExporter::send_once(std::string_view body, std::span<const std::string> headers,
                                    Wait wait, milliseconds& pause) {
  http::Request request;
  request.method = http::Method::post;
  request.origin = settings_.origin;
  request.target = settings_.target;
  request.headers = headers;
  request.body = body;
  request.body_bytes_max = kAnswerBytesMax;
  std::optional<http::Response> response;
  try {
    response = co_await http_.send(std::move(request), wait);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::disconnected) throw;
  }
  if (!response) co_return false;
  if (comes_again(response->status)) {
    long seconds = 0;
    const std::string_view text = response->header("retry-after");
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    pause = std::chrono::seconds(std::clamp(seconds, 0L, 3600L));
    co_return false;
  }
  if (response->status < 200 || response->status > 299) {
    throw Error(ErrorKind::invalid, "host", std::to_string(response->status),
                fmt::format("{}{} answered with status {}", settings_.origin, settings_.target,
                            response->status));
  }
  tell_rejected(response->body);
  co_return true;
}

void TraceExporter::drop(const Batch& batch, std::string_view why) {
  dropped_ += batch.count;
  if (std::exchange(told_, true)) return;
  log::warn(LogArea::host, "{} spans were dropped, and more may be: {}", batch.count, why);
}

Task<void> TraceExporter::flush(milliseconds budget) {
  if (kept_.count > 0) sending_.spawn(send(std::exchange(kept_, {})));
  const Deadline until = reactor_.now() + budget;
  while (sending_.running() > 0 && reactor_.now() < until) {
    co_await ended_.wait(reactor_, Wait{until, {}});
  }
  if (sending_.running() == 0) co_return;
  stop_->request("the time for traces is over");
  co_await sending_.drain();
  stop_.emplace();
}

Task<void> TraceExporter::close() {
  closing_.request("the last spans are sent");
  co_await later_.drain();
  co_await flush(settings_.timeout);
  co_await http_.close();
}

}  // namespace unum
