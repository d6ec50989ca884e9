#include "server/responses_writer.h"

#include <utility>

#include "harmony/json_text.h"
#include "server/chat_answer.h"
#include "server/json_string.h"
#include "server/responses_items.h"
#include "server/tool_names.h"

namespace gossamer::server {
namespace {

using harmony::compact_json;

std::string_view call_id_prefix(ResponsesToolKind kind) {
  switch (kind) {
    case ResponsesToolKind::kCustom:
    case ResponsesToolKind::kCustomText:
      return "ctc_";
    case ResponsesToolKind::kApplyPatch:
      return "apc_";
    case ResponsesToolKind::kFunction:
      break;
  }
  return "fc_";
}

json::object server_error(std::string_view message) {
  return {{"code", "server_error"}, {"message", message}};
}

}  // namespace

json::object responses_usage(const Usage& usage) {
  return {{"input_tokens", usage.prompt_tokens},
          {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"cache_write_tokens", 0}}},
          {"output_tokens", usage.completion_tokens},
          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
          {"total_tokens", uint64_t{usage.prompt_tokens} + usage.completion_tokens}};
}

ResponsesWriter::ResponsesWriter(ResponsesWriterOptions options, Sink sink)
    : options_(std::move(options)), sink_(std::move(sink)), response_(options_.echo) {
  response_["status"] = options_.background ? "queued" : "in_progress";
}

void ResponsesWriter::begin() {
  emit_response("response.created");
  if (options_.background) emit_response("response.queued");
  response_["status"] = "in_progress";
  emit_response("response.in_progress");
}

void ResponsesWriter::add(const AnswerEvent& event) {
  if (ended_) return;
  switch (event.kind) {
    case AnswerEvent::Kind::kReasoning:
      open_text_item(ItemKind::kReasoning);
      return add_text(event);
    case AnswerEvent::Kind::kPreamble:
      open_text_item(ItemKind::kPreamble);
      return add_text(event);
    case AnswerEvent::Kind::kText:
      open_text_item(ItemKind::kText);
      return add_text(event);
    case AnswerEvent::Kind::kCallBegin:
      return open_call(event);
    case AnswerEvent::Kind::kCallArguments:
      if (open_.kind == ItemKind::kCall) add_text(event);
      return;
    case AnswerEvent::Kind::kCallEnd:
      if (open_.kind == ItemKind::kCall) close_item(true);
      return;
    case AnswerEvent::Kind::kServerTools:
      return list_server_tools(event);
    case AnswerEvent::Kind::kServerCall:
      return open_server_call(event);
    case AnswerEvent::Kind::kServerResult:
      return close_server_call(event);
    case AnswerEvent::Kind::kApprovalRequest:
      return ask_for_approval(event);
    case AnswerEvent::Kind::kEnd:
      return;
  }
}

void ResponsesWriter::open_text_item(ItemKind kind) {
  if (open_.kind == kind) return;
  close_item(true);
  open_.kind = kind;
  open_.id = output_item_id(kind == ItemKind::kReasoning ? "rs_" : "msg_", options_.stem, output_.size());
  json::object item = item_object("in_progress");
  item["content"] = json::array();
  emit_item("response.output_item.added", item);
  emit_part("response.content_part.added", text_part(""));
}

void ResponsesWriter::open_call(const AnswerEvent& event) {
  close_item(true);
  open_.kind = ItemKind::kCall;
  open_.call_id = event.call_id;
  open_.name = event.name;
  const auto kind = options_.tool_kinds.find(model_tool_name(event.name));
  if (kind != options_.tool_kinds.end()) open_.tool = kind->second;
  open_.id = output_item_id(call_id_prefix(open_.tool), options_.stem, output_.size());
  // An operation is known when it is complete.
  if (open_.tool != ResponsesToolKind::kApplyPatch) emit_item("response.output_item.added", call_object("in_progress"));
}

