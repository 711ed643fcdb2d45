// What is read of a Redis server and of its address: parsing only, no I/O.
#include <sys/resource.h>

#include <algorithm>

#include "catch.hpp"
#include "reactor/redis/address.hpp"
#include "reactor/redis/reply.hpp"
#include "reactor/redis/slots.hpp"
#include "support/reply_parser.hpp"
#include "support/scripted_redis.hpp"
#include "unum/error.hpp"

using namespace unum;
using namespace unum::redis;
using unum::test::bulk;
using unum::test::ReplyParser;

namespace {

std::string refusal_of(std::string_view text) {
  try {
    parse_address(text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid);
    CHECK(error.origin() == "stores");
    return error.message();
  }
  FAIL("accepted: " << text);
  return {};
}

/// Feeds the parser the bytes and then what a server could go on with, until it refuses them; how
/// many bytes that took.
std::size_t bytes_until_refused(std::string bytes, const ReplyBounds& bounds) {
  constexpr std::size_t kEnough = 256u * 1024 * 1024;
  ReplyParser parser;
  std::size_t fed = 0;
  try {
    while (fed < kEnough) {
      bytes.resize(std::max(bytes.size(), ReplyParser::kPieceBytes), '1');
      for (std::string_view rest = bytes; !rest.empty();) {
        const std::string_view piece = rest.substr(0, ReplyParser::kPieceBytes);
        parser.feed(piece);
        fed += piece.size();
        rest.remove_prefix(piece.size());
        while (parser.next(bounds)) {
        }
      }
      bytes.clear();
    }
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::corrupt);
    return fed;
  }
  FAIL("accepted");
  return fed;
}

/// The most memory that this process ever had.
std::size_t peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss);
}

/// All replies in the bytes, handed over in pieces of a size.
std::vector<Reply> parse_all(std::string_view bytes, std::size_t piece) {
  ReplyParser parser;
  std::vector<Reply> replies;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    parser.feed(part);
    bytes.remove_prefix(part.size());
    while (std::optional<Reply> reply = parser.next()) replies.push_back(std::move(*reply));
  }
  return replies;
}

}  // namespace

TEST_CASE("an address of a Redis server is read in all its forms", "[redis]") {
  CHECK(parse_address("cache").endpoint() == "cache:6379");
  CHECK(parse_address("cache:7000").port == 7000);
  CHECK(parse_address("[::1]:7000").endpoint() == "[::1]:7000");
  CHECK(parse_address("[::1]").host == "::1");
  CHECK(parse_address("127.0.0.1?db=3").database == 3);
  CHECK_FALSE(parse_address("redis://cache").tls);
  const Address full = parse_address("rediss://al%40ice:p%3Aw%2F@cache.example:7001/12?ca=/ca.pem");
  CHECK(full.tls);
  CHECK(full.host == "cache.example");
  CHECK(full.port == 7001);
  CHECK(full.username == "al@ice");
  CHECK(full.password == "p:w/");
  CHECK(full.database == 12);
  CHECK(full.ca_file == "/ca.pem");
  CHECK(parse_address("redis://:secret@cache").username.empty());
  CHECK(parse_address("redis://:secret@cache").password == "secret");
  CHECK(parse_address("redis://:a?b@cache").password == "a?b");
  CHECK(parse_address("unix:/run/redis.sock?db=1").unix_path == "/run/redis.sock");
  CHECK(parse_address("unix:///run/redis.sock").unix_path == "/run/redis.sock");
}

TEST_CASE("what is no address of a Redis server is refused, without its secret", "[redis]") {
  for (const char* text :
       {"", ":6379", "cache:0", "cache:65536", "cache:x", "cache:", "http://cache", "redis://",
        "[::1", "[::1]x", "unix:relative", "cache?db=x", "cache?speed=1", "redis://cache/x",
        "user@cache", "a b", "redis+tls://cache", "redis://%zz:x@cache", "redis://a%4:x@cache"}) {
    INFO(text);
    CHECK(refusal_of(text).find("is no address of a Redis server") != std::string::npos);
  }
}

