// A command whose first attempt needs no coroutine of the client.
#include <new>
#include <string>
#include <utility>

#include "reactor/redis/client_impl.hpp"

namespace unum::redis {

/// Sends the command if it can leave at once; else false.
bool Client::Command::begin() {
  if (client_.room_.left == 0 || wait_.stop.stop_requested()) return false;
  Gate::Pass pass = client_.gate_.enter();
  if (!pass) return false;
  node_ = &client_.node_of(slot_);
  connection_ = node_->current();
  if (!connection_) return false;
  --client_.room_.left;
  turn_.emplace(client_.room_, std::move(pass));
  ++client_.counters_.requests;
  call_.emplace(*connection_, arguments_, client_.wait_of_attempt(wait_, wait_.deadline),
                client_.settings_of_attempt(false));
  call_->listen([](void* self) noexcept { static_cast<Command*>(self)->on_heard(); }, this);
  return true;
}

bool Client::Command::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  if (begin()) return true;
  attempts_ = client_.send(nullptr, slot_, arguments_, wait_);
  return !attempts_.start(&unum::detail::resume_address, waiter.address());
}

void Client::Command::on_heard() noexcept {
  if (!call_->has_succeeded()) {
    try {
      attempts_ = client_.persist({.slot = slot_,
                                   .wait = wait_,
                                   .give_up = wait_.deadline,
                                   .node = node_,
                                   .begun = &*call_},
                                  arguments_);
    } catch (const std::bad_alloc&) {
      return waiter_.resume();
    }
    if (!attempts_.start(&unum::detail::resume_address, waiter_.address())) return;
  }
  waiter_.resume();
}

Reply Client::Command::await_resume() {
  if (!attempts_ && !call_->has_succeeded()) throw std::bad_alloc();  // see on_heard
  Reply reply = attempts_ ? attempts_.take() : call_->take_reply();
  if (reply.is_error() && errors_ == Errors::thrown)
    throw error_of(reply, std::string(arguments_[0]) + " at " + client_.endpoints());
  return reply;
}

Task<Reply> Client::Command::as_task(Client& client, std::uint16_t slot, Arguments arguments,
                                     Wait wait) {
  co_return co_await Command(client, slot, arguments, wait, Errors::thrown);
}

}  // namespace unum::redis