void ResponsesWriter::add_text(const AnswerEvent& event) {
  open_.text += event.text;
  switch (open_.kind) {
    case ItemKind::kReasoning:
      return emit("response.reasoning_text.delta", [&] {
        return fmt::format("{},\"content_index\":0,\"delta\":{}", item_members(), json_string(event.text));
      });
    case ItemKind::kPreamble:
    case ItemKind::kText: {
      json::array logprobs = chat_logprobs(event.tokens);
      emit("response.output_text.delta", [&] {
        return fmt::format("{},\"content_index\":0,\"delta\":{},\"logprobs\":{}", item_members(),
                           json_string(event.text), compact_json(logprobs));
      });
      for (json::value& token : logprobs) open_.logprobs.push_back(std::move(token));
      return;
    }
    case ItemKind::kCall:
      if (open_.tool == ResponsesToolKind::kFunction)
        emit("response.function_call_arguments.delta",
             [&] { return fmt::format("{},\"delta\":{}", item_members(), json_string(event.text)); });
      if (open_.tool == ResponsesToolKind::kCustomText)
        emit("response.custom_tool_call_input.delta",
             [&] { return fmt::format("{},\"delta\":{}", item_members(), json_string(event.text)); });
      return;
    case ItemKind::kNone:
    case ItemKind::kServerCall:
      return;
  }
}

void ResponsesWriter::close_item(bool complete) {
  const std::string_view status = complete ? "completed" : "incomplete";
  if (open_.kind == ItemKind::kReasoning) close_reasoning(status);
  if (open_.kind == ItemKind::kPreamble || open_.kind == ItemKind::kText) close_message(status);
  if (open_.kind == ItemKind::kCall) close_call(complete);
  if (open_.kind == ItemKind::kServerCall) {
    open_.server_item["status"] = "incomplete";  // its result never came
    finish_item(std::move(open_.server_item));
  }
  open_ = OpenItem();
}

void ResponsesWriter::close_reasoning(std::string_view status) {
  emit("response.reasoning_text.done",
       [&] { return fmt::format("{},\"content_index\":0,\"text\":{}", item_members(), json_string(open_.text)); });
  emit_part("response.content_part.done", text_part(open_.text));
  finish_item(item_object(status));
}

void ResponsesWriter::close_message(std::string_view status) {
  emit("response.output_text.done", [&] {
    return fmt::format("{},\"content_index\":0,\"text\":{},\"logprobs\":{}", item_members(), json_string(open_.text),
                       compact_json(open_.logprobs));
  });
  emit_part("response.content_part.done", text_part(open_.text));
  finish_item(item_object(status));
}

void ResponsesWriter::close_call(bool complete) {
  switch (open_.tool) {
    case ResponsesToolKind::kFunction:
      emit("response.function_call_arguments.done", [&] {
        return fmt::format("{},\"name\":{},\"arguments\":{}", item_members(), json_string(open_.name),
                           json_string(open_.text));
      });
      break;
    case ResponsesToolKind::kCustom: {
      const std::string input = json_string(custom_input(open_.text));
      emit("response.custom_tool_call_input.delta",
           [&] { return fmt::format("{},\"delta\":{}", item_members(), input); });
      emit("response.custom_tool_call_input.done",
           [&] { return fmt::format("{},\"input\":{}", item_members(), input); });
      break;
    }
    case ResponsesToolKind::kCustomText:
      emit("response.custom_tool_call_input.done",
           [&] { return fmt::format("{},\"input\":{}", item_members(), json_string(open_.text)); });
      break;
    case ResponsesToolKind::kApplyPatch:
      if (!complete) return;  // half of an operation is none
      emit_item("response.output_item.added", call_object("in_progress"));
      break;
  }
  json::object item = call_object(complete ? "completed" : "incomplete");
  if (open_.tool == ResponsesToolKind::kFunction) item["arguments"] = open_.text;
  if (open_.tool == ResponsesToolKind::kCustom) item["input"] = custom_input(open_.text);
  if (open_.tool == ResponsesToolKind::kCustomText) item["input"] = open_.text;
  finish_item(std::move(item));
}

