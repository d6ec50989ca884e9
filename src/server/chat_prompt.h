#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "harmony/conversation.h"
#include "server/generation.h"
#include "server/json_reader.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::server {

/// A call that the assistant made in an earlier turn.
struct PastCall {
  std::string id;             ///< as the client knows it; empty where the API has none
  std::string name;           ///< of the function, without "functions."
  std::string arguments;      ///< JSON as text
  bool is_of_server = false;  ///< `name` is a recipient of a tool of the server: "files.read"
  bool is_text = false;       ///< `arguments` is text as it is
};

/// One turn of a conversation, as every interface can say it.
struct ChatTurn {
  enum class Role : uint8_t { kSystem, kDeveloper, kUser, kAssistant, kTool };

  Role role = Role::kUser;
  std::string text;
  std::string reasoning;        ///< kAssistant: what it thought before
  std::vector<PastCall> calls;  ///< kAssistant: `text` was then said before them
  std::string call_id;          ///< kTool: the call that this is the result of
  std::string tool_name;        ///< kTool: where the interface tells it; otherwise found by call_id
  /// kAssistant: what it thought before its calls and had tools of the server do, as it was (turn_memory.h); in place
  /// of `reasoning`.
  std::vector<harmony::Message> remembered;
  std::string place;  ///< in the request, for errors: "messages[3]"
};

/// What is to be answered, before it is harmony.
struct ChatPrompt {
  std::optional<std::string> instructions;  ///< beside those of system and developer turns, before them
  std::vector<ChatTurn> turns;
  std::vector<harmony::ToolDescription> functions;
  std::optional<harmony::ReasoningEffort> effort;  ///< absent: medium
  OutputFormat format;
  std::vector<harmony::ToolNamespace> server_tools = {};  ///< that the server answers to itself
};

/// The conversation, complete. Rules, the same for all interfaces:
/// - System and developer turns at the beginning are the instructions, joined by blank lines; later ones are developer
///   messages where they stand.
/// - Reasoning is kept in the turn that is still running (after the last user or final message), and dropped before.
/// - A text beside calls is a preamble in the commentary channel.
/// - What the answer must be is shown to the model under "# Response Formats".
/// `today`: empty, no date. A result of a call that nobody made is a problem of `reader`.
harmony::Conversation make_conversation(const ChatPrompt& prompt, const std::string& today, JsonReader& reader);

/// The tokens of a prompt to which an answer is the next message. Errors: as harmony::render_for_completion().
Result<std::vector<TokenId>> prompt_tokens(const Tokenizer& tokenizer, const harmony::Conversation& conversation);

/// The text of a message: a text, or a list of parts {"type": "text" | "input_text" | "output_text" | "refusal", ...},
/// joined. Null: empty. Pictures, sound and files are refused by name.
std::string read_content(const json::value* content, const std::string& place, JsonReader& reader);

/// Functions of OpenAI's "tools" of chat completions: [{"type": "function", "function": {"name", "description"?,
/// "parameters"?, "strict"?}}], or the flat form of responses. Other types are problems. What their arguments are
/// held to comes into `arguments`, under their names.
std::vector<harmony::ToolDescription> read_functions(const json::array& tools, const std::string& place,
                                                     JsonReader& reader,
                                                     std::map<std::string, PlacedGrammar>& arguments);
/// What the arguments of the function `tool`, read from `function` at `place`, are held to: its parameters' schema.
/// Where "strict" is true, a schema that cannot be enforced is a problem; where it is absent, such arguments are any
/// JSON object, as they are (nothing is given) where it is false.
std::optional<PlacedGrammar> read_arguments(const json::object& function, const harmony::ToolDescription& tool,
                                            const std::string& place, JsonReader& reader);
/// One function: {"name", "description"?, "parameters"?}, under the name that the model is told (tool_names.h).
harmony::ToolDescription read_function(const json::object& function, const std::string& place, JsonReader& reader);

/// "none", "minimal", "low", "medium", "high", "xhigh", "max" as far as the model has it; null or absent: nothing.
std::optional<harmony::ReasoningEffort> read_effort(std::string_view key, JsonReader& reader);

}  // namespace gossamer::server
