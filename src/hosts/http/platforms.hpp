// How Azure's custom handlers and Fn wrap what they deliver and are answered.
#pragma once

#include <string>
#include <string_view>

#include "reactor/http_server/message.hpp"
#include "unum/reactor.hpp"

namespace unum::http_host {

/// Azure: the event within `{"Data": {NAME: ...}, "Metadata": ...}`: a queue's message, or the body
/// of an HTTP request. A body that is no such envelope (as the host forwards it where
/// enableForwardingHttpRequest is set) is the event itself. Throws `invalid` for what is not JSON.
std::string event_in_envelope(const std::string& body);
/// Azure: the body as the `ReturnValue` of an answer; failures keep their status.
void put_into_envelope(http_server::Response& response);

/// Fn: 200, or 502 for whatever failed, the real status beside it.
void make_fn_answer(http_server::Response& response);
/// Fn: the time of RFC 3339 until which the call has to end; none for other texts.
Deadline deadline_of(std::string_view text, Reactor& reactor);

}  // namespace unum::http_host
