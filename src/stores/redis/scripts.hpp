// What runs inside the server: the store's Lua scripts. Each is atomic, touches the keys of one
// session only, and may run twice.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace unum::redis {

/// How long what a script writes lives after that; nothing: for ever. It is a part of the text, so
/// that no call carries it.
using Expiry = std::optional<std::chrono::seconds>;

/// Creates a value unless it is there, notes it in the index, then checks the fan-ins that the
/// instance takes part in (the fan-in protocol, "Script").
///
/// KEYS: value, index, under-way; for each fan-in: claim, marks, checks, then the keys of the
/// outcomes
///   at the places it names; of "rename" last the key of the value's parts.
/// ARGV: "commit"; "rename" for a long value, whose parts are there; or "join" for a value that is
///   stored already; the value (its length; empty); its name in the index; the number of fan-ins;
///   for each: size, own place, digest, record, aggregator, how many missing places to tell, how
///   many places it names, those places; last what is to stand beside a value that is written, or
///   an empty text.
/// Replies: [what became of the value, fan-in...]: 1 written, 0 the same stands there, or the other
///   text that stands there (then without fan-ins); of "rename" [2] if any text stands there, [3]
///   if the parts are not whole. A fan-in is ["incomplete"], ["claimed"], ["stands", claim], or
///   ["check", place...]: no name is known to be missing; check these.
std::string commit_script(Expiry expiry);

/// Writes a value whatever stands there. KEYS: value, index; of a long one the key of its parts.
/// ARGV: value (the length of a long one), name in the index. Replies: 1; 3 if the parts are not
/// whole.
std::string put_script(Expiry expiry);

/// Appends a part of a long value where it belongs, once however often it comes; the first makes
/// the key, which expires in an hour. KEYS: parts. ARGV: where the part begins, the part. Replies:
/// how long the whole is now; less than where the part ends if an earlier one is missing.
std::string part_script();

/// Needs all permissions that long values need, and changes nothing. KEYS: parts.
std::string check_parts_script();

/// Removes items, and what fan-ins under way knew of them. (Where items expire, it shows as well
/// whether that is permitted.) KEYS: index, under-way, values. ARGV:
/// the beginning of the session's keys, then the values' names in the index.
std::string remove_script(Expiry expiry);

/// Puts tombstones in the place of values, and removes items with what fan-ins under way knew of
/// them. KEYS: index, under-way, values, items. ARGV: the beginning of the session's keys, how many
/// values, then the names in the index of values and items.
std::string collect_script(Expiry expiry);

/// A page of the index. KEYS: index. ARGV: the beginning of the session's keys, first and last
/// rank. Replies: [name, microseconds, bytes or -1 if it is not there, ...].
std::string list_script();

}  // namespace unum::redis
