// What the DynamoDB store adds to libcurl: processor time of reading 1,000 values in 10 batches at
// once, beside a bare loop that sends the same requests and drops what comes, and beside one that
// also has simdjson's on-demand parser read the names and values in each response, and keeps
// nothing of them: neither signs, checks, finds out which value is whose, nor hands one out.
//
// UNUM_TEST_DYNAMODB names the server; without it there is nothing to measure (exit code 77). The
// bare loop's requests bear an authorization that is not checked by DynamoDB Local.
#include <curl/curl.h>
#include <simdjson.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "ratio.hpp"
#include "stores/dynamodb/key.hpp"
#include "stores/dynamodb/request.hpp"
#include "unum/store.hpp"
#include "unum/task_group.hpp"

namespace {

using namespace unum;
using namespace unum::bench;

constexpr std::size_t kBatch = 100;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s failed\n", what);
  std::exit(1);
}

/// libcurl's multi interface with one handle a batch, kept with its connection.
class BareLoop {
 public:
  BareLoop(const std::string& url, std::vector<std::string> bodies)
      : multi_(curl_multi_init()), bodies_(std::move(bodies)) {
    for (const char* line :
         {"Content-Type: application/x-amz-json-1.0",
          "X-Amz-Target: DynamoDB_20120810.BatchGetItem", "X-Amz-Date: 20260101T000000Z", "Accept:",
          "Authorization: AWS4-HMAC-SHA256 Credential=unumtest/20260101/us-east-1/dynamodb/"
          "aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, "
          "Signature=0000000000000000000000000000000000000000000000000000000000000000"}) {
      headers_ = curl_slist_append(headers_, line);
    }
    responses_.resize(bodies_.size());
    for (const std::string& body : bodies_) {
      CURL* easy = curl_easy_init();
      curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.c_str());
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_bytes);
      curl_easy_setopt(easy, CURLOPT_WRITEDATA, &responses_[handles_.size()]);
      handles_.push_back(easy);
    }
  }
  ~BareLoop() {
    for (CURL* easy : handles_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }
  BareLoop(const BareLoop&) = delete;
  BareLoop& operator=(const BareLoop&) = delete;

  /// `parse`: the responses are kept until they are whole, and parsed; else they are dropped.
  void read_all(bool parse) {
    for (Response& response : responses_) {
      response.text.clear();
      response.bytes = 0;
      response.keep = parse;
    }
    for (CURL* easy : handles_) curl_multi_add_handle(multi_, easy);
    int running = 1;
    while (running > 0) {
      must(curl_multi_perform(multi_, &running) == CURLM_OK, "curl_multi_perform");
      if (running > 0) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
    for (std::size_t i = 0; i < handles_.size(); ++i) {
      long status = 0;
      curl_easy_getinfo(handles_[i], CURLINFO_RESPONSE_CODE, &status);
      must(status == 200, "a request of the bare loop");
      curl_multi_remove_handle(multi_, handles_[i]);
      must(responses_[i].bytes > 0, "the bare loop's read");
      if (parse) must(is_response(responses_[i].text), "the bare loop's parser");
    }
  }

 private:
  struct Response {
    std::string text;
    std::size_t bytes = 0;
    bool keep = false;
  };

  /// Whether each item has a name and a value.
  bool is_response(std::string& text) {
    text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    std::size_t items = 0;
    std::size_t bytes = 0;
    simdjson::ondemand::document document =
        parser_.iterate(text.data(), text.size(), text.capacity());
    for (simdjson::ondemand::field table : document["Responses"].get_object()) {
      for (simdjson::ondemand::object item : table.value().get_array()) {
        for (simdjson::ondemand::field attribute : item) {
          for (simdjson::ondemand::field typed : attribute.value().get_object()) {
            const std::string_view string = typed.value().get_string();
            bytes += string.size();
          }
        }
        ++items;
      }
    }
    return items > 0 && bytes > items;
  }
  static std::size_t on_bytes(char* bytes, std::size_t size, std::size_t count, void* into) {
    auto& response = *static_cast<Response*>(into);
    response.bytes += size * count;
    if (response.keep) response.text.append(bytes, size * count);
    return size * count;
  }

  CURLM* multi_;
  const std::vector<std::string> bodies_;
  curl_slist* headers_ = nullptr;
  std::vector<CURL*> handles_;
  std::vector<Response> responses_;
  simdjson::ondemand::parser parser_;
};

/// A table with values of one size, and the ways to read them.
class Subject {
 public:
  Subject(std::size_t value_bytes, std::size_t count) : context_(open(value_bytes, count)) {
    std::vector<std::string> bodies;
    std::vector<std::string> keys;
    for (const Pointer& pointer : pointers_) {
      keys.push_back(dynamodb::item_key(context_.session(), {pointer.name(), ItemKind::outcome}));
    }
    for (std::size_t begin = 0; begin < count; begin += kBatch) {
      const std::size_t end = std::min(count, begin + kBatch);
      const std::vector<std::string_view> batch(keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                                keys.begin() + static_cast<std::ptrdiff_t>(end));
      bodies.push_back(
          dynamodb::batch_get_body(store_->name(), batch, dynamodb::Projection::values, true));
    }
    bare_ = std::make_unique<BareLoop>(std::getenv("UNUM_TEST_DYNAMODB"), std::move(bodies));
  }
  ~Subject() { reactor_.run(store_->close()); }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  void ours() {
    const std::vector<std::string> values = reactor_.run(read_input(*store_, context_, pointers_));
    must(values.size() == pointers_.size(), "a read of ours");
  }
  void bare(bool parse) { bare_->read_all(parse); }

 private:
  SessionContext open(std::size_t value_bytes, std::size_t count) {
    const std::string table =
        "bench-" + std::to_string(::getpid()) + "-" + std::to_string(value_bytes);
    reactor_.run(create_store(reactor_, "dynamodb", table));
    store_ = reactor_.run(open_store(reactor_, "dynamodb", table));
    const SessionContext context = create_session_context(*store_);
    const std::string value(value_bytes, 'v');
    const auto write = [&](std::size_t i) -> Task<void> {
      const std::string name = "F-unumIndex-" + std::to_string(i);
      co_await write_return_value(*store_, context.bound_to(name), value);
      pointers_.push_back(pointer(context, name));
    };
    reactor_.run(for_each_bounded(count, 16, write));
    return context;
  }

  Reactor reactor_;
  std::unique_ptr<Store> store_;
  std::vector<Pointer> pointers_;
  SessionContext context_;
  std::unique_ptr<BareLoop> bare_;
};

/// Emptied before main ends: a reactor's memory pools belong to a thread that still runs.
std::vector<std::unique_ptr<Subject>>& subjects() {
  static std::vector<std::unique_ptr<Subject>> all;
  return all;
}

void register_all() {
  const std::size_t count = size(1'000, 200);
  for (const std::size_t bytes : {100u, 1'024u}) {
    subjects().push_back(std::make_unique<Subject>(bytes, count));
    Subject* const subject = subjects().back().get();
    for (const bool parse : {false, true}) {
      compare(
          "1,000 values of " + std::to_string(bytes) + " bytes",
          parse ? "bare libcurl and a parser" : "bare libcurl", parse ? 1.2 : 1.5, 1, 25,
          [subject] { subject->ours(); }, [subject, parse] { subject->bare(parse); }, {},
          cpu_seconds_of);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* endpoint = std::getenv("UNUM_TEST_DYNAMODB");
  if (endpoint == nullptr) {
    std::puts("UNUM_TEST_DYNAMODB names no server");
    return 77;
  }
  ::setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint, 1);
  ::setenv("AWS_ACCESS_KEY_ID", "unumtest", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "unum-test-secret", 1);
  ::setenv("AWS_REGION", "us-east-1", 1);
  const int result = run_all(argc, argv, register_all);
  subjects().clear();
  return result;
}
