#include "server/event_grammar.h"

#include <set>

#include "base/json.h"

namespace gossamer::server {
namespace {

/// Follows a stream, event by event.
class Grammar {
 public:
  /// Empty: it may stand here.
  std::string take(const std::string& name, const json::object& event);
  std::string finish() const { return stage_ == Stage::kEnded ? "" : "the stream ends without its last event"; }

 private:
  enum class Stage : uint8_t { kNothing, kCreated, kItems, kEnded };

  std::string take_response(std::string_view type, const json::object& event);
  std::string take_item_added(const json::object& event);
  std::string take_part_added(const json::object& event);
  std::string take_delta(const json::object& event);
  std::string take_text_done(const json::object& event, std::string_view key);
  std::string take_part_done(const json::object& event);
  std::string take_item_done(const json::object& event);
  std::string belongs_to_open_item(const json::object& event) const;
  std::string check_end(std::string_view type, const json::object& response) const;

  Stage stage_ = Stage::kNothing;
  uint64_t next_number_ = 0;
  std::string response_id_;
  json::array done_;
  std::set<std::string> ids_;
  json::object item_;  // the open one; empty: none is
  bool part_open_ = false, text_done_ = false, part_done_ = false;
  std::string text_;
};

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string("<none>");
}

int64_t number_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_int64() ? value->get_int64() : -1;
}

std::string lacks(const json::object& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (!object.contains(key)) return fmt::format("lacks \"{}\"", key);
  return {};
}

bool is_text_item(const json::object& item) {
  return text_at(item, "type") == "message" || text_at(item, "type") == "reasoning";
}

/// The member of a call's item that deltas make.
const char* argument_key(const json::object& item) {
  return text_at(item, "type") == "custom_tool_call" ? "input" : "arguments";
}

std::string_view prefix_of(const std::string& type) {
  if (type == "message") return "msg_";
  if (type == "reasoning") return "rs_";
  if (type == "function_call") return "fc_";
  if (type == "custom_tool_call") return "ctc_";
  if (type == "apply_patch_call") return "apc_";
  return "<no such type>";
}

std::string Grammar::take(const std::string& name, const json::object& event) {
  const std::string type = text_at(event, "type");
  if (name != type) return fmt::format("event is {}, type is {}", name, type);
  if (stage_ == Stage::kEnded) return "something follows the last event";
  if (number_at(event, "sequence_number") != static_cast<int64_t>(next_number_++)) return "sequence_number has a gap";
  if (event.contains("response")) return take_response(type, event);
  if (stage_ != Stage::kItems) return "an item before in_progress";
  if (type == "response.output_item.added") return take_item_added(event);
  if (std::string wrong = belongs_to_open_item(event); !wrong.empty()) return wrong;
  if (type == "response.output_item.done") return take_item_done(event);
  if (type == "response.content_part.added") return take_part_added(event);
  if (type == "response.content_part.done") return take_part_done(event);
  const std::string item = text_at(item_, "type");
  if (type == (item == "reasoning" ? "response.reasoning_text.delta" : "response.output_text.delta") && part_open_)
    return take_delta(event);
  if (type == (item == "reasoning" ? "response.reasoning_text.done" : "response.output_text.done") && part_open_)
    return take_text_done(event, "text");
  const std::string call = item == "function_call"      ? "response.function_call_arguments"
                           : item == "custom_tool_call" ? "response.custom_tool_call_input"
                                                        : "<none>";
  if (type == call + ".delta") return take_delta(event);
  if (type == call + ".done") return take_text_done(event, argument_key(item_));
  return fmt::format("{} cannot stand in an item of the type {}", type, item);
}

std::string Grammar::belongs_to_open_item(const json::object& event) const {
  if (item_.empty()) return "belongs to no item";
  if (number_at(event, "output_index") != static_cast<int64_t>(done_.size())) return "output_index is another's";
  const json::value* item = event.if_contains("item");
  const std::string id = item ? text_at(item->as_object(), "id") : text_at(event, "item_id");
  return id == text_at(item_, "id") ? "" : "item_id is another's";
}

std::string Grammar::take_response(std::string_view type, const json::object& event) {
  const json::object& response = event.at("response").as_object();
  if (std::string wrong = lacks(response, {"id",
                                           "object",
                                           "created_at",
                                           "status",
                                           "error",
                                           "incomplete_details",
                                           "instructions",
                                           "max_output_tokens",
                                           "model",
                                           "output",
                                           "parallel_tool_calls",
                                           "previous_response_id",
                                           "reasoning",
                                           "store",
                                           "temperature",
                                           "text",
                                           "tool_choice",
                                           "tools",
                                           "top_p",
                                           "truncation",
                                           "usage",
                                           "user",
                                           "metadata",
                                           "background"});
      !wrong.empty())
    return wrong;
  const std::string status = text_at(response, "status");
  if (type == "response.created") {
    if (stage_ != Stage::kNothing) return "a second created";
    stage_ = Stage::kCreated;
    response_id_ = text_at(response, "id");
    if (!response_id_.starts_with("resp_")) return "the id of a response begins with resp_";
    return response.at("output").as_array().empty() ? "" : "output is there before its items";
  }
  if (stage_ == Stage::kNothing) return "the first event is not created";
  if (text_at(response, "id") != response_id_) return "the id of the response changed";
  if (type == "response.queued")
    return stage_ == Stage::kCreated && status == "queued" ? "" : "queued at a wrong place";
  if (type == "response.in_progress") {
    if (stage_ != Stage::kCreated || status != "in_progress") return "in_progress at a wrong place";
    stage_ = Stage::kItems;
    return {};
  }
  if (stage_ != Stage::kItems) return "the end comes before in_progress";
  if (!item_.empty()) return "the end comes before the item is done";
  stage_ = Stage::kEnded;
  return check_end(type, response);
}