void ResponsesWriter::end(const AnswerEvent& event, const ResponsesEnd& end) {
  if (ended_) return;
  ended_ = true;
  close_item(event.finish == AnswerEvent::Finish::kStop || event.finish == AnswerEvent::Finish::kToolCalls);
  settle_end(event, end);
  response_["output"] = std::move(output_);
  response_["usage"] = responses_usage(event.usage);
  for (const auto& [key, value] : end.extras) response_[key] = value;
  const json::string& status = response_["status"].get_string();
  emit_response(status == "completed" ? "response.completed"
                : status == "failed"  ? "response.failed"
                                      : "response.incomplete");
}

void ResponsesWriter::settle_end(const AnswerEvent& event, const ResponsesEnd& end) {
  const auto fail = [&](std::string_view message) {
    response_["status"] = "failed";
    response_["error"] = server_error(message);
  };
  // Of the two reasons that clients know the one that fits a deadline and the server's own end, too.
  const auto cut_short = [&] {
    response_["status"] = "incomplete";
    response_["incomplete_details"] = json::object{{"reason", "max_output_tokens"}};
  };
  switch (event.finish) {
    case AnswerEvent::Finish::kStop:
    case AnswerEvent::Finish::kToolCalls:
      response_["status"] = "completed";
      response_["completed_at"] = end.completed_unix_seconds;
      return;
    case AnswerEvent::Finish::kLength:
      return cut_short();
    case AnswerEvent::Finish::kCancelled:
      if (end.cancelled_by_client)
        response_["status"] = "cancelled";
      else
        cut_short();
      return;
    case AnswerEvent::Finish::kDeadline:
      return cut_short();
    case AnswerEvent::Finish::kError:
      return fail(answer_failed(event.error).message);
  }
}

json::object ResponsesWriter::text_part(std::string_view text) const {
  if (open_.kind == ItemKind::kReasoning) return {{"type", "reasoning_text"}, {"text", text}};
  return {{"type", "output_text"}, {"text", text}, {"annotations", json::array()}, {"logprobs", open_.logprobs}};
}

json::object ResponsesWriter::item_object(std::string_view status) const {
  json::object item{{"id", open_.id}};
  if (open_.kind == ItemKind::kReasoning) {
    item["type"] = "reasoning";
    item["summary"] = json::array();
    item["content"] = json::array{text_part(open_.text)};
    if (options_.seal && status != "in_progress") item["encrypted_content"] = options_.seal(open_.text);
  } else {
    item["type"] = "message";
    item["role"] = "assistant";
    item["phase"] = open_.kind == ItemKind::kPreamble ? "commentary" : "final_answer";
    item["content"] = json::array{text_part(open_.text)};
  }
  item["status"] = status;
  return item;
}

json::object ResponsesWriter::call_object(std::string_view status) const {
  json::object item{{"id", open_.id}, {"call_id", open_.call_id}};
  switch (open_.tool) {
    case ResponsesToolKind::kFunction:
      item["type"] = "function_call";
      item["name"] = open_.name;
      item["arguments"] = "";
      break;
    case ResponsesToolKind::kCustom:
    case ResponsesToolKind::kCustomText:
      item["type"] = "custom_tool_call";
      item["name"] = open_.name;
      item["input"] = "";
      break;
    case ResponsesToolKind::kApplyPatch:
      item["type"] = "apply_patch_call";
      item["operation"] = patch_operation(open_.text);
      break;
  }
  item["status"] = status;
  return item;
}

void ResponsesWriter::finish_item(json::object item) {
  emit_item("response.output_item.done", item);
  output_.push_back(std::move(item));
}

void ResponsesWriter::emit_item(std::string_view type, const json::object& item) {
  emit(type, [&] { return fmt::format(",\"output_index\":{},\"item\":{}", output_.size(), compact_json(item)); });
}

void ResponsesWriter::emit_part(std::string_view type, const json::object& part) {
  emit(type, [&] { return fmt::format("{},\"content_index\":0,\"part\":{}", item_members(), compact_json(part)); });
}

void ResponsesWriter::emit_response(std::string_view type) {
  emit(type, [&] { return fmt::format(",\"response\":{}", compact_json(response_)); });
}

std::string ResponsesWriter::item_members() const {
  return fmt::format(",\"item_id\":\"{}\",\"output_index\":{}", open_.id, output_.size());
}

}  // namespace gossamer::server
