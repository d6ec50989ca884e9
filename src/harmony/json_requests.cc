#include "harmony/json_requests.h"

#include <limits>
#include <utility>
#include <vector>

#include "harmony/conversation_json.h"
#include "harmony/json_text.h"
#include "harmony/render.h"

namespace gossamer::harmony {
namespace {

Result<json::value> read_line(std::string_view line) {
  GOS_TRY(json::value value, parse_json_like_serde(line, "the input line"));
  if (!value.is_object()) return make_error(ErrorCode::kInvalidInput, "the input line is not a JSON object");
  return value;
}

/// The string member `key`; nothing where it is absent or null.
Result<std::optional<std::string>> optional_string(const json::value& request, std::string_view key) {
  const json::value* member = find_member(request, key);
  if (!member || member->is_null()) return std::optional<std::string>();
  if (const json::string* text = member->if_string()) return std::optional<std::string>(std::string(*text));
  return make_error(ErrorCode::kInvalidInput, "\"{}\" is not a string", key);
}

Result<std::optional<Role>> optional_role(const json::value& request, std::string_view key) {
  GOS_TRY(const std::optional<std::string> name, optional_string(request, key));
  if (!name) return std::optional<Role>();
  const std::optional<Role> role = role_from_name(*name);
  if (role) return role;
  return make_error(ErrorCode::kInvalidInput,
                    "\"{}\" is \"{}\", it must be \"user\", \"assistant\", \"system\", \"developer\" or \"tool\"", key,
                    *name);
}

Result<RenderOptions> read_render_options(const json::value& request) {
  RenderOptions options;
  const json::value* drop = find_member(request, "auto_drop_analysis");
  if (!drop || drop->is_null()) return options;
  if (!drop->is_bool()) return make_error(ErrorCode::kInvalidInput, "\"auto_drop_analysis\" is not true or false");
  options.auto_drop_analysis = drop->get_bool();
  return options;
}

Result<std::vector<TokenId>> render_request(const Tokenizer& tokenizer, const json::value& request) {
  const json::value* written = find_member(request, "conversation");
  if (!written) return make_error(ErrorCode::kInvalidInput, "the input line lacks \"conversation\"");
  GOS_TRY(const Conversation conversation, conversation_from_json(*written));
  GOS_TRY(const RenderOptions options, read_render_options(request));
  GOS_TRY(const std::optional<std::string> named_call, optional_string(request, "call"));
  GOS_TRY(const std::optional<Role> next_role, optional_role(request, "next_role"));
  const std::string call = named_call.value_or("completion");
  if (call == "completion")
    return render_for_completion(tokenizer, conversation, next_role.value_or(Role::kAssistant), options);
  if (call == "conversation") return render_conversation(tokenizer, conversation, options);
  if (call == "training") return render_for_training(tokenizer, conversation, options);
  return make_error(ErrorCode::kInvalidInput,
                    "\"call\" is \"{}\", it must be \"completion\", \"conversation\" or \"training\"", call);
}

Result<std::vector<TokenId>> read_tokens(const json::value& request) {
  const json::value* member = find_member(request, "tokens");
  const json::array* ids = member ? member->if_array() : nullptr;
  if (!ids) return make_error(ErrorCode::kInvalidInput, "the input line lacks \"tokens\", an array of token ids");
  std::vector<TokenId> tokens;
  tokens.reserve(ids->size());
  for (const json::value& id : *ids) {
    const int64_t* number = id.if_int64();
    constexpr int64_t kMax = std::numeric_limits<TokenId>::max();
    if (!number || *number < 0 || *number > kMax) {
      return make_error(ErrorCode::kInvalidInput, "tokens[{}] is {}, a token id is an integer from 0 to {}",
                        tokens.size(), compact_json(id), kMax);
    }
    tokens.push_back(static_cast<TokenId>(*number));
  }
  return tokens;
}

json::value string_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value();
}

/// Where the parser stands after a token.
json::array step_to_json(const StreamParser& parser) {
  const std::optional<Role> role = parser.current_role();
  return {parser_state_name(parser.state()),
          role ? json::value(role_name(*role)) : json::value(),
          string_or_null(parser.current_channel()),
          string_or_null(parser.current_recipient()),
          string_or_null(parser.current_content_type()),
          string_or_null(parser.last_delta()),
          parser.messages().size()};
}

}  // namespace

Result<json::object> render_json(const Tokenizer& tokenizer, std::string_view line) {
  GOS_TRY(const json::value request, read_line(line));
  GOS_TRY(const std::vector<TokenId> tokens, render_request(tokenizer, request));
  return json::object{{"tokens", json::array(tokens.begin(), tokens.end())}, {"text", tokenizer.decode_bytes(tokens)}};
}

Result<json::object> parse_json_tokens(std::shared_ptr<const Tokenizer> tokenizer, std::string_view line,
                                       ParseMode mode) {
  GOS_TRY(const json::value request, read_line(line));
  GOS_TRY(const std::optional<Role> role, optional_role(request, "role"));
  GOS_TRY(const std::vector<TokenId> tokens, read_tokens(request));
  GOS_TRY(StreamParser parser, StreamParser::create(std::move(tokenizer), role, mode));

  json::object reply;
  json::array steps;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Status status = parser.feed(tokens[i]);
    if (!status.ok()) {
      reply["error_at"] = i;
      reply["error"] = status.error().message;
      break;
    }
    steps.push_back(step_to_json(parser));
  }
  if (!reply.contains("error_at")) {
    const Status status = parser.finish();
    if (!status.ok()) reply["eos_error"] = status.error().message;
  }
  json::array messages;
  for (const Message& message : parser.messages()) messages.push_back(message_to_json(message));
  reply["steps"] = std::move(steps);
  reply["messages"] = std::move(messages);
  return reply;
}

}  // namespace gossamer::harmony
