#include "base/utf8.h"
#include "harmony/conversation_json.h"
#include "harmony/json_requests.h"
#include "harmony/json_text.h"
#include "harmony/render.h"
#include "server/app.h"
#include "server/call.h"
#include "server/chat_prompt.h"
#include "server/chat_request.h"
#include "server/legacy_functions.h"
#include "server/request_fields.h"
#include "server/routes.h"

namespace gossamer::server {
namespace {

using Answer =
    std::function<std::optional<json::object>(JsonReader& reader, const json::object& body, const ServedModel& model)>;

/// A route that answers at once, from the body and the loaded model alone.
Route at_once(Answer answer) {
  return [answer = std::move(answer)](const std::shared_ptr<Call>& call) {
    std::optional<json::object> body = call->read_body();
    if (!body) return;
    modernize_functions(*body);
    JsonReader reader(*body);
    const std::string name = reader.text("model").value_or("");
    if (!reader.ok()) return call->respond(*reader.problem());
    const std::shared_ptr<ServedModel> model = call->find_model(name);
    if (!model) return;
    const std::optional<json::object> object = answer(reader, *body, *model);
    if (!reader.ok() || !object) return call->respond(reader.problem().value_or(ApiError()));
    call->respond(*object);
  };
}

json::array ids_json(const std::vector<TokenId>& ids) {
  return json::array(ids.begin(), ids.end());
}

std::vector<TokenId> read_tokens(JsonReader& reader, std::string_view key, const Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  const json::array* list = reader.array(key);
  if (!list) {
    reader.fail(key, fmt::format("\"{}\" is missing: a list of token ids", key));
    return ids;
  }
  for (const json::value& item : *list) {
    const double number = item.is_number() ? item.to_number<double>() : -1;
    if (number < 0 || number >= tokenizer.head_rows()) {
      reader.fail(key, fmt::format("\"{}\" holds something that is no token id below {}", key, tokenizer.head_rows()));
      return {};
    }
    ids.push_back(static_cast<TokenId>(number));
  }
  return ids;
}

/// vLLM's /tokenize: {"prompt": text} or {"messages": [...]}, to {"tokens", "count", "max_model_len"}.
std::optional<json::object> tokenize(JsonReader& reader, const json::object&, const ServedModel& model) {
  const Tokenizer& tokenizer = *model.tokenizer();
  std::vector<TokenId> ids;
  if (reader.any("messages")) {
    const ChatCompletion chat = read_chat_completion(reader, model);
    if (!reader.ok()) return std::nullopt;
    const bool begins_answer = reader.boolean("add_generation_prompt").value_or(true);
    Result<std::vector<TokenId>> rendered =
        begins_answer
            ? prompt_tokens(tokenizer, chat.request.conversation)
            : harmony::render_conversation(tokenizer, chat.request.conversation, {.auto_drop_analysis = false});
    if (!rendered.ok()) {
      reader.fail("messages", rendered.error().message);
      return std::nullopt;
    }
    ids = std::move(*rendered);
  } else {
    std::optional<std::string> text = reader.text("prompt");
    for (const char* key : {"content", "text", "input"})
      if (!text) text = reader.text(key);
    if (!text) {
      reader.fail("prompt", "\"prompt\" is missing: a text");
      return std::nullopt;
    }
    if (reader.boolean("parse_special").value_or(false))
      tokenizer.encode_with_specials(*text, ids);
    else
      tokenizer.encode(*text, ids);
  }
  json::object answer = {
      {"count", ids.size()}, {"max_model_len", model.max_sequence_tokens()}, {"tokens", ids_json(ids)}};
  if (reader.boolean("return_token_strs").value_or(false)) {
    json::array texts;
    for (const TokenId id : ids) texts.emplace_back(utf8_lossy(tokenizer.token_bytes(id)));
    answer["token_strs"] = std::move(texts);
  }
  return answer;
}

std::optional<json::object> detokenize(JsonReader& reader, const json::object&, const ServedModel& model) {
  const std::vector<TokenId> ids = read_tokens(reader, reader.any("ids") ? "ids" : "tokens", *model.tokenizer());
  const std::string text = utf8_lossy(model.tokenizer()->decode_bytes(ids));
  return json::object{{"prompt", text}, {"text", text}, {"content", text}};
}

/// A body of `gossamer render`, or one of /v1/chat/completions, to {"tokens", "text"}.
std::optional<json::object> render(JsonReader& reader, const json::object& body, const ServedModel& model) {
  if (!reader.any("messages")) {
    Result<json::object> rendered = harmony::render_json(*model.tokenizer(), harmony::compact_json(body));
    if (rendered.ok()) return std::move(*rendered);
    reader.fail("conversation", rendered.error().message);
    return std::nullopt;
  }
  std::optional<json::object> answer = tokenize(reader, body, model);
  if (!answer) return std::nullopt;
  const std::vector<TokenId> ids = json::value_to<std::vector<TokenId>>(answer->at("tokens"));
  return json::object{{"tokens", ids_json(ids)}, {"text", utf8_lossy(model.tokenizer()->decode_bytes(ids))}};
}

/// {"tokens": [ids], "role"?, "mode"?: "lenient"} to what `gossamer parse` prints.
std::optional<json::object> parse(JsonReader& reader, const json::object& body, const ServedModel& model) {
  const std::string name = reader.text("mode").value_or("lenient");
  const std::optional<harmony::ParseMode> mode = harmony::parse_mode_from_name(name);
  if (!mode) {
    reader.fail("mode", "\"mode\" must be lenient, strict or compatible");
    return std::nullopt;
  }
  Result<json::object> parsed = harmony::parse_json_tokens(model.tokenizer(), harmony::compact_json(body), *mode);
  if (parsed.ok()) return std::move(*parsed);
  reader.fail("tokens", parsed.error().message);
  return std::nullopt;
}

}  // namespace

void add_text_routes(App& app) {
  app.add_route("POST", "/tokenize", at_once(tokenize));
  app.add_route("POST", "/detokenize", at_once(detokenize));
  app.add_route("POST", "/render", at_once(render));
  app.add_route("POST", "/parse", at_once(parse));
}

}  // namespace gossamer::server