TEST_CASE("no damage to an address brings its password into the refusal (found 13)", "[redis]") {
  for (const char* text : {"redis://al:topsecret@cache:x",
                           "redis://:topsecret@cache?x=y",
                           "redis://topsecret@cache",
                           "redis://al:topsecret?@cache?speed=1",
                           "redis://al:topsecret",
                           "redis://al:topsecret%40cache",
                           "redis://:topsecret",
                           "redis:/al:topsecret@cache",
                           "al:topsecret@cache",
                           "topsecret@cache",
                           "redis://al:topsecret@",
                           "redis://al:top@topsecret@cache:x",
                           "redis://al:topsecret/@cache:x",
                           "redis://cache/topsecret",
                           "redis://cache?topsecret",
                           "redis://cache?password=topsecret",
                           "redis://cache?db=topsecret",
                           "redis://cache#topsecret",
                           "al:topsecret://cache",
                           "http://al:topsecret@cache",
                           "redis://a:x,b:topsecret",
                           "redis://al:topsecret cache",
                           "redis-sentinel://al:topsecret@cache",
                           "redis://[::1]:topsecret",
                           "redis://[topsecret",
                           "//al:topsecret@cache:x",
                           "redis://al:topsecret%zz@cache",
                           "unix:topsecret"}) {
    INFO(text);
    CHECK(refusal_of(text).find("topsecret") == std::string::npos);
  }
  CHECK(without_secret("redis://al:topsecret@cache") == "redis://al:***@cache");
  CHECK(without_secret("redis://al:topsecret@a:1,b:2/3?ca=/f") == "redis://al:***@a:1,b:2/3?ca=/f");
  CHECK(without_secret("//al:topsecret@cache") == "redis://al:***@cache");
  for (const char* text : {"cache:6379", "a:1,b:2", "[::1]:7000", "redis://cache/3?db=4",
                           "unix:/run/a@b.sock?db=1", "rediss://cache?ca=/ca.pem"}) {
    CHECK(without_secret(text) == text);
  }
  const Address again = parse_address(without_password("rediss://al:topsecret@cache:7/2?ca=/f"));
  CHECK(again.username == "al");
  CHECK(again.password.empty());
  CHECK(again.endpoint() == "cache:7");
  CHECK((again.database == 2 && again.ca_file == "/f" && again.tls));
}

TEST_CASE("several servers of a cluster are named with commas between them (found 14)", "[redis]") {
  const std::vector<Address> named =
      parse_addresses("rediss://al:a,b@one:7001,[::1]:7002,three/0?ca=/f");
  REQUIRE(named.size() == 3);
  CHECK(named[0].endpoint() == "one:7001");
  CHECK(named[1].endpoint() == "[::1]:7002");
  CHECK(named[2].endpoint() == "three:6379");
  for (const Address& address : named)
    CHECK((address.tls && address.password == "a,b" && address.ca_file == "/f"));
  CHECK(parse_addresses("one:1,two:2").size() == 2);
  for (const char* text : {"one,", ",one", "one,,two", "one,two:x"}) {
    INFO(text);
    CHECK(refusal_of(text).find("is no address of a Redis server") != std::string::npos);
  }
}

TEST_CASE("user and password come from the environment where the address has none", "[redis]") {
  ::setenv("UNUM_REDIS_USERNAME", "alice", 1);
  ::setenv("UNUM_REDIS_PASSWORD", "from outside", 1);
  Address bare = parse_address("cache");
  add_environment(bare);
  Address own = parse_address("redis://bob:own@cache");
  add_environment(own);
  ::unsetenv("UNUM_REDIS_USERNAME");
  ::unsetenv("UNUM_REDIS_PASSWORD");
  CHECK(bare.username == "alice");
  CHECK(bare.password == "from outside");
  CHECK(own.username == "bob");
  CHECK(own.password == "own");
}

