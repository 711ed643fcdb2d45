// What belongs to no loop: the last error, names, the version, logging.
#include <fmt/format.h>

#include <string_view>

#include "base/build_config.hpp"
#include "capi/arguments.hpp"
#include "unum/log.hpp"

using namespace unum;
using namespace unum::capi;

extern "C" {

const unum_error* unum_last_error(void) { return last_error().get(); }

const char* unum_status_name(unum_status status) {
  switch (status) {
    case UNUM_PENDING: return "pending";
    case UNUM_OK: return "ok";
    default: break;
  }
  if (status < UNUM_NOT_FOUND || status > UNUM_BUG) return "unknown";
  return to_string(static_cast<ErrorKind>(status)).data();  // literals
}

const char* unum_version(void) { return build::kVersion; }

unum_status unum_set_log(unum_text levels, unum_log log, void* user) {
  return guarded([&] {
    if (levels.data != nullptr) set_log_levels(view_of(levels, "levels"));
    if (log == nullptr) {
      set_log_sink({});
      return;
    }
    set_log_sink([log, user](const LogEvent& event) {
      log(text_of(to_string(event.level)), text_of(to_string(event.area)), text_of(event.session),
          text_of(event.instance), text_of(event.text), user);
    });
  });
}

}  // extern "C"
