// Texts of Redis servers and users: replies in any pieces, topologies, redirects, addresses.
#include "fuzz.hpp"
#include "reactor/redis/address.hpp"
#include "reactor/redis/reply.hpp"
#include "reactor/redis/slots.hpp"
#include "stores/redis/keys.hpp"
#include "support/reply_parser.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

std::vector<redis::Reply> parse(std::string_view text, std::size_t piece) {
  std::vector<redis::Reply> replies;
  test::ReplyParser parser;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    parser.feed(part);
    while (std::optional<redis::Reply> reply = parser.next()) replies.push_back(std::move(*reply));
  }
  return replies;
}

/// The same replies or the same refusal, in whatever pieces the bytes come.
void reply(std::string_view text) {
  std::vector<std::size_t> counts;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, test::ReplyParser::kPieceBytes}) {
    try {
      counts.push_back(parse(text, piece).size());
    } catch (const Error& error) {
      UNUM_ASSERT(error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::exhausted);
      counts.push_back(static_cast<std::size_t>(-1));
    }
  }
  UNUM_ASSERT(counts[0] == counts[1] && counts[1] == counts[2]);
}

void topology(std::string_view text) {
  const auto redirect = redis::parse_redirect(text, "asked");
  UNUM_ASSERT(!redirect || (redirect->slot < redis::kSlots && redirect->to.port != 0));
  UNUM_ASSERT(redis::key_slot(text) < redis::kSlots);
  const auto session = redis::session_of_index(text);
  if (session) UNUM_ASSERT(redis::session_of_index(redis::index_key(*session)) == session);
  try {
    for (const redis::Reply& each : parse(text, 64)) {
      for (const redis::SlotRange& range : redis::parse_slots(each, "asked"))
        UNUM_ASSERT(range.first <= range.last && range.last < redis::kSlots);
    }
  } catch (const Error&) {
    // Refused, which is an answer.
  }
}

void address(std::string_view text) {
  try {
    const redis::Address read = redis::parse_address(text);
    UNUM_ASSERT(!read.endpoint().empty());
    UNUM_ASSERT(read.unix_path.empty() != read.host.empty());
  } catch (const Error& error) {
    UNUM_ASSERT(error.kind() == ErrorKind::invalid);
  }
}

}  // namespace

UNUM_FUZZ_TARGETS({"redis-reply", &reply}, {"redis-topology", &topology},
                  {"redis-address", &address})
