#include "server/responses_request.h"

#include <chrono>
#include <utility>

#include "server/answer_limits.h"
#include "server/chat_prompt.h"
#include "server/output_format.h"
#include "server/request_fields.h"
#include "server/responses_items.h"
#include "server/shown_text.h"

namespace gossamer::server {
namespace {

constexpr size_t kMostMetadata = 16, kMostMetadataKeyBytes = 64, kMostMetadataBytes = 512;

json::value text_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

/// "text": {"format": {"type": "text" | "json_object" | "json_schema", "name", "schema", "strict"}, "verbosity"}.
OutputFormat read_format(JsonReader& reader, json::object& echo) {
  OutputFormat out;
  json::object written{{"format", json::object{{"type", "text"}}}, {"verbosity", "medium"}};
  if (const json::object* text = reader.object("text")) {
    JsonReader inner = reader.inside(*text, "text");
    if (const auto verbosity = inner.text("verbosity")) {
      if (*verbosity != "low" && *verbosity != "medium" && *verbosity != "high")
        inner.fail("verbosity", fmt::format("text.verbosity is \"{}\", it must be \"low\", \"medium\" or \"high\"",
                                            shown(*verbosity)));
      written["verbosity"] = *verbosity;
    }
    if (const json::object* format = inner.object("format")) {
      written["format"] = *format;
      out = read_output_format(format, "text.format", inner);
    }
  }
  echo["text"] = std::move(written);
  return out;
}

std::optional<harmony::ReasoningEffort> read_reasoning(JsonReader& reader, json::object& echo) {
  std::optional<harmony::ReasoningEffort> effort;
  std::optional<std::string> summary;
  if (const json::object* reasoning = reader.object("reasoning")) {
    JsonReader inner = reader.inside(*reasoning, "reasoning");
    effort = read_effort("effort", inner);
    summary = inner.text("summary");
  }
  const harmony::ReasoningEffort used = effort.value_or(harmony::ReasoningEffort::kMedium);
  echo["reasoning"] = json::object{{"effort", harmony::effort_name(used)}, {"summary", text_or_null(summary)}};
  return effort;
}

void read_metadata(JsonReader& reader, json::object& echo) {
  const json::object* metadata = reader.object("metadata");
  echo["metadata"] = metadata ? *metadata : json::object();
  if (!metadata) return;
  if (metadata->size() > kMostMetadata)
    reader.fail("metadata",
                fmt::format("metadata has {} keys, at most {} are allowed", metadata->size(), kMostMetadata));
  for (const auto& [key, value] : *metadata) {
    if (!value.is_string() || value.get_string().size() > kMostMetadataBytes || key.size() > kMostMetadataKeyBytes)
      reader.fail("metadata", fmt::format("metadata must hold texts of at most {} bytes under keys of at most {}",
                                          kMostMetadataBytes, kMostMetadataKeyBytes));
  }
}

void read_include(JsonReader& reader, ResponsesRequest& request) {
  const json::array* include = reader.array("include");
  if (!include) return;
  for (const json::value& entry : *include) {
    if (!entry.is_string()) return reader.fail("include", "\"include\" must be a list of texts");
    // Others ask for what tools of this server never give.
    if (entry.get_string() == "message.output_text.logprobs") request.wants_logprobs = true;
    if (entry.get_string() == "reasoning.encrypted_content") request.wants_sealed_reasoning = true;
  }
}

void read_limits_of(JsonReader& reader, const ServedModel& model, ResponsesRequest& request) {
  request.limits = read_limits(reader, model);
  if (request.limits.ignore_eos)
    reader.fail("ignore_eos", "\"ignore_eos\" is for /v1/completions: a response ends where the model ends its turn");
  json::object& echo = request.echo;
  // As they were written: 0.7 is no float.
  echo["temperature"] = reader.number(fields::kTemperature).value_or(request.limits.sampling.temperature);
  echo["top_p"] = reader.number(fields::kTopP).value_or(request.limits.sampling.top_p);
  request.limits.max_tokens = read_token_limit(reader, fields::kMaxOutputTokens).value_or(0);
  echo["max_output_tokens"] = request.limits.max_tokens > 0 ? json::value(request.limits.max_tokens) : json::value();
  const std::optional<int64_t> top_logprobs = reader.whole(fields::kTopLogprobs);
  if (top_logprobs.value_or(0) > 0) request.wants_logprobs = true;
  if (request.wants_logprobs) request.limits.top_logprobs = static_cast<uint32_t>(top_logprobs.value_or(0));
  echo["top_logprobs"] = top_logprobs.value_or(0);
}

void refuse_what_is_not_here(JsonReader& reader) {
  if (reader.any("prompt"))
    reader.fail("prompt", "stored prompts do not exist here: send \"instructions\" and \"input\"");
  if (reader.any("conversation"))
    reader.fail("conversation", "conversations do not exist here: send \"previous_response_id\" or the whole input");
}

void read_storing(JsonReader& reader, ResponsesRequest& request) {
  request.stream = reader.boolean("stream").value_or(false);
  request.store = reader.boolean("store").value_or(true);
  request.background = reader.boolean("background").value_or(false);
  if (request.background && !request.store)
    reader.fail("background", "a response in the background must be stored: leave out \"store\": false");
  request.previous_response_id = reader.text("previous_response_id");
  const std::string truncation = reader.text("truncation").value_or("disabled");
  if (truncation != "auto" && truncation != "disabled")
    reader.fail("truncation",
                fmt::format("truncation is \"{}\", it must be \"auto\" or \"disabled\"", shown(truncation)));
  request.truncates = truncation == "auto";
  request.echo["background"] = request.background;
  request.echo["store"] = request.store;
  request.echo["previous_response_id"] = text_or_null(request.previous_response_id);
  request.echo["truncation"] = truncation;
}

int64_t unix_seconds() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

json::object new_response(const std::string& stem, const ServedModel& model) {
  return {{"id", response_id(stem)}, {"object", "response"}, {"created_at", unix_seconds()},  {"status", "in_progress"},
          {"completed_at", nullptr}, {"error", nullptr},     {"incomplete_details", nullptr}, {"model", model.name()},
          {"output", json::array()}, {"usage", nullptr},     {"service_tier", "default"}};
}

}  // namespace

ResponsesRequest read_responses_request(JsonReader& reader, const ServedModel& model, std::string stem,
                                        const tools::Toolset* server_tools) {
  ResponsesRequest request;
  request.stem = std::move(stem);
  request.echo = new_response(request.stem, model);
  refuse_what_is_not_here(reader);
  request.input = normalized_input(request.stem, reader);
  request.instructions = reader.text("instructions");
  request.echo["instructions"] = text_or_null(request.instructions);
  read_storing(reader, request);
  read_include(reader, request);
  read_limits_of(reader, model, request);
  request.effort = read_reasoning(reader, request.echo);
  request.format = read_format(reader, request.echo);
  read_grammar_fields(reader, request.format);
  request.limits.reasoning_budget_tokens = read_reasoning_budget(reader);
  request.tools = read_responses_tools(reader, server_tools);
  request.tool_choice = read_responses_tool_choice(request.tools, reader);
  request.echo["tools"] = request.tools.echo;
  request.echo["tool_choice"] = request.tool_choice.echo;
  request.parallel_tool_calls = reader.boolean("parallel_tool_calls").value_or(true);
  request.echo["parallel_tool_calls"] = request.parallel_tool_calls;
  read_metadata(reader, request.echo);
  if (const auto most = reader.whole(fields::kMaxToolCalls)) request.max_tool_calls = static_cast<uint32_t>(*most);
  request.echo["max_tool_calls"] = request.max_tool_calls ? json::value(*request.max_tool_calls) : json::value(nullptr);
  for (const char* key : {"user", "prompt_cache_key", "safety_identifier"})
    request.echo[key] = text_or_null(reader.text(key));
  if (reader.ok() && request.input.empty() && !request.previous_response_id && !request.instructions)
    reader.fail("input", "the request has no \"input\"");
  return request;
}

}  // namespace gossamer::server
