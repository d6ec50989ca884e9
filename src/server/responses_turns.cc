#include <algorithm>
#include <map>
#include <utility>

#include "harmony/json_text.h"
#include "harmony/text_words.h"
#include "server/responses_items.h"
#include "server/responses_tools.h"
#include "server/shown_text.h"

namespace gossamer::server {
namespace {

/// Items that stand for work of tools which this server does not have: agents replay them after talking to others.
constexpr std::string_view kForeignTypes[] = {"web_search_call",
                                              "file_search_call",
                                              "computer_call",
                                              "computer_call_output",
                                              "code_interpreter_call",
                                              "image_generation_call",
                                              "local_shell_call",
                                              "local_shell_call_output",
                                              "shell_call",
                                              "shell_call_output",
                                              "mcp_list_tools",
                                              "mcp_call",
                                              "tool_search_call",
                                              "tool_search_output",
                                              "additional_tools",
                                              "compaction",
                                              "compaction_summary",
                                              "compaction_trigger",
                                              "program",
                                              "program_output",
                                              "configuration_update",
                                              "ghost_snapshot"};

constexpr std::string_view kPast = "previous_response_id";  // the place of items of earlier responses

/// Builds turns from items as they come. The assistant's turn that is open takes reasoning, then a text, then calls;
/// what would come before what it has begins another.
class TurnBuilder {
 public:
  TurnBuilder(const std::function<std::optional<std::string>(std::string_view)>& open_reasoning, JsonReader& reader)
      : open_reasoning_(open_reasoning), reader_(reader) {}

  void add(const PlacedItem& item);
  ItemTurns take();

 private:
  enum class Stage : uint8_t { kNone, kReasoning, kText, kCalls };

  void add_message(JsonReader& item, const std::string& place);
  void add_reasoning(JsonReader& item, const std::string& place);
  void add_call(JsonReader& item, const std::string& place, std::string name, std::string arguments);
  void add_result(JsonReader& item, const std::string& place, std::string text);
  void add_approval_request(JsonReader& item, const std::string& place);
  void add_approval_response(JsonReader& item, const std::string& place);
  bool takes_approved_call(JsonReader& item, const std::string& place);
  void give_up_approved_call(const std::string& place);
  void add_server_result(const std::string& place, std::string text);
  std::string result_text(const json::value* output, const std::string& place);
  /// The assistant's turn for something of that stage.
  ChatTurn& assistant(Stage stage, const std::string& place);
  void flush();

