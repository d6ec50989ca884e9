#pragma once

#include "base/json.h"

namespace gossamer::server {

/// Puts what chat completions called functions before they had tools into today's words: "functions" and
/// "function_call" of the body, "function_call" of assistant messages. What is malformed stays so, for the
/// reader to judge. True: the body has "functions" and no "tools", so a call of the answer is told as "function_call".
bool modernize_functions(json::object& body);

}  // namespace gossamer::server