std::string Grammar::check_end(std::string_view type, const json::object& response) const {
  const std::string status = text_at(response, "status");
  const bool fits = (type == "response.completed" && status == "completed") ||
                    (type == "response.failed" && status == "failed") ||
                    (type == "response.incomplete" && (status == "incomplete" || status == "cancelled"));
  if (!fits) return fmt::format("the end is {} with the status {}", type, status);
  if (response.at("output") != json::value(done_)) return "output is not what the items were";
  if ((status == "incomplete") != response.at("incomplete_details").is_object()) return "incomplete_details do not fit";
  if ((status == "failed") != response.at("error").is_object()) return "error does not fit";
  for (const json::value& item : done_)
    if (status == "completed" && item.as_object().at("status") != "completed") return "completed with half an item";
  const json::object& usage = response.at("usage").as_object();
  if (std::string wrong = lacks(usage, {"input_tokens", "output_tokens", "total_tokens"}); !wrong.empty()) return wrong;
  if (std::string wrong = lacks(usage.at("input_tokens_details").as_object(), {"cached_tokens", "cache_write_tokens"});
      !wrong.empty())
    return wrong;
  return lacks(usage.at("output_tokens_details").as_object(), {"reasoning_tokens"});
}

std::string Grammar::take_item_added(const json::object& event) {
  if (!item_.empty()) return "an item begins inside another";
  if (number_at(event, "output_index") != static_cast<int64_t>(done_.size())) return "output_index has a gap";
  item_ = event.at("item").as_object();
  const std::string id = text_at(item_, "id");
  if (!id.starts_with(prefix_of(text_at(item_, "type")))) return fmt::format("the id {} has another's prefix", id);
  if (!ids_.insert(id).second) return "an id twice";
  if (text_at(item_, "status") != "in_progress") return "an item begins with another status than in_progress";
  if (is_text_item(item_) && !item_.at("content").as_array().empty()) return "an item begins with content";
  if (text_at(item_, "type").ends_with("_call")) {
    if (text_at(item_, "call_id") == id || !item_.contains("call_id")) return "call_id is missing, or the id";
    if (text_at(item_, "type") != "apply_patch_call" && text_at(item_, argument_key(item_)) != "")
      return "a call begins with arguments";
  }
  if (text_at(item_, "type") == "reasoning" && !item_.at("summary").is_array()) return "reasoning lacks its summary";
  part_open_ = text_done_ = part_done_ = false;
  text_.clear();
  return {};
}

std::string Grammar::take_part_added(const json::object& event) {
  if (!is_text_item(item_) || part_open_) return "a part cannot begin here";
  if (number_at(event, "content_index") != 0) return "content_index is not 0";
  if (text_at(event.at("part").as_object(), "text") != "") return "a part begins with text";
  part_open_ = true;
  return {};
}

std::string Grammar::take_delta(const json::object& event) {
  if (text_done_) return "a delta after the text is done";
  const std::string delta = text_at(event, "delta");
  if (delta.empty() && text_at(item_, "type") != "custom_tool_call") return "an empty delta";
  if (text_at(event, "type") == "response.output_text.delta" && !event.at("logprobs").is_array())
    return "a delta lacks its logprobs";
  text_ += delta;
  return {};
}

std::string Grammar::take_text_done(const json::object& event, std::string_view key) {
  if (text_done_) return "the text is done twice";
  text_done_ = true;
  return text_at(event, key) == text_ ? "" : "the text is not what the deltas were";
}

std::string Grammar::take_part_done(const json::object& event) {
  if (!part_open_ || !text_done_ || part_done_) return "a part cannot end here";
  part_done_ = true;
  return text_at(event.at("part").as_object(), "text") == text_ ? "" : "the part is not what the deltas were";
}

std::string Grammar::take_item_done(const json::object& event) {
  const json::object& item = event.at("item").as_object();
  const std::string type = text_at(item, "type");
  if (type != text_at(item_, "type")) return "the type of the item changed";
  if (is_text_item(item)) {
    if (!part_done_) return "an item ends before its part";
    const json::array& content = item.at("content").as_array();
    if (content.size() != 1 || text_at(content[0].as_object(), "text") != text_) return "content is not the deltas";
  } else if (type != "apply_patch_call") {
    if (!text_done_ || text_at(item, argument_key(item)) != text_) return "arguments are not the deltas";
  }
  for (const char* key : {"call_id", "name", "role", "phase"})
    if (text_at(item, key) != text_at(item_, key)) return fmt::format("{} of the item changed", key);
  done_.push_back(item);
  item_.clear();
  return {};
}

}  // namespace

std::string broken_rule(const std::vector<WrittenEvent>& events) {
  Grammar grammar;
  for (size_t i = 0; i < events.size(); ++i) {
    const Result<json::value> event = parse_json(events[i].second, "the event");
    if (!event.ok()) return event.error().message;
    std::string wrong = grammar.take(events[i].first, event->as_object());
    if (!wrong.empty()) return fmt::format("event {}: {}: {}", i, wrong, events[i].second.substr(0, 400));
  }
  return grammar.finish();
}

std::vector<WrittenEvent> events_of_sse(std::string_view text) {
  std::vector<WrittenEvent> events;
  std::string name;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with("event: ")) name = line.substr(7);
    if (line.starts_with("data: ")) events.emplace_back(name, line.substr(6));
  }
  return events;
}

}  // namespace gossamer::server
