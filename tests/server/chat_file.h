#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::server {

/// A conversation with the server, written down: tests/server/chats/*.chat.
///
///     # a remark
///     == answer                       what the model says, harmony text; several: one a request, in turn
///     <|channel|>final<|message|>Paris<|return|>
///     == POST /v1/chat/completions    a request; its body follows
///     {"messages": [{"role": "user", "content": "..."}]}
///     == 200                          what must come back: JSON, or for a stream a line of JSON an event and [DONE]
///     {"choices": [{"message": {"content": "Paris"}}]}
///
/// Expected JSON need not name everything: members that it does not name may be anything, "*" is anything that is
/// there, "absent" is a member that is not. Lists have the length that is written.
struct ChatFile {
  struct Step {
    std::string method, target, body;
    unsigned status = 0;
    std::string expected;
    int line = 0;
  };
  std::vector<std::string> answers;
  std::vector<Step> steps;

  static Result<ChatFile> parse(const std::string& text);
};

/// Empty where `got` is as `expected` says; else where it is not, and both.
std::string mismatch(const json::value& expected, const json::value& got, const std::string& place = "");

}  // namespace gossamer::server
