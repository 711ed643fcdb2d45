// Whatever a server sends instead of S3's XML: an error, never a crash and never a page that the
// text does not hold.
#include <cstddef>
#include <cstdint>
#include <string>

#include "stores/s3/answers.hpp"
#include "stores/s3/keys.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace unum;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto attempt = [&](auto parse) {
    std::string body = text;
    try {
      parse(body);
    } catch (const Error& error) {
      UNUM_ASSERT(error.kind() == ErrorKind::corrupt);
    }
  };
  attempt([&](std::string& body) {
    const s3::ListPage page = s3::parse_list_page(body);
    for (const s3::ListedObject& object : page.objects) {
      UNUM_ASSERT(!object.key.empty() && object.key.size() <= size);
      // What listings do with a key: it comes back from its name unchanged, or is none of ours.
      if (const auto id = s3::decode_item(object.key)) {
        std::string again;
        s3::append_item(again, id->name, id->kind);
        UNUM_ASSERT(again == object.key || s3::is_shortened(again));
      }
    }
  });
  attempt([](std::string& body) { s3::parse_delete_result(body); });
  attempt([](std::string& body) { UNUM_ASSERT(!s3::parse_upload_id(body).empty()); });
  attempt([](std::string& body) { s3::parse_error(body); });
  if (const auto full = s3::parse_companion(text)) {
    const auto again = s3::parse_companion(s3::companion_text(full->session, full->name));
    UNUM_ASSERT(again && again->session == full->session && again->name == full->name);
  }
  return 0;
}
