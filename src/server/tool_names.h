#pragma once

#include <string>
#include <string_view>

namespace gossamer::server {

/// The name under which the model knows a client's function. gpt-oss was trained with tools of its own: functions named
/// like these (python, browser, container) confuse it, so it is told "my_python". One to one: client_tool_name() gives
/// the client's name back, whatever it was.
std::string model_tool_name(std::string_view client_name);
std::string client_tool_name(std::string_view model_name);

/// True where `name` is `recipient`, or the tool of the server whose function that is: "browser" of "browser.open".
bool names_recipient(std::string_view name, std::string_view recipient);

}  // namespace gossamer::server
