/// Any bytes as the body of a chat and of a completion: refused with a sentence that names the field, or understood,
/// and then answered in form.

#include "base/check.h"
#include "base/utf8.h"
#include "harmony/json_text.h"
#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/legacy_functions.h"
#include "server/scripted_engine.h"

using namespace gossamer;
using namespace gossamer::server;

namespace {

std::shared_ptr<ServedModel> scripted_model() {
  ServedModelParts parts;
  parts.names = ModelNames::of("gpt-oss-20b", {});
  parts.tokenizer = Tokenizer::o200k_harmony();
  Script script;
  parts.tokenizer->encode_with_specials("<|channel|>final<|message|>Hello<|return|>", script.answers.emplace_back());
  parts.source = std::make_unique<ScriptedEngine>(std::move(script));
  return std::move(*ServedModel::create(std::move(parts)));
}

void check_problem(const JsonReader& reader) {
  if (reader.ok()) return;
  GOS_CHECK(!reader.problem()->message.empty() && reader.problem()->message.size() < 4096);
  GOS_CHECK(reader.problem()->status == 400);
  const http::Response response = error_response(*reader.problem(), ErrorStyle::kOpenAi);
  GOS_CHECK(utf8_valid(response.body) && parse_json(response.body, "the error").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<ServedModel> model = scripted_model();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Result<json::value> body = harmony::parse_json_like_serde(text, "the body");
  if (!body.ok() || !body->is_object()) return 0;
  modernize_functions(body->get_object());
  {
    JsonReader reader(body->get_object());
    const ChatCompletion chat = read_chat_completion(reader, *model);
    check_problem(reader);
    GOS_CHECK(!reader.ok() || (chat.request.num_choices >= 1 && chat.request.num_choices <= 8));
    GOS_CHECK(!reader.ok() || chat.request.limits.sampling.validate().ok());
  }
  JsonReader reader(body->get_object());
  const Completion completion = read_completion(reader, *model);
  check_problem(reader);
  GOS_CHECK(!reader.ok() || !completion.requests.empty());
  return 0;
}
