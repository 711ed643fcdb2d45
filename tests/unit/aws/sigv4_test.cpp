// Signatures, held to the vectors that AWS publishes and to the examples of S3's documentation.
#include "aws/sigv4.hpp"

#include "base/json.hpp"
#include "catch.hpp"
#include "support/fixtures.hpp"

using namespace unum;
using namespace unum::aws;
using unum::test::fixture;

namespace {

/// A request as the vectors write it: first line, header lines (continued ones, too), body.
struct RawRequest {
  std::string method;
  std::string host;
  std::string path;
  std::string query;
  std::vector<std::string> headers;
  std::string body;
};

/// The query with its raw bytes encoded, as a caller has to.
std::string encoded_query(std::string_view query) {
  std::string encoded;
  for (const char c : query) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      append_uri_encoded(encoded, std::string_view(&c, 1));
    } else {
      encoded += c;
    }
  }
  return encoded;
}

RawRequest parse_request(std::string_view text) {
  RawRequest request;
  std::string head(text);
  if (const std::size_t blank = text.find("\n\n"); blank != std::string_view::npos) {
    head = text.substr(0, blank);
    request.body = text.substr(blank + 2);
  }
  std::istringstream lines(head);
  std::string line;
  std::getline(lines, line);
  request.method = line.substr(0, line.find(' '));
  const std::size_t version = line.rfind(' ');
  const std::string target =
      line.substr(request.method.size() + 1, version - request.method.size() - 1);
  request.path = target.substr(0, target.find('?'));
  if (request.path.size() < target.size()) {
    request.query = encoded_query(target.substr(request.path.size() + 1));
  }
  while (std::getline(lines, line)) {
    if (line.empty()) continue;
    if (line.front() == ' ' || line.front() == '\t') {
      request.headers.back() += "\n" + line;
      continue;
    }
    std::string name = line.substr(0, line.find(':'));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name == "host") {
      request.host = line.substr(name.size() + 1);
    } else if (name != "x-amz-date") {
      request.headers.push_back(name + line.substr(name.size()));
    }
  }
  return request;
}

std::string text_of(json::View object, std::string_view key) {
  const auto value = json::member(object, key);
  return value ? json::string_value(*value) : std::string();
}

bool is_true(json::View object, std::string_view key) {
  return json::member(object, key) == std::string_view("true");
}

/// "2015-08-30T12:36:00Z" or "20210511T154045Z".
WallTime wall_time(std::string text) {
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  const auto number = [&](std::size_t at, std::size_t n) { return std::stoi(text.substr(at, n)); };
  return std::chrono::sys_days(std::chrono::year(number(0, 4)) / number(4, 2) / number(6, 2)) +
         std::chrono::hours(number(9, 2)) + std::chrono::minutes(number(11, 2)) +
         std::chrono::seconds(number(13, 2));
}

std::string signature_in(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  return at == std::string_view::npos ? "" : std::string(text.substr(at + label.size(), 64));
}

/// One vector in one of its two forms. Returns how many of its expectations were looked at.
std::size_t check_vector(json::View vector, const std::string& form) {
  const RawRequest raw = parse_request(text_of(vector, "request"));
  const json::View none = json::View::trusted("{}");
  const json::View context = json::member(vector, "context").value_or(none);
  const json::View keys = json::member(context, "credentials").value_or(none);
  Credentials credentials{text_of(keys, "access_key_id"),
                          text_of(keys, "secret_access_key"),
                          text_of(keys, "token"),
                          {},
                          {}};
  std::string time = text_of(context, "timestamp");
  if (time.empty()) time = "20210511T154045Z";  // of the two old cases, which have no context

  SigningRules rules;
  const bool has_context = context != none;
  rules.normalize_path = !has_context || is_true(context, "normalize");
  // One vector writes its path as it is sent and expects it to be signed like that; the others
  // write it plain, and the two old ones are about encoding it twice.
  rules.encode_path_again = !has_context || raw.path.find('%') == std::string::npos;
  rules.sign_session_token = !is_true(context, "omit_session_token");
  rules.payload_hash_header = form == "header" && is_true(context, "sign_body");
  Signer signer(has_context ? text_of(context, "region") : "us-east-1",
                has_context ? text_of(context, "service") : "service", rules);
  const RequestToSign request{.method = raw.method,
                              .host = raw.host,
                              .path = raw.path,
                              .query = raw.query,
                              .headers = raw.headers,
                              .body = raw.body};
  std::string signature;
  if (form == "header") {
    std::vector<std::string> lines{"left: alone"};
    const std::size_t count = signer.sign_headers(request, credentials, wall_time(time), lines, 1);
    CHECK(lines.front() == "left: alone");
    REQUIRE(count <= lines.size());
    signature = signature_in(lines[count - 1], "Signature=");
  } else {
    std::string target;
    const auto lifetime = json::member(context, "expiration_in_seconds");
    signer.sign_query(request, credentials, wall_time(time),
                      std::chrono::seconds(lifetime ? std::stol(std::string(*lifetime)) : 3600),
                      target);
    signature = signature_in(target, "&X-Amz-Signature=");
  }
  std::size_t looked_at = 0;
  const auto expect = [&](const std::string& what, std::string_view actual) {
    const auto expected = json::member(vector, form + "-" + what);
    if (!expected) return;
    ++looked_at;
    CHECK(actual == json::string_value(*expected));
  };
  expect("canonical-request", signer.canonical_request());
  if (has_context) expect("string-to-sign", signer.string_to_sign());
  expect("signature", signature);
  return looked_at;
}

}  // namespace

