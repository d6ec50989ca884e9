#include "server/chat_prompt.h"

#include <algorithm>
#include <unordered_map>

#include "harmony/chat_setup.h"
#include "harmony/json_text.h"
#include "harmony/render.h"
#include "server/output_format.h"
#include "server/tool_names.h"
#include "server/wished_arguments.h"

namespace gossamer::server {
namespace {

using harmony::Message;

constexpr char kFunctions[] = "functions.";

bool is_instruction(const ChatTurn& turn) {
  return turn.role == ChatTurn::Role::kSystem || turn.role == ChatTurn::Role::kDeveloper;
}

void add_paragraph(const std::string& text, std::optional<std::string>& out) {
  if (text.empty()) return;
  out = out ? *out + "\n\n" + text : text;
}

/// Turns from here on belong to the answer that is being made: nothing of them is final.
size_t running_turn(const std::vector<ChatTurn>& turns) {
  for (size_t i = turns.size(); i > 0; --i) {
    const ChatTurn& turn = turns[i - 1];
    const bool is_final = turn.role == ChatTurn::Role::kAssistant && turn.calls.empty();
    if (is_final || turn.role == ChatTurn::Role::kUser || is_instruction(turn)) return i;
  }
  return 0;
}

Message in_channel(const std::string& channel, std::string text) {
  Message message = Message::from_text(harmony::Role::kAssistant, std::move(text));
  message.channel = channel;
  return message;
}

/// Turns into messages, one after the other; remembers who was called.
class TurnWriter {
 public:
  TurnWriter(std::vector<Message>& out, JsonReader& reader) : out_(out), reader_(reader) {}

  void write(const ChatTurn& turn, bool is_running) {
    switch (turn.role) {
      case ChatTurn::Role::kSystem:
      case ChatTurn::Role::kDeveloper:
        return write_instruction(turn);
      case ChatTurn::Role::kUser:
        out_.push_back(Message::from_text(harmony::Role::kUser, turn.text));
        return;
      case ChatTurn::Role::kAssistant:
        return write_assistant(turn, is_running);
      case ChatTurn::Role::kTool:
        return write_result(turn);
    }
  }

 private:
  void write_instruction(const ChatTurn& turn) {
    if (turn.text.empty()) return;
    harmony::DeveloperContent content;
    content.instructions = turn.text;
    out_.push_back(Message::from_developer(std::move(content)));
  }

  void write_assistant(const ChatTurn& turn, bool is_running) {
    if (is_running && !turn.remembered.empty())
      out_.insert(out_.end(), turn.remembered.begin(), turn.remembered.end());
    else if (is_running && !turn.reasoning.empty())
      out_.push_back(in_channel("analysis", turn.reasoning));
    if (!turn.text.empty()) out_.push_back(in_channel(turn.calls.empty() ? "final" : "commentary", turn.text));
    for (const PastCall& call : turn.calls) {
      Message message = in_channel("commentary", call.arguments);
      const std::string recipient = call.is_of_server ? call.name : kFunctions + model_tool_name(call.name);
      message.recipient = recipient;
      if (!call.is_text) message.content_type = "<|constrain|>json";
      out_.push_back(std::move(message));
      last_called_ = recipient;
      if (!call.id.empty()) called_by_id_[call.id] = recipient;
    }
  }

  void write_result(const ChatTurn& turn) {
    out_.push_back(Message::from_tool(recipient_of(turn), "commentary", turn.text));
  }

  /// Whom the call was made to: by its id; else by the name that the client gives; else the last call.
  std::string recipient_of(const ChatTurn& turn) {
    if (const auto call = called_by_id_.find(turn.call_id); call != called_by_id_.end()) return call->second;
    if (!turn.tool_name.empty()) return kFunctions + model_tool_name(turn.tool_name);
    if (turn.call_id.empty() && last_called_) return *last_called_;
    reader_.fail(bad_request(turn.place, fmt::format("{} is the result of a call \"{}\" that no message before it made",
                                                     turn.place, turn.call_id.substr(0, 80))));
    return {};
  }

  std::vector<Message>& out_;
  JsonReader& reader_;
  std::unordered_map<std::string, std::string> called_by_id_;  // recipients; of two calls the later one
  std::optional<std::string> last_called_;
};

bool is_function_name(std::string_view name) {
  constexpr size_t kLongestName = 128;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':' || c == '/';
  };
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), is_allowed);
}

std::string read_part(const json::value& part, const std::string& place, JsonReader& reader) {
  if (const json::string* text = part.if_string()) return std::string(*text);
  const json::object* object = part.if_object();
  if (!object) {
    reader.fail(bad_request(place, fmt::format("{} must be an object with a \"type\"", place)));
    return {};
  }
  JsonReader fields = reader.inside(*object, place);
  const std::string type = fields.text("type").value_or("text");
  if (type == "refusal") return fields.text("refusal").value_or("");
  if (type == "text" || type == "input_text" || type == "output_text" || type == "summary_text" ||
      type == "reasoning_text")
    return fields.text("text").value_or("");
  fields.fail("type", fmt::format("{} is of the type \"{}\": this model reads text only", place, type.substr(0, 40)));
  return {};
}

}  // namespace