TEST_CASE("replies are read in whatever pieces they come", "[redis]") {
  const std::string bytes =
      "+OK\r\n:-42\r\n$-1\r\n$0\r\n\r\n$5\r\na\r\nbc\r\n-ERR no\r\n*0\r\n*-1\r\n"
      "*3\r\n$1\r\nx\r\n*2\r\n:1\r\n$-1\r\n+S\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const std::vector<Reply> replies = parse_all(bytes, piece);
    REQUIRE(replies.size() == 9);
    CHECK(replies[0].text == "OK");
    CHECK(replies[1].integer == -42);
    CHECK(replies[2].is_nil());
    CHECK((replies[3].type == Reply::Type::string && replies[3].text.empty()));
    CHECK(replies[4].text == "a\r\nbc");
    CHECK(replies[4].text.capacity() >= 5 + 64);
    CHECK((replies[5].is_error() && replies[5].error_code() == "ERR"));
    CHECK((replies[6].type == Reply::Type::array && replies[6].elements.empty()));
    CHECK(replies[7].is_nil());
    const std::vector<Reply>& nested = replies[8].elements;
    REQUIRE(nested.size() == 3);
    CHECK(nested[0].text == "x");
    REQUIRE(nested[1].elements.size() == 2);
    CHECK(nested[1].elements[0].integer == 1);
    CHECK(nested[1].elements[1].is_nil());
    CHECK((nested[2].type == Reply::Type::status && nested[2].text == "S"));
  }
}

TEST_CASE("what is no reply is found", "[redis]") {
  for (const char* bytes : {"HTTP/1.1 400 Bad Request\r\n", "$x\r\n", "*-7\r\n", "\r\n\r\n"}) {
    INFO(bytes);
    CHECK_THROWS_AS(parse_all(bytes, 64), Error);
  }
}

TEST_CASE("a reply that announces more than it may have is refused at once (found 21)", "[redis]") {
  const std::string nested = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n";
  for (const std::string& head :
       {std::string("$1900000000\r\n"), std::string("$9223372036854775807\r\n"),
        std::string("$99999999999999999999\r\n"), std::string("*1000000000\r\n"), nested,
        std::string("*2\r\n*1000000\r\n"), std::string("%2\r\n"), std::string("~2\r\n"),
        std::string(">2\r\n"), std::string(",1.5\r\n"), std::string("#t\r\n")}) {
    INFO(head);
    CHECK(bytes_until_refused(head, kValueReply) < 32u * 1024);
  }
  // Far less before the store is open.
  CHECK(bytes_until_refused("$20000000\r\n", kAboutReply) < 32u * 1024);
  CHECK(bytes_until_refused("*600000\r\n", kAboutReply) < 32u * 1024);
  CHECK(bytes_until_refused("$20000\r\n", kGreetingReply) < 32u * 1024);
  CHECK(bytes_until_refused("*1\r\n*1\r\n*15\r\n", kGreetingReply) < 32u * 1024);
}

