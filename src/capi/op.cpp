#include "capi/op.hpp"

#include <chrono>
#include <exception>

#include "capi/store.hpp"

namespace unum::capi {
namespace {

Task<void> fail_with(std::exception_ptr error) {
  std::rethrow_exception(error);
  co_return;
}

/// Applies what the caller wants of the op.
void apply(Op& op, const unum_start* start) {
  const unum_start wanted = struct_of(start, "unum_start");
  op.done = wanted.done;
  op.user = wanted.user;
  check_not_negative(wanted.timeout_ms, "unum_start.timeout_ms");
  if (wanted.timeout_ms > 0) op.deadline = op.loop.reactor.now() + time_of(wanted.timeout_ms);
}

void link(Op& op) noexcept {
  op.next_running = op.loop.running.first;
  if (op.next_running != nullptr) op.next_running->previous_running = &op;
  op.loop.running.first = &op;
}

void unlink(Op& op) noexcept {
  Op*& before =
      op.previous_running != nullptr ? op.previous_running->next_running : op.loop.running.first;
  before = op.next_running;
  if (op.next_running != nullptr) op.next_running->previous_running = op.previous_running;
}

}  // namespace

void Op::begin(std::shared_ptr<Op> self) noexcept {
  keeps_itself = std::move(self);
  link(*this);
  const auto post = [](void* op) noexcept {
    Op& own = *static_cast<Op*>(op);
    own.loop.reactor.post(own);
  };
  if (task.start(post, this)) post(this);
}

void Op::abandon() noexcept {
  done = nullptr;
  stop.request("the op was freed");
}

/// The only place where ops end: in a turn of their loop.
void Op::on_ended(Ready& ready) noexcept {
  Op& op = static_cast<Op&>(ready);
  unlink(op);
  const std::shared_ptr<Op> self = std::move(op.keeps_itself);
  try {
    op.task.take();
    op.status = UNUM_OK;
  } catch (...) {
    op.error = std::make_unique<ErrorText>(std::current_exception());
    op.status = op.error->status();
  }
  op.task = Task<void>();
  if (op.done != nullptr) op.done(handle_of<unum_op>(op.handle), op.user);
}

unum_op* begin_op(Loop& loop, const unum_start* start,
                  const std::function<Task<void>(Op&)>& make) noexcept {
  return guarded_or<unum_op*>(nullptr, [&] {
    auto op = std::make_shared<Op>(loop);
    op->handle = loop.handles.add(Kind::op, op);
    const HandleNumber handle = op->handle;
    try {
      apply(*op, start);
      op->task = make(*op);
    } catch (...) {
      op->task = fail_with(std::current_exception());
    }
    Op& begun = *op;
    begun.begin(std::move(op));
    return handle_of<unum_op>(handle);
  });
}

}  // namespace unum::capi

using namespace unum;
using namespace unum::capi;

extern "C" {

unum_status unum_op_status(unum_op* op) {
  return guarded([&]() -> unum_status { return object_of(op)->status; });
}

const unum_error* unum_op_error(unum_op* op) {
  return guarded_or<const unum_error*>(nullptr, [&]() -> const unum_error* {
    const std::shared_ptr<Op> asked = object_of(op);
    return asked->status > UNUM_OK ? asked->error->get() : nullptr;
  });
}

unum_status unum_op_cancel(unum_op* op) {
  return guarded([&] { object_of(op)->stop.request("the op was cancelled"); });
}

unum_status unum_op_free(unum_op* op) {
  if (op == nullptr) return UNUM_OK;
  return guarded([&] {
    const std::shared_ptr<Op> freed = take_object(op);
    if (freed->status == UNUM_PENDING) freed->abandon();
  });
}

int64_t unum_op_number(unum_op* op) {
  return guarded_or(std::int64_t{0}, [&]() -> std::int64_t {
    const std::shared_ptr<Op> asked = object_of(op);
    if (const auto* number = given_by<std::int64_t>(*asked)) return *number;
    if (const auto* write = given_by<WriteResult>(*asked)) {
      return write->status == WriteResult::Status::written ? 1 : 0;
    }
    if (const auto* commit = large_given_by<CommitResult>(*asked)) {
      return commit->write.status == WriteResult::Status::written ? 1 : 0;
    }
    return 0;
  });
}

size_t unum_op_count(unum_op* op) {
  return guarded_or(std::size_t{0}, [&]() -> std::size_t {
    const std::shared_ptr<Op> asked = object_of(op);
    if (const auto* values = given_by<Values>(*asked)) return values->size();
    if (const auto* items = given_by<std::vector<ListedItem>>(*asked)) return items->size();
    if (const auto* states = given_by<States>(*asked)) return states->size();
    if (const auto* commit = large_given_by<CommitResult>(*asked)) return commit->fan_ins.size();
    if (const auto* run = large_given_by<RunResult>(*asked)) return run->failures.size();
    return 0;
  });
}

unum_text unum_op_value(unum_op* op, size_t place) {
  return guarded_or(kAbsent, [&] {
    const std::shared_ptr<Op> asked = object_of(op);
    const auto there = [](const WriteResult& write) {
      const bool is_there = write.status == WriteResult::Status::already_there;
      return is_there ? text_of(write.stored) : kAbsent;
    };
    if (const auto* values = given_by<Values>(*asked)) {
      const bool has_it = place < values->size() && (*values)[place];
      return has_it ? text_of(*(*values)[place]) : kAbsent;
    }
    const auto* write = given_by<WriteResult>(*asked);
    if (write != nullptr && place == 0) return there(*write);
    const auto* commit = large_given_by<CommitResult>(*asked);
    if (commit != nullptr && place == 0) return there(commit->write);
    return kAbsent;
  });
}

}  // extern "C"
