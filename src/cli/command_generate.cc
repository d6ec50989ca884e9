#include <memory>

#include "base/utf8.h"
#include "cli/assistant.h"
#include "cli/command.h"
#include "cli/engine_flags.h"
#include "cli/failure.h"
#include "cli/json_lines.h"
#include "cli/json_request.h"
#include "cli/model_options.h"
#include "cli/sampling_options.h"
#include "harmony/conversation_json.h"
#include "harmony/json_text.h"
#include "harmony/render.h"

namespace gossamer::cli {
namespace {

/// The prompt of a line: its "tokens", or its "conversation" rendered up to <|start|>assistant.
Result<std::vector<TokenId>> prompt_of(const json::object& request, const LoadedModel& loaded) {
  const json::value* written = request.if_contains("conversation");
  if (!written) return tokens_field(request, "tokens");
  if (!loaded.tokenizer) return loaded.checkpoint.load_tokenizer().error();
  GOS_TRY(const harmony::Conversation conversation, harmony::conversation_from_json(*written));
  return harmony::render_for_completion(*loaded.tokenizer, conversation, harmony::Role::kAssistant, {});
}

Result<json::object> generate_line(const std::string& line, const LoadedModel& loaded, Session& session) {
  GOS_TRY(const json::value request, harmony::parse_json_like_serde(line, "this line"));
  if (!request.is_object()) return make_error(ErrorCode::kInvalidInput, "this line is not a JSON object");
  const json::object& fields = request.get_object();
  GOS_TRY(const SamplingOptions options, SamplingOptions::from_json(fields));
  GenerateRequest generate;
  GOS_TRY(generate.sampling, options.resolve(loaded.checkpoint.generation()));
  GOS_TRY(generate.max_tokens, options.resolve_max_tokens());
  GOS_TRY(generate.prompt, prompt_of(fields, loaded));
  generate.stop_tokens = loaded.stop_tokens();
  GOS_TRY(const GenerateResult result, session.generate(generate));

  json::object answer = {{"tokens", tokens_json(result.tokens)}};
  if (loaded.tokenizer) answer["text"] = utf8_lossy(loaded.tokenizer->decode_bytes(result.tokens));
  answer["finish_reason"] = finish_reason_name(result.finish);
  return answer;
}

int generate(const ModelOptions& options, const EngineFlags& engine) {
  const Result<EngineOptions> engine_options = engine.resolve(options.chosen_precision());
  if (!engine_options.ok()) return fail(engine_options.error());
  Result<std::unique_ptr<LoadedModel>> loaded = options.load(/*need_tokenizer=*/false);
  if (!loaded.ok()) return fail(loaded.error());
  // Tokens can be continued by a model whose tokenizer is missing or odd; only a conversation needs one.
  if (auto tokenizer = (*loaded)->checkpoint.load_tokenizer(); tokenizer.ok())
    (*loaded)->tokenizer = std::move(*tokenizer);
  Result<Session> session = Session::start(**loaded, *engine_options);
  if (!session.ok()) return fail(session.error());
  return answer_lines([&](const std::string& line) { return generate_line(line, **loaded, *session); });
}

}  // namespace

Command generate_command() {
  return {"generate", "Prompts to tokens, a JSON object a line",
          "  echo '{\"conversation\": {\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}, \"temperature\": "
          "0}' | gossamer generate\n"
          "  prints {\"tokens\":[...],\"text\":\"<|channel|>...<|return|>\",\"finish_reason\":\"stop\"}\n\n"
          "A line holds a \"conversation\" (openai-harmony's JSON) or \"tokens\", and may hold max_tokens, seed, "
          "temperature, top_k,\n"
          "top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty and logit_bias ({\"ID\": VALUE}).",
          [](Options& options) {
            struct Chosen {
              ModelOptions model;
              EngineFlags engine;
            };
            auto chosen = std::make_shared<Chosen>();
            chosen->model.declare(options);
            chosen->engine.declare(options);
            return [chosen] { return generate(chosen->model, chosen->engine); };
          }};
}

}  // namespace gossamer::cli