  const std::function<std::optional<std::string>(std::string_view)>& open_reasoning_;
  JsonReader& reader_;
  ItemTurns out_;
  ChatTurn open_;
  Stage stage_ = Stage::kNone;
  std::map<std::string, PastCall, std::less<>> asked_;  // calls that approval was asked for, by the items' ids
  std::string approved_place_;                          // of the response that approved `out_.approved`
};

void append_paragraph(std::string& text, const std::string& more) {
  if (!text.empty() && !more.empty()) text += "\n\n";
  text += more;
}

ChatTurn& TurnBuilder::assistant(Stage stage, const std::string& place) {
  if (stage < stage_) flush();
  if (stage_ == Stage::kNone) {
    open_ = ChatTurn();
    open_.role = ChatTurn::Role::kAssistant;
    open_.place = place;
  }
  stage_ = stage;
  return open_;
}

void TurnBuilder::flush() {
  if (stage_ != Stage::kNone) out_.turns.push_back(std::move(open_));
  stage_ = Stage::kNone;
}

ItemTurns TurnBuilder::take() {
  flush();
  return std::move(out_);
}

void TurnBuilder::add_message(JsonReader& item, const std::string& place) {
  const std::string role = item.text("role").value_or("");
  std::string text = read_content(item.any("content"), place + ".content", reader_);
  if (role == "assistant") {
    // What was said before a call: more reasoning may come between it and the call.
    if (item.text("phase") == "commentary") return append_paragraph(assistant(Stage::kReasoning, place).text, text);
    if (stage_ == Stage::kText) flush();
    return append_paragraph(assistant(Stage::kText, place).text, text);
  }
  flush();
  ChatTurn turn;
  turn.text = std::move(text);
  turn.place = place;
  if (role == "user") {
    turn.role = ChatTurn::Role::kUser;
  } else if (role == "system") {
    turn.role = ChatTurn::Role::kSystem;
  } else if (role == "developer") {
    turn.role = ChatTurn::Role::kDeveloper;
  } else {
    return item.fail("role", fmt::format("{}.role is \"{}\", it must be \"user\", \"assistant\", \"system\" or "
                                         "\"developer\"",
                                         place, shown(role)));
  }
  out_.turns.push_back(std::move(turn));
}

void TurnBuilder::add_reasoning(JsonReader& item, const std::string& place) {
  std::string text;
  if (const json::array* parts = item.array("content")) {
    for (const json::value& part : *parts) {
      const json::value* piece = find_member(part, "text");
      if (const json::string* words = piece ? piece->if_string() : nullptr)
        append_paragraph(text, std::string(*words));
      else
        item.fail("content",
                  fmt::format("{}.content must be a list of {{\"type\": \"reasoning_text\", \"text\"}}", place));
    }
  }
  const std::optional<std::string> sealed = item.text("encrypted_content");
  if (text.empty() && sealed && !sealed->empty()) {
    if (std::optional<std::string> opened = open_reasoning_(*sealed))
      text = std::move(*opened);
    else
      ++out_.unread_reasoning;
  }
  if (!text.empty()) append_paragraph(assistant(Stage::kReasoning, place).reasoning, text);
}

void TurnBuilder::add_call(JsonReader& item, const std::string& place, std::string name, std::string arguments) {
  PastCall call{item.text("call_id").value_or(""), std::move(name), std::move(arguments)};
  if (call.id.empty()) item.fail("call_id", fmt::format("{} lacks \"call_id\"", place));
  if (call.name.empty()) item.fail("name", fmt::format("{} lacks \"name\"", place));
  assistant(Stage::kCalls, place).calls.push_back(std::move(call));
}

std::string TurnBuilder::result_text(const json::value* output, const std::string& place) {
  if (!output || output->is_string() || output->is_array()) return read_content(output, place + ".output", reader_);
  return harmony::compact_json(*output);  // some clients send the result as it is
}

void TurnBuilder::add_result(JsonReader& item, const std::string& place, std::string text) {
  flush();
  ChatTurn turn;
  turn.role = ChatTurn::Role::kTool;
  turn.text = std::move(text);
  turn.call_id = item.text("call_id").value_or("");
  turn.place = place;
  if (turn.call_id.empty()) item.fail("call_id", fmt::format("{} lacks \"call_id\"", place));
  out_.turns.push_back(std::move(turn));
}

void TurnBuilder::add_approval_request(JsonReader& item, const std::string& place) {
  PastCall call;
  const std::string id = item.text("id").value_or("");
  call.id = item.text("call_id").value_or(id);
  call.name = item.text("server_label").value_or("") + "." + item.text("name").value_or("");
  call.arguments = item.text("arguments").value_or("{}");
  call.is_of_server = true;
  if (harmony::first_word(call.name) != call.name || call.name.find('<') != std::string::npos)
    item.fail("name", fmt::format("{} asks for a call of \"{}\", which is no name of a tool", place, shown(call.name)));
  asked_.insert_or_assign(id, std::move(call));
}

void TurnBuilder::add_approval_response(JsonReader& item, const std::string& place) {
  const std::string id = item.text("approval_request_id").value_or("");
  const auto asked = asked_.find(id);
  if (asked == asked_.end())
    return item.fail("approval_request_id",
                     fmt::format("{} answers \"{}\", but no mcp_approval_request before it has this id, or it is "
                                 "answered already",
                                 place, shown(id)));
  const PastCall call = std::move(asked->second);
  asked_.erase(asked);
  assistant(Stage::kCalls, place).calls.push_back(call);
  out_.approved = ApprovedCall{id, call.name, call.arguments};
  approved_place_ = place;
  if (item.boolean("approve").value_or(false)) return;
  const std::string reason = item.text("reason").value_or("");
  add_server_result(place, reason.empty() ? "The user did not approve this call."
                                          : fmt::format("The user did not approve this call: {}", reason));
}

/// True where the item is the approved call, with what it gave.
bool TurnBuilder::takes_approved_call(JsonReader& item, const std::string& place) {
  if (!out_.approved || item.text("approval_request_id") != out_.approved->request_id) return false;
  const json::value* text = item.any("output");
  if (!text) text = item.any("error");
  add_server_result(place, text ? result_text(text, place) : "The call was not completed.");
  return true;
}

/// Something follows an approval that no call has followed.
void TurnBuilder::give_up_approved_call(const std::string& place) {
  const bool is_of_past = approved_place_ == kPast;
  if (!is_of_past)
    reader_.fail(
        bad_request(approved_place_, fmt::format("{} approves a call, which is made now: it must be the last item, "
                                                 "but {} follows",
                                                 approved_place_, place)));
  add_server_result(place, "The call was approved, but not made.");
}

void TurnBuilder::add_server_result(const std::string& place, std::string text) {
  const std::string id = open_.calls.back().id;
  flush();
  ChatTurn turn;
  turn.role = ChatTurn::Role::kTool;
  turn.text = std::move(text);
  turn.call_id = id;
  turn.place = place;
  out_.turns.push_back(std::move(turn));
  out_.approved.reset();
}

void TurnBuilder::add(const PlacedItem& placed) {
  JsonReader item = reader_.inside(*placed.item, placed.place);
  const std::string type = item.text("type").value_or("");
  if (type == "mcp_call" && takes_approved_call(item, placed.place)) return;
  const bool is_ignored = std::ranges::find(kForeignTypes, type) != std::end(kForeignTypes);
  if (out_.approved && !is_ignored) give_up_approved_call(placed.place);
  if (type == "message") {
    add_message(item, placed.place);
  } else if (type == "reasoning") {
    add_reasoning(item, placed.place);
  } else if (type == "function_call") {
    add_call(item, placed.place, item.text("name").value_or(""), item.text("arguments").value_or("{}"));
  } else if (type == "custom_tool_call") {
    add_call(item, placed.place, item.text("name").value_or(""), custom_arguments(item.text("input").value_or("")));
  } else if (type == "apply_patch_call") {
    const json::object* operation = item.object("operation");
    add_call(item, placed.place, "apply_patch", operation ? harmony::compact_json(*operation) : "{}");
  } else if (type == "function_call_output" || type == "custom_tool_call_output") {
    add_result(item, placed.place, result_text(item.any("output"), placed.place));
  } else if (type == "apply_patch_call_output") {
    std::string text = result_text(item.any("output"), placed.place);
    if (text.empty()) text = item.text("status").value_or("completed");
    add_result(item, placed.place, std::move(text));
  } else if (type == "mcp_approval_request") {
    add_approval_request(item, placed.place);
  } else if (type == "mcp_approval_response") {
    add_approval_response(item, placed.place);
  } else if (is_ignored) {
    if (std::ranges::find(out_.ignored_types, type) == out_.ignored_types.end()) out_.ignored_types.push_back(type);
  } else {
    item.fail("type", fmt::format("{}.type is \"{}\", which is no item of a response", placed.place, shown(type)));
  }
}

}  // namespace

ItemTurns turns_from_items(const std::vector<PlacedItem>& items,
                           const std::function<std::optional<std::string>(std::string_view)>& open_reasoning,
                           JsonReader& reader) {
  TurnBuilder builder(open_reasoning, reader);
  for (const PlacedItem& item : items) {
    if (!reader.ok()) break;
    builder.add(item);
  }
  return builder.take();
}

}  // namespace gossamer::server
