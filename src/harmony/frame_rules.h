#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "harmony/conversation.h"
#include "sampling/token_constraint.h"

namespace gossamer::harmony {

/// Whether the answer may, must not or must call a tool, as OpenAI's tool_choice says it.
struct ToolChoice {
  enum class Kind : uint8_t { kAuto, kNone, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string recipient;  ///< kNamed: "functions.get_weather", or "browser" for any of its functions
};

/// How one answer may be framed. One call ends an answer, so there is never more than one: this holds for requests with
/// parallel_tool_calls too.
struct FrameRules {
  std::vector<std::string> recipients;              ///< whom the answer may call: "functions.get_weather", "python"
  bool must_call = false;                           ///< no final message: the answer ends with a call
  std::optional<uint32_t> reasoning_budget_tokens;  ///< of analysis, all its messages together; 0: no analysis at all
  uint32_t min_tokens = 0;  ///< the answer does not end before: another message follows a final one

  /// What the body of the final message must be, and then there are no preambles either; null: any text.
  std::shared_ptr<const TokenConstraint> final_body;
  /// What the arguments for a recipient must be; any text for those who are not here.
  std::map<std::string, std::shared_ptr<const TokenConstraint>> call_bodies;
};

/// A tool that a conversation declares.
struct DeclaredTool {
  std::string recipient;                    ///< "functions.get_weather"
  const json::value* parameters = nullptr;  ///< its JSON schema, part of the conversation; null: none is given
};

/// The tools that the system and developer messages of a conversation declare; and their recipients alone.
std::vector<DeclaredTool> declared_tools(const Conversation& conversation);
std::vector<std::string> declared_recipients(const Conversation& conversation);

/// The rules of a choice among `recipients`. Errors: a call is required but nobody can be called; the tool that is
/// named is not declared.
Result<FrameRules> frame_rules(std::vector<std::string> recipients, const ToolChoice& choice);

/// Errors: a recipient that cannot stand in a header (white space, "<", empty, above 256 bytes): the sentence names it;
/// a call that must be made where nobody can be called.
Status check_frame_rules(const FrameRules& rules);

}  // namespace gossamer::harmony
