// What S3 answers in XML: pages of a listing, and the few texts of the other calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unum::s3 {

struct ListedObject {
  std::string key;
  std::uint64_t bytes = 0;
  std::int64_t modified_unix_ns = 0;
};

/// A page of ListObjectsV2.
struct ListPage {
  std::vector<ListedObject> objects;
  std::vector<std::string> prefixes;  ///< What the delimiter rolled up, each ending in it.
  std::string continuation;           ///< For the next page; empty: this was the last one.
};
/// Parses in place: the text is used up. Throws `corrupt` for what is no such page, and for one
/// that breaks off without saying where it goes on.
ListPage parse_list_page(std::string& body);

/// A key that DeleteObjects could not remove.
struct DeleteFailure {
  std::string key;
  std::string code;
  std::string message;
};
std::vector<DeleteFailure> parse_delete_result(std::string& body);

/// The upload's id out of an answer to CreateMultipartUpload; throws `corrupt`.
std::string parse_upload_id(std::string& body);

/// An error of any call. CompleteMultipartUpload may send one with status 200.
struct ErrorAnswer {
  std::string code;  ///< Empty: the text is no error.
  std::string message;
  std::string region;      ///< Where the bucket is, if that was wrong.
  std::string request_id;  ///< Or empty.
};
ErrorAnswer parse_error(std::string& body);

/// What an object's absence looks like. S3 says NoSuchKey; others use another code, or answer with
/// no body at all. That the bucket is missing is something else, and so is a page that somebody on
/// the way wrote.
bool is_absent(int status, std::string_view code, std::string_view body) noexcept;
/// What a write on condition gets that did not take place: the object is there (412), or others
/// write it at the same time (409). S3 says PreconditionFailed, ConditionalRequestConflict and
/// OperationAborted; others use other codes, or none.
bool is_lost_write(int status, std::string_view code, std::string_view body) noexcept;
/// The same of the completion of an upload in parts, which may be gone, too.
bool is_lost_completion(int status, std::string_view code, std::string_view body) noexcept;

/// Appends the text with XML's special characters escaped.
void append_xml(std::string& out, std::string_view text);

/// "2009-10-12T17:50:30.000Z" in nanoseconds since 1970; throws `corrupt`.
std::int64_t parse_time(std::string_view text);

}  // namespace unum::s3
