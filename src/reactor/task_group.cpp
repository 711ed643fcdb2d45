// The group of tasks: counts them, keeps the first error, wakes who waits for the end.
#include "unum/task_group.hpp"

#include <memory>

namespace unum {

void TaskGroup::spawn(Task<void> task) {
  auto spawned = std::make_unique<Spawned>(Spawned{this, std::move(task)});
  ++running_;
  if (spawned->task.start(&on_done, spawned.get())) {
    collect(spawned.release());
  } else {
    // Owned by the running task now; on_done gets it back.
    [[maybe_unused]] Spawned* running = spawned.release();
  }
}

void TaskGroup::on_done(void* address) noexcept {
  auto* spawned = static_cast<Spawned*>(address);
  TaskGroup& group = *spawned->group;
  group.collect(spawned);
  if (group.running_ == 0 && group.waiter_) std::exchange(group.waiter_, nullptr).resume();
}

void TaskGroup::collect(Spawned* spawned) noexcept {
  const std::unique_ptr<Spawned> owner(spawned);
  try {
    owner->task.take();
  } catch (...) {
    if (!error_) error_ = std::current_exception();
  }
  --running_;
}

void TaskGroup::rethrow_first() {
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

Task<void> TaskGroup::as_task(TaskGroup& group) { co_await group.drain(); }

}  // namespace unum