TEST_CASE("the sum of what a reply holds is bounded, not its parts alone (found 21)", "[redis]") {
  // Each is as long as it may be.
  std::string strings = "*16\r\n";
  for (int i = 0; i < 2; ++i) strings += bulk(std::string(9'000, 'x'));
  CHECK(bytes_until_refused(strings, kGreetingReply) < 64u * 1024);
  std::string arrays = "*8\r\n";
  for (int i = 0; i < 8; ++i) arrays += "*3\r\n:1\r\n:2\r\n:3\r\n";
  CHECK(bytes_until_refused(arrays, kGreetingReply) < 64u * 1024);
  // It counts for one reply, not for all of a burst.
  ReplyParser parser;
  std::string burst;
  for (int i = 0; i < 100; ++i) burst += bulk(std::string(1'000, 'x')) + "*2\r\n:1\r\n:2\r\n";
  std::size_t whole = 0;
  for (std::string_view rest = burst; !rest.empty();) {
    const std::string_view piece = rest.substr(0, ReplyParser::kPieceBytes);
    parser.feed(piece);
    rest.remove_prefix(piece.size());
    while (parser.next(kGreetingReply)) ++whole;
  }
  CHECK(whole == 200);
}

TEST_CASE("a line without an end is refused (found 21)", "[redis]") {
  for (const char* head : {"+", "-", ":", "$", "*"}) {
    INFO(head);
    CHECK(bytes_until_refused(head, kValueReply) <= 96u * 1024);
  }
}

TEST_CASE("what a hostile server sends takes little memory until it is refused (found 21)",
          "[redis]") {
  const std::size_t before = peak_kib();
  for (const char* head : {"$1900000000\r\n", "*1000000000\r\n", "+", "*128000\r\n*3000\r\n"})
    bytes_until_refused(head, kValueReply);
  std::string arrays = "*120\r\n";
  for (int i = 0; i < 120; ++i) arrays += "*1024\r\n";
  bytes_until_refused(arrays, kValueReply);
  CHECK(peak_kib() - before < 64u * 1024);
}

TEST_CASE("a key's slot is that of its hash tag", "[redis]") {
  CHECK(key_slot("123456789") == 12'739);  // CRC16's check value, 0x31C3
  CHECK(key_slot("foo") == 12'182);
  CHECK(key_slot("{user1000}.following") == key_slot("{user1000}.followers"));
  CHECK(key_slot("foo{}{bar}") != key_slot("bar"));
  CHECK(key_slot("foo{{bar}}zap") == key_slot("{bar"));
  CHECK(key_slot("foo{bar}{zap}") == key_slot("bar"));
}

TEST_CASE("redirects and topologies are read, and nonsense is refused", "[redis]") {
  const auto moved = parse_redirect("MOVED 3999 10.0.0.1:6381", "asked");
  REQUIRE(moved);
  CHECK_FALSE(moved->ask);
  CHECK(moved->slot == 3999);
  CHECK(moved->to == Place{"10.0.0.1", 6381});
  CHECK(parse_redirect("ASK 1 ::1:7000", "asked")->to == Place{"::1", 7000});
  CHECK(parse_redirect("MOVED 1 :7000", "asked")->to == Place{"asked", 7000});
  CHECK(parse_redirect("MOVED 1 ?:7000", "asked")->to == Place{"asked", 7000});
  for (const char* text : {"ERR x", "MOVED", "MOVED x 1:1", "MOVED 16384 h:1", "MOVED 1 h",
                           "MOVED 1 h:0", "ASK 1 h:99999"}) {
    INFO(text);
    CHECK_FALSE(parse_redirect(text, "asked"));
  }
  const std::string rows =
      "*1\r\n*4\r\n:0\r\n:5460\r\n*3\r\n$0\r\n\r\n:7000\r\n$2\r\nid\r\n"
      "*3\r\n$2\r\nhb\r\n:7001\r\n$2\r\nid\r\n";
  const std::vector<SlotRange> ranges = parse_slots(parse_all(rows, 64).at(0), "asked");
  REQUIRE(ranges.size() == 1);
  CHECK(ranges[0].last == 5460);
  CHECK(ranges[0].primary == Place{"asked", 7000});
  CHECK(ranges[0].replicas == std::vector<Place>{{"hb", 7001}});
  for (const char* bytes : {"+OK\r\n", "*1\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:16384\r\n*0\r\n",
                            "*1\r\n*3\r\n:5\r\n:1\r\n*2\r\n$1\r\nh\r\n:1\r\n"}) {
    INFO(bytes);
    CHECK_THROWS_AS(parse_slots(parse_all(bytes, 64).at(0), "asked"), Error);
  }
}
