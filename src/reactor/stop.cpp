// Stop requests: the intrusive list of a source's callbacks.
#include "unum/stop.hpp"

#include <exception>

#include "unum/assert.hpp"

namespace unum {

std::string_view StopToken::reason() const noexcept {
  return source_ != nullptr ? source_->reason() : std::string_view{};
}

void StopCallback::link_to(StopToken token, Function function, void* context) {
  UNUM_ASSERT(source_ == nullptr);
  if (token.stop_requested()) {
    function(context);
    return;
  }
  source_ = token.source_;
  function_ = function;
  context_ = context;
  previous_ = nullptr;
  next_ = source_->first_;
  if (next_ != nullptr) next_->previous_ = this;
  source_->first_ = this;
}

void StopCallback::unlink_from_source() noexcept {
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    source_->first_ = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
  source_ = nullptr;
}

StopSource::StopSource(StopToken parent) : parent_(parent) {
  parent_link_.link(
      parent,
      [](void* self) noexcept {
        auto* source = static_cast<StopSource*>(self);
        source->request(source->parent_.reason());
      },
      this);
}

StopSource::~StopSource() { UNUM_ASSERT(first_ == nullptr); }

void StopSource::request(std::string_view reason) noexcept {
  if (requested_) return;
  requested_ = true;
  try {
    reason_ = reason;
  } catch (const std::exception&) {
    // Without memory for the text the request still counts.
  }
  // A callback may unlink itself and others, so each turn starts from the list's head.
  while (first_ != nullptr) {
    StopCallback* callback = first_;
    callback->unlink();
    callback->function_(callback->context_);
  }
}

}  // namespace unum
