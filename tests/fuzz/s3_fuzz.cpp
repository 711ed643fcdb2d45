// Whatever a server sends instead of S3's XML: an error, never a crash and never a page that the
// text does not hold.
#include "fuzz.hpp"
#include "stores/s3/answers.hpp"
#include "stores/s3/keys.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

template <class Parse>
void corrupt_or_read(std::string_view text, Parse parse) {
  std::string body(text);
  try {
    parse(body);
  } catch (const Error& error) {
    UNUM_ASSERT(error.kind() == ErrorKind::corrupt);
  }
}

void listing(std::string_view text) {
  corrupt_or_read(text, [&](std::string& body) {
    const s3::ListPage page = s3::parse_list_page(body);
    for (const s3::ListedObject& object : page.objects) {
      UNUM_ASSERT(!object.key.empty() && object.key.size() <= text.size());
      // A key gives its name and comes back from it, or is none of ours.
      if (const auto id = s3::decode_item(object.key)) {
        std::string again;
        s3::append_item(again, id->name, id->kind);
        UNUM_ASSERT(again == object.key || s3::is_shortened(again));
      }
    }
  });
}

void answers(std::string_view text) {
  corrupt_or_read(text, [](std::string& body) { s3::parse_delete_result(body); });
  corrupt_or_read(text, [](std::string& body) { UNUM_ASSERT(!s3::parse_upload_id(body).empty()); });
  corrupt_or_read(text, [](std::string& body) { s3::parse_error(body); });
}

void companion(std::string_view text) {
  const auto full = s3::parse_companion(text);
  if (!full) return;
  const auto again = s3::parse_companion(s3::companion_text(full->session, full->name));
  UNUM_ASSERT(again && again->session == full->session && again->name == full->name);
}

}  // namespace

UNUM_FUZZ_TARGETS({"s3-listing", listing}, {"s3-answers", answers}, {"s3-companion", companion})
