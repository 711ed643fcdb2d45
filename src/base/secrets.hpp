// Passwords in URLs that found their way into a text for people.
#pragma once

#include <string>
#include <string_view>

namespace unum {

/// The text with the password of every URL in it as "***". For messages that repeat what a user
/// wrote, in whatever place; who knows that a text is a URL has better ways to show it.
std::string hide_passwords(std::string_view text);

}  // namespace unum