TEST_CASE("signatures are those of the published vectors", "[sigv4]") {
  const std::string text = fixture("sigv4/vectors.json");
  const json::View all = json::validate(text, "vectors");
  std::size_t vectors = 0;
  std::size_t looked_at = 0;
  for (const json::View vector : json::elements(all)) {
    ++vectors;
    for (const char* form : {"header", "query"}) {
      INFO(text_of(vector, "name") << ", " << form);
      looked_at += check_vector(vector, form);
    }
  }
  CHECK(vectors == 40);
  CHECK(looked_at >= 38 * 6);
}

TEST_CASE("signatures are those of the examples in S3's documentation", "[sigv4]") {
  const std::string text = fixture("sigv4/s3-examples.json");
  const json::View all = json::validate(text, "examples");
  const Credentials credentials{
      "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", {}, {}};
  Signer signer("us-east-1", "s3");
  const WallTime now = wall_time("20130524T000000Z");
  std::size_t examples = 0;
  for (const json::View example : json::elements(all)) {
    ++examples;
    INFO(text_of(example, "name"));
    const std::string method = text_of(example, "method");
    const std::string host = text_of(example, "host");
    const std::string path = text_of(example, "path");
    const std::string query = text_of(example, "query");
    const std::string body = text_of(example, "body");
    std::vector<std::string> headers;
    for (const json::View header : json::elements(*json::member(example, "headers"))) {
      headers.push_back(json::string_value(header));
    }
    const bool in_query = text_of(example, "place") == "query";
    const RequestToSign request{.method = method,
                                .host = host,
                                .path = path,
                                .query = query,
                                .headers = headers,
                                .body = body,
                                .unsigned_payload = in_query};
    std::string signature;
    if (in_query) {
      std::string target;
      signer.sign_query(request, credentials, now, std::chrono::seconds(86400), target);
      signature = signature_in(target, "&X-Amz-Signature=");
    } else {
      std::vector<std::string> lines;
      const std::size_t count = signer.sign_headers(request, credentials, now, lines, 0);
      signature = signature_in(lines[count - 1], "Signature=");
    }
    CHECK(signature == text_of(example, "signature"));
  }
  CHECK(examples == 5);
}

TEST_CASE("S3's names are signed as they are sent, others' paths are resolved", "[sigv4]") {
  const Credentials credentials{"AKID", "secret", "", {}, {}};
  const RequestToSign request{.method = "GET",
                              .host = "h",
                              .path = "/a//b/../%20c",
                              .query = {},
                              .headers = {},
                              .body = {}};
  std::string target;
  Signer s3("us-east-1", "s3");
  s3.sign_query(request, credentials, WallTime{}, std::chrono::seconds(60), target);
  CHECK(s3.canonical_request().starts_with("GET\n/a//b/../%20c\n"));
  CHECK(target.starts_with("/a//b/../%20c?X-Amz-Algorithm=AWS4-HMAC-SHA256&"));
  Signer lambda("us-east-1", "lambda");
  std::vector<std::string> lines;
  lambda.sign_headers(request, credentials, WallTime{}, lines, 0);
  CHECK(lambda.canonical_request().starts_with("GET\n/a/%2520c\n"));
}

TEST_CASE("the key follows the day, the keys and the token", "[sigv4]") {
  const RequestToSign request{
      .method = "GET", .host = "h", .path = "/", .query = {}, .headers = {}, .body = {}};
  Credentials credentials{"AKID", "secret", "", {}, {}};
  Signer signer("us-east-1", "s3");
  const WallTime day = wall_time("20260101T235959Z");
  // What a signer that has signed other things says is what a new one says.
  const auto both = [&](WallTime now) {
    std::string kept;
    std::string fresh;
    signer.sign_query(request, credentials, now, std::chrono::seconds(60), kept);
    Signer("us-east-1", "s3")
        .sign_query(request, credentials, now, std::chrono::seconds(60), fresh);
    CHECK(kept == fresh);
    return kept;
  };
  const std::string first = both(day);
  CHECK(both(day) == first);
  CHECK(both(day + std::chrono::seconds(1)) != first);  // another day
  credentials.secret_access_key = "another";
  CHECK(both(day) != first);
  credentials.session_token = "to/ken=";
  CHECK(both(day).find("X-Amz-Security-Token=to%2Fken%3D") != std::string::npos);
  credentials.access_key_id = "AKID2";
  CHECK(both(day).find("X-Amz-Credential=AKID2%2F20260101%2F") != std::string::npos);
}

TEST_CASE("a query of the caller stands in the signed target in canonical order", "[sigv4]") {
  const Credentials credentials{"AKID", "secret", "", {}, {}};
  const RequestToSign request{.method = "GET",
                              .host = "h",
                              .path = "/b",
                              .query = "prefix=a%2Fb&list-type=2&Alpha=1&empty",
                              .headers = {},
                              .body = {}};
  Signer signer("us-east-1", "s3");
  std::string target;
  signer.sign_query(request, credentials, WallTime{}, std::chrono::seconds(60), target);
  CHECK(target.starts_with("/b?Alpha=1&X-Amz-Algorithm="));
  CHECK(target.find("&X-Amz-SignedHeaders=host&empty=&list-type=2&prefix=a%2Fb&X-Amz-Signature=") !=
        std::string::npos);
}
