#pragma once

#include <string>

#include "base/result.h"
#include "cli/chat_session.h"

namespace gossamer::cli {

enum class CommandEffect : uint8_t {
  kDone,
  kLeave,        ///< the chat is over
  kNotACommand,  ///< the line is a message for the model
};

/// Does what a line that begins with a slash says ("/effort high"). Errors: no such command, or it failed.
Result<CommandEffect> run_chat_command(ChatSession& session, const std::string& line, Output& out);

}  // namespace gossamer::cli
