#include <memory>

#include "base/utf8.h"
#include "cli/assistant.h"
#include "cli/command.h"
#include "cli/constraint_options.h"
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

struct GenerateOptions {
  ModelOptions model;
  EngineFlags engine;
  ConstraintOptions constraints;
};

/// A model, with or without a tokenizer, and what its answers are held to.
struct Generator {
  std::unique_ptr<LoadedModel> loaded;
  std::shared_ptr<const harmony::FrameVocabulary> frames;  // null: no tokenizer, or none for harmony
  std::unique_ptr<grammar::GrammarEngine> grammars;
  std::optional<Session> session;
  const ConstraintOptions& constraints;
};

/// The prompt of a line: its "tokens", which may go on with anything, or its "conversation" rendered up to
/// <|start|>assistant, which goes on in frames.
Status read_prompt(const json::object& fields, const Generator& generator, GenerateRequest& request) {
  const json::value* written = fields.if_contains("conversation");
  if (!written) {
    GOS_TRY(request.prompt, tokens_field(fields, "tokens"));
    return {};
  }
  const LoadedModel& loaded = *generator.loaded;
  if (!loaded.tokenizer) return loaded.checkpoint.load_tokenizer().error();
  GOS_TRY(const harmony::Conversation conversation, harmony::conversation_from_json(*written));
  GOS_TRY(request.prompt,
          harmony::render_for_completion(*loaded.tokenizer, conversation, harmony::Role::kAssistant, {}));
  if (!generator.frames && !generator.constraints.unconstrained)
    return harmony::FrameVocabulary::create(loaded.tokenizer).error();
  GOS_TRY(request.constraint, generator.constraints.make(generator.frames, *generator.grammars, conversation));
  return {};
}

Result<json::object> generate_line(const std::string& line, Generator& generator) {
  const LoadedModel& loaded = *generator.loaded;
  GOS_TRY(const json::value request, harmony::parse_json_like_serde(line, "this line"));
  if (!request.is_object()) return make_error(ErrorCode::kInvalidInput, "this line is not a JSON object");
  const json::object& fields = request.get_object();
  GOS_TRY(const SamplingOptions options, SamplingOptions::from_json(fields));
  GenerateRequest generate;
  GOS_TRY(generate.sampling, options.resolve(loaded.checkpoint.generation()));
  GOS_TRY(generate.max_tokens, options.resolve_max_tokens());
  GOS_TRY_STATUS(read_prompt(fields, generator, generate));
  generate.stop_tokens = loaded.stop_tokens();
  GOS_TRY(const GenerateResult result, generator.session->generate(generate));

  json::object answer = {{"tokens", tokens_json(result.tokens)}};
  if (loaded.tokenizer) answer["text"] = utf8_lossy(loaded.tokenizer->decode_bytes(result.tokens));
  answer["finish_reason"] = finish_reason_name(result.finish);
  return answer;
}

Result<Generator> start(const GenerateOptions& options) {
  GOS_TRY(const EngineOptions engine_options, options.engine.resolve(options.model.chosen_precision()));
  Generator generator{nullptr, nullptr, nullptr, std::nullopt, options.constraints};
  GOS_TRY(generator.loaded, options.model.load(/*need_tokenizer=*/false));
  LoadedModel& loaded = *generator.loaded;
  // Tokens can be continued by a model whose tokenizer is missing or odd; only a conversation needs one.
  if (auto tokenizer = loaded.checkpoint.load_tokenizer(); tokenizer.ok()) {
    loaded.tokenizer = std::move(*tokenizer);
    if (auto frames = harmony::FrameVocabulary::create(loaded.tokenizer); frames.ok())
      generator.frames = std::move(*frames);
  }
  generator.grammars = std::make_unique<grammar::GrammarEngine>(loaded.tokenizer);
  GOS_TRY(generator.session, Session::start(loaded, engine_options));
  return generator;
}

int generate(const GenerateOptions& options) {
  Result<Generator> generator = start(options);
  if (!generator.ok()) return fail(generator.error());
  return answer_lines([&](const std::string& line) { return generate_line(line, *generator); });
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
            auto chosen = std::make_shared<GenerateOptions>();
            chosen->model.declare(options);
            chosen->engine.declare(options);
            chosen->constraints.declare(options);
            return [chosen] { return generate(*chosen); };
          }};
}

}  // namespace gossamer::cli
