// S3's answers in XML, and the checksum that goes with its objects.
#include "stores/s3/answers.hpp"

#include <random>

#include "catch.hpp"
#include "stores/s3/crc32c.hpp"
#include "unum/error.hpp"

using namespace unum;
using namespace unum::s3;

namespace {

ListPage page_of(std::string body) { return parse_list_page(body); }

ErrorKind kind_of(std::string body) {
  try {
    parse_list_page(body);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::bug;
}

// As in the API reference of ListObjectsV2, with two keys.
const std::string kPage =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name>"
    "<Prefix/><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
    "<Contents><Key>s/F-output.json</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>"
    "<ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
    "<Contents><Key>s/a&amp;b%2Cc</Key><LastModified>2009-10-12T17:50:31Z</LastModified>"
    "<Size>0</Size></Contents></ListBucketResult>";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("a page of a listing gives keys, sizes and times") {
  const ListPage page = page_of(kPage);
  REQUIRE(page.objects.size() == 2);
  CHECK(page.objects[0].key == "s/F-output.json");
  CHECK(page.objects[0].bytes == 434'234);
  CHECK(page.objects[0].modified_unix_ns == 1'255'369'830'000'000'000);
  CHECK(page.objects[1].key == "s/a&b%2Cc");
  CHECK(page.objects[1].bytes == 0);
  CHECK(page.prefixes.empty());
  CHECK(page.continuation.empty());
}

TEST_CASE("a listing's times that no integer of nanoseconds holds are its ends (found 22)") {
  CHECK(parse_time("9999-12-31T23:59:59.999Z") == INT64_MAX);
  CHECK(parse_time("2262-04-11T23:47:16.854775807Z") == INT64_MAX);
  CHECK(parse_time("2300-01-01T00:00:00Z") == INT64_MAX);
  CHECK(parse_time("0001-01-01T00:00:00Z") == INT64_MIN);
  CHECK(parse_time("1969-12-31T23:59:59.999Z") == -1'000'000);
}

TEST_CASE("keys are decoded where the server says that it encoded them") {
  const ListPage page =
      page_of(replaced(kPage, "<Name>",
                       "<EncodingType>url</EncodingType><CommonPrefixes><Prefix>a%252F+/"
                       "</Prefix></CommonPrefixes><Name>"));
  CHECK(page.objects[1].key == "s/a&b,c");
  CHECK(page.prefixes == std::vector<std::string>{"a%2F /"});
}

TEST_CASE("a page that breaks off says where the next one begins") {
  const std::string broken_off = replaced(kPage, "<IsTruncated>false", "<IsTruncated>true");
  CHECK(kind_of(broken_off) == ErrorKind::corrupt);
  CHECK(page_of(replaced(broken_off, "<Name>",
                         "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="
                         "</NextContinuationToken><Name>"))
            .continuation == "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
}

TEST_CASE("what is no page is corrupt, never a page without keys") {
  CHECK(kind_of("") == ErrorKind::corrupt);
  CHECK(kind_of("<html><body>It works</body></html>") == ErrorKind::corrupt);
  CHECK(kind_of("{}") == ErrorKind::corrupt);
  for (std::size_t cut = 1; cut < kPage.size() - 1; ++cut) {
    INFO("cut at " << cut);
    CHECK(kind_of(kPage.substr(0, cut)) == ErrorKind::corrupt);
  }
  CHECK(kind_of(replaced(kPage, "<Size>434234", "<Size>many")) == ErrorKind::corrupt);
  CHECK(kind_of(replaced(kPage, "<Size>434234", "<Size>-1")) == ErrorKind::corrupt);
  CHECK(kind_of(replaced(kPage, "<Key>s/F-output.json</Key>", "")) == ErrorKind::corrupt);
  CHECK(kind_of(replaced(kPage, "2009-10-12T17", "yesterday at")) == ErrorKind::corrupt);
  CHECK(kind_of(replaced(kPage, "2009-10-12", "2009-02-30")) == ErrorKind::corrupt);
  CHECK(kind_of(replaced(replaced(kPage, "<Name>", "<EncodingType>url</EncodingType><Name>"), "%2C",
                         "%2x")) == ErrorKind::corrupt);
}

TEST_CASE("times are read with their fractions") {
  CHECK(parse_time("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_time("2026-02-28T23:59:59.123456789Z") == 1'772'323'199'123'456'789);
  CHECK(parse_time("2026-02-28T23:59:59.5Z") == 1'772'323'199'500'000'000);
  CHECK_THROWS_AS(parse_time("2026-02-28T23:59:59"), Error);
  CHECK_THROWS_AS(parse_time(""), Error);
}

TEST_CASE("the other answers give what is asked of them") {
  std::string begun =
      "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
      "<UploadId>VXBsb2Fk+/=</UploadId></InitiateMultipartUploadResult>";
  CHECK(parse_upload_id(begun) == "VXBsb2Fk+/=");
  std::string empty = "<InitiateMultipartUploadResult/>";
  CHECK_THROWS_AS(parse_upload_id(empty), Error);
  std::string removed =
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code>"
      "<Message>Access Denied</Message></Error></DeleteResult>";
  const std::vector<DeleteFailure> failures = parse_delete_result(removed);
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].key == "b");
  CHECK(failures[0].code == "AccessDenied");
  std::string other = "<Deleted/>";
  CHECK_THROWS_AS(parse_delete_result(other), Error);
  std::string error =
      "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'a' is wrong; expecting "
      "'b'</Message><Region>b</Region></Error>";
  const ErrorAnswer answer = parse_error(error);
  CHECK(answer.code == "AuthorizationHeaderMalformed");
  CHECK(answer.region == "b");
  std::string text;
  append_xml(text, "a<&>\"b");
  CHECK(text == "a&lt;&amp;&gt;&quot;b");
}

TEST_CASE("CRC-32C gives the published values, by the instruction and by tables") {
  // RFC 3720, appendix B.4, and the usual check value.
  const std::string zeros(32, '\0');
  const std::string ones(32, '\xff');
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  for (const auto crc : {&crc32c, &crc32c_by_tables}) {
    CHECK(crc("", 0) == 0);
    CHECK(crc("123456789", 0) == 0xE3069283);
    CHECK(crc(zeros, 0) == 0x8A9136AA);
    CHECK(crc(ones, 0) == 0x62A8AB43);
    CHECK(crc(rising, 0) == 0x46DD794E);
    CHECK(crc("6789", crc("12345", 0)) == 0xE3069283);
  }
  std::mt19937 random(3);
  std::string bytes(10'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  for (std::size_t size = 0; size < bytes.size(); size += 1 + random() % 700) {
    CHECK(crc32c(bytes.substr(0, size)) == crc32c_by_tables(bytes.substr(0, size)));
  }
  CHECK(crc32c_text(0xE3069283) == "4waSgw==");
  CHECK(crc32c_text(0) == "AAAAAA==");
}
