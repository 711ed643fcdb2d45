// What is sent and what comes back: methods, headers, bodies, kept connections.
#include <string>
#include <vector>

#include "http_server.hpp"

using namespace unum;
using namespace unum::test;
using http::Method;

TEST_CASE("a request goes out as it was asked for, and the response comes back", "[http]") {
  ON_EACH_PORT(reactor);
  std::string seen;
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      seen = *request;
      co_await peer.answer("404 Not Found", "no such key", "ETag:  \"x\" \r\nx-id: 7\r\n");
    }
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const std::vector<std::string> headers{"x-amz-date: 20261125T000000Z"};
    const http::Request request{.origin = server.origin(),
                                .target = "/bucket/a%20b/../c?list-type=2&x=%2F",
                                .headers = headers};
    const http::Response response = co_await client.send(request);
    CHECK(response.status == 404);
    CHECK(response.body == "no such key");
    CHECK(response.body_bytes == 11);
    CHECK(response.body.capacity() >= response.body.size() + 64);
    CHECK(response.header("etag") == "\"x\"");
    CHECK(response.header("X-ID") == "7");
    CHECK(response.header("x-i").empty());
    CHECK(!response.sent_again);
    CHECK(seen == "GET /bucket/a%20b/../c?list-type=2&x=%2F HTTP/1.1\r\nHost: 127.0.0.1:" +
                      std::to_string(server.port()) + "\r\n" + headers[0] + "\r\n\r\n");
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("each method with its body, one after another on one connection", "[http]") {
  ON_EACH_PORT(reactor);
  std::string seen;
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      seen = *request;
      const bool head = seen.starts_with("HEAD");
      if (head) {
        co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
      } else {
        co_await peer.answer("200 OK", "fine");
      }
    }
  });
  http::Client client(reactor);
  const std::string large(300'000, 'l');
  const auto body = [&]() -> Task<void> {
    const struct {
      Method method;
      std::string_view body;
    } all[] = {{Method::get, ""},       {Method::put, "value"}, {Method::put, ""},
               {Method::head, ""},      {Method::post, "{}"},   {Method::post, ""},
               {Method::del, ""},       {Method::get, ""},      {Method::put, large},
               {Method::head, ""},      {Method::get, ""},      {Method::del, ""},
               {Method::post, "again"}, {Method::head, ""},     {Method::put, "\0x"}};
    for (const auto& each : all) {
      const http::Request request{
          .method = each.method, .origin = server.origin(), .target = "/", .body = each.body};
      const http::Response response = co_await client.send(request);
      CAPTURE(to_string(each.method), each.body.size());
      CHECK(response.status == 200);
      CHECK(response.body == (each.method == Method::head ? "" : "fine"));
      CHECK(first_line(seen) == std::string(to_string(each.method)) + " / HTTP/1.1");
      CHECK(body_of(seen) == each.body);
      const bool has_length = each.method == Method::put || each.method == Method::post;
      CHECK(header_of(seen, "content-length") ==
            (has_length ? std::to_string(each.body.size()) : ""));
      CHECK(header_of(seen, "content-type").empty());
      CHECK(header_of(seen, "expect").empty());
      CHECK(header_of(seen, "accept").empty());
      if (each.method == Method::head) CHECK(response.header("content-length") == "5000");
    }
    CHECK(server.accepted() == 1);
    CHECK(client.counters().connections == 1);
    CHECK(client.counters().requests == std::size(all));
  };
  with_client(reactor, client, server, body);
}
