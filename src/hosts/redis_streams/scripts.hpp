// What runs inside the server: the queue's Lua scripts. Each is atomic. KEYS are those of one
// application: [1] the stream, [2] the sorted set of delayed messages, [3] the stream of dead ones.
//
// An entry is settled and kept by the consumer that owns it and by nobody else: XACK and XCLAIM ask
// for no owner, so a process that was taken for dead would otherwise acknowledge what another one
// is working on, or take it back.
#pragma once

namespace unum::streams {

/// Makes the stream and the group, unless they are there, from the stream's beginning: what was
/// sent before there was a group is delivered, too. ARGV: group.
extern const char* const kGroupScript;

/// Ends a delivery. ARGV: group, consumer, entry, then one of
///   "done";
///   "later", when (ms since 1970), the message as packed text;
///   "dead", how many dead letters are kept, then fields.
/// Replies: 1, or 0 if the entry is not the consumer's: nothing was changed then.
extern const char* const kSettleScript;

/// Tells that entries are worked on. ARGV: group, consumer, entries. Replies: those that are not
/// the consumer's any more.
extern const char* const kBeatScript;

/// Takes entries over that nobody told anything of for long. ARGV: group, consumer, milliseconds,
/// cursor, how many. Replies: [cursor, [[entry, fields, deliveries]...], [vanished entry...]].
extern const char* const kTakeScript;

/// Moves messages whose time has come into the stream. ARGV: how many at most; how many dead
/// letters are kept. Replies: [how many, ms until the next one is due or -1].
extern const char* const kDueScript;

/// Adds an entry unless there are too many messages. ARGV: how many may be there, fields. Replies:
/// the entry, or nil.
extern const char* const kSubmitScript;

/// How many messages there are, in one moment: none is between two places. Replies: [in the stream,
/// delayed, dead].
extern const char* const kLengthsScript;

/// A consumer ends: entries it still has can be taken over at once, and without any it is removed.
/// ARGV: group, consumer, a time in ms longer than any lease. Replies: how many it had.
extern const char* const kLeaveScript;

/// Removes consumers without entries that have been silent. ARGV: group, ms. Replies: how many.
extern const char* const kSweepScript;

}  // namespace unum::streams