harmony::Conversation make_conversation(const ChatPrompt& prompt, const std::string& today, JsonReader& reader) {
  harmony::ChatSetup setup;
  setup.date = today;
  setup.effort = prompt.effort.value_or(harmony::ReasoningEffort::kMedium);
  setup.functions = prompt.functions;
  setup.built_ins = prompt.server_tools;
  if (prompt.instructions) add_paragraph(*prompt.instructions, setup.instructions);
  const std::vector<ChatTurn>& turns = prompt.turns;
  size_t first = 0;
  for (; first < turns.size() && is_instruction(turns[first]); ++first)
    add_paragraph(turns[first].text, setup.instructions);

  harmony::Conversation conversation = harmony::start_conversation(setup);
  if (prompt.format.kind != OutputFormat::Kind::kText) {
    std::vector<Message>& head = conversation.messages;
    const bool has_developer = head.back().role == harmony::Role::kDeveloper;
    if (!has_developer) head.emplace_back().role = harmony::Role::kDeveloper;
    head.back().contents.push_back(
        harmony::TextContent{(has_developer ? "\n\n" : "") + response_formats_text(prompt.format)});
  }
  TurnWriter writer(conversation.messages, reader);
  const size_t running_from = running_turn(turns);
  for (size_t i = first; i < turns.size(); ++i) writer.write(turns[i], i >= running_from);
  return conversation;
}

Result<std::vector<TokenId>> prompt_tokens(const Tokenizer& tokenizer, const harmony::Conversation& conversation) {
  harmony::RenderOptions options;
  options.auto_drop_analysis = false;  // make_conversation() has dropped what is finished
  return harmony::render_for_completion(tokenizer, conversation, harmony::Role::kAssistant, options);
}

std::string read_content(const json::value* content, const std::string& place, JsonReader& reader) {
  if (!content || content->is_null()) return {};
  if (const json::string* text = content->if_string()) return std::string(*text);
  const json::array* parts = content->if_array();
  if (!parts) {
    reader.fail(bad_request(place, fmt::format("{} must be a text or a list of parts", place)));
    return {};
  }
  std::string joined;
  for (size_t i = 0; i < parts->size(); ++i) joined += read_part((*parts)[i], fmt::format("{}[{}]", place, i), reader);
  return joined;
}

harmony::ToolDescription read_function(const json::object& function, const std::string& place, JsonReader& reader) {
  JsonReader fields = reader.inside(function, place);
  harmony::ToolDescription tool;
  tool.name = fields.text("name").value_or("");
  tool.description = fields.text("description").value_or("");
  if (const json::object* parameters = fields.object("parameters")) tool.parameters = *parameters;
  if (!is_function_name(tool.name))
    fields.fail("name", fmt::format("{}.name must be 1 to 128 letters, digits and any of _-.:/", place));
  tool.name = model_tool_name(tool.name);
  return tool;
}

std::optional<PlacedGrammar> read_arguments(const json::object& function, const harmony::ToolDescription& tool,
                                            const std::string& place, JsonReader& reader) {
  JsonReader fields = reader.inside(function, place);
  const std::optional<bool> strict = fields.boolean("strict");
  const std::string here = fields.place("parameters");
  if (!strict && tool.parameters) return PlacedGrammar{wished_arguments(*tool.parameters), here, /*is_wish=*/true};
  if (!strict.value_or(false)) return std::nullopt;
  if (!tool.parameters) return PlacedGrammar{grammar::GrammarSpec::json_object(), here};
  Result<grammar::GrammarSpec> spec = grammar::GrammarSpec::json_schema(*tool.parameters);
  if (spec.ok()) return PlacedGrammar{std::move(*spec), here};
  fields.fail("parameters", fmt::format("{}: {}", here, spec.error().message));
  return std::nullopt;
}

std::vector<harmony::ToolDescription> read_functions(const json::array& tools, const std::string& place,
                                                     JsonReader& reader,
                                                     std::map<std::string, PlacedGrammar>& arguments) {
  std::vector<harmony::ToolDescription> functions;
  for (size_t i = 0; i < tools.size() && reader.ok(); ++i) {
    const std::string here = fmt::format("{}[{}]", place, i);
    const json::object* tool = tools[i].if_object();
    if (!tool) {
      reader.fail(bad_request(here, fmt::format("{} must be an object", here)));
      break;
    }
    JsonReader fields = reader.inside(*tool, here);
    if (const std::string type = fields.text("type").value_or("function"); type != "function") {
      fields.fail("type", fmt::format("{}.type is \"{}\", it must be \"function\"", here, type.substr(0, 40)));
      break;
    }
    const json::object* function = fields.object("function");
    if (!function && !fields.any("name")) fields.fail("function", fmt::format("{}.function is missing", here));
    const std::string there = function ? here + ".function" : here;
    functions.push_back(read_function(function ? *function : *tool, there, reader));
    std::optional<PlacedGrammar> held_to =
        read_arguments(function ? *function : *tool, functions.back(), there, reader);
    if (held_to) arguments.insert_or_assign(functions.back().name, std::move(*held_to));
  }
  return functions;
}

std::optional<harmony::ReasoningEffort> read_effort(std::string_view key, JsonReader& reader) {
  const std::optional<std::string> name = reader.text(key);
  if (!name) return std::nullopt;
  if (*name == "none" || *name == "minimal") return harmony::ReasoningEffort::kLow;
  if (*name == "xhigh" || *name == "max") return harmony::ReasoningEffort::kHigh;
  const std::optional<harmony::ReasoningEffort> effort = harmony::effort_from_name(*name);
  if (!effort)
    reader.fail(key, fmt::format("\"{}\" is \"{}\"; this model has low, medium and high", reader.place(key),
                                 name->substr(0, 40)));
  return effort;
}

}  // namespace gossamer::server
