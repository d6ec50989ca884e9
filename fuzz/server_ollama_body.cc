/// Any bytes as the body of POST /api/chat and /api/generate: refused with a sentence, or understood, all the way to
/// the conversation. And as arguments of a call: an object comes of them.

#include "base/check.h"
#include "base/utf8.h"
#include "harmony/json_text.h"
#include "server/ollama_answer.h"
#include "server/scripted_engine.h"

using namespace gossamer;
using namespace gossamer::server;

namespace {

std::shared_ptr<ServedModel> scripted_model() {
  ServedModelParts parts;
  parts.names = ModelNames::of("gpt-oss-20b", {});
  parts.tokenizer = Tokenizer::o200k_harmony();
  Script script;
  script.answers.emplace_back();
  parts.source = std::make_unique<ScriptedEngine>(std::move(script));
  return std::move(*ServedModel::create(std::move(parts)));
}

void read_body(const json::object& body, const ServedModel& model,
               OllamaRequest (*read)(JsonReader&, const ServedModel&)) {
  JsonReader reader(body);
  const OllamaRequest request = read(reader, model);
  if (reader.ok()) GOS_CHECK(request.limits.sampling.validate().ok());
  if (reader.ok() && !request.only_loads) (void)ollama_chat_request(request, model, reader);
  if (reader.ok()) return;
  GOS_CHECK(reader.problem()->status == 400 && reader.problem()->message.size() < 4096);
  const http::Response response = error_response(*reader.problem(), ErrorStyle::kOllama);
  GOS_CHECK(utf8_valid(response.body) && parse_json(response.body, "the error").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<ServedModel> model = scripted_model();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (utf8_valid(text)) GOS_CHECK(utf8_valid(harmony::compact_json(call_arguments_object(std::string(text)))));
  const Result<json::value> body = harmony::parse_json_like_serde(text, "the body");
  if (!body.ok() || !body->is_object()) return 0;
  read_body(body->get_object(), *model, read_ollama_chat);
  read_body(body->get_object(), *model, read_ollama_generate);
  return 0;
}
