#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "checkpoint/checkpoint.h"
#include "grammar/grammar_engine.h"
#include "server/token_source.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::server {

class AnswerConstraints;
class Metrics;

/// The names that requests may call a model by.
struct ModelNames {
  std::string name;                  ///< what answers say and /v1/models lists first
  std::vector<std::string> aliases;  ///< others that mean it
  bool any = false;                  ///< every name means it

  /// The names of a model that calls itself `own_name`: gpt-oss:20b, gpt-oss-20b and openai/gpt-oss-20b are one. Where
  /// `served_names` are given, the first is what answers say.
  static ModelNames of(const std::string& own_name, const std::vector<std::string>& served_names);
  /// `wanted` as it came: case does not count, nor does ":latest". The empty name means whatever is loaded.
  bool matches(std::string_view wanted) const;
};

/// What a served model is made of.
struct ServedModelParts {
  ModelNames names;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const void> keeps;  ///< what must live longer than the source: the loaded model
  std::unique_ptr<TokenSource> source;
  std::shared_ptr<grammar::GrammarEngine> grammars;  ///< for the tokenizer's tokens; null: one of the model's own
  std::vector<TokenId> stop_tokens;                  ///< that end an answer
  GenerationDefaults defaults;                       ///< of the checkpoint
  std::function<std::string()> today;                ///< "2025-06-28"; empty text: prompts name no date
  const Checkpoint* checkpoint = nullptr;            ///< within `keeps`; null: scripted, there is no file behind it
};

/// A model that is loaded and answers: all that handlers need of it. Safe to use on any thread. Its end is the end of
/// all answers that it is making; their sinks must not own it.
class ServedModel {
 public:
  /// Errors: the tokenizer lacks harmony's frame tokens. `metrics`, which outlives the model, counts what it answers;
  /// null: nobody does.
  static Result<std::shared_ptr<ServedModel>> create(ServedModelParts parts, Metrics* metrics = nullptr);

  ~ServedModel();
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  const ModelNames& names() const { return parts_.names; }
  const std::string& name() const { return parts_.names.name; }
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return parts_.tokenizer; }
  TokenSource& source() const { return *parts_.source; }
  const std::vector<TokenId>& stop_tokens() const { return parts_.stop_tokens; }
  const GenerationDefaults& defaults() const { return parts_.defaults; }
  std::string today() const { return parts_.today ? parts_.today() : std::string(); }
  const Checkpoint* checkpoint() const { return parts_.checkpoint; }
  /// What its answers are held to.
  const AnswerConstraints& constraints() const { return *constraints_; }
  Metrics* metrics() const { return metrics_; }
  uint32_t max_sequence_tokens() const { return parts_.source->max_sequence_tokens(); }
  int64_t created_unix_seconds() const { return created_; }  ///< when it was loaded

 private:
  ServedModel(ServedModelParts parts, std::unique_ptr<AnswerConstraints> constraints, Metrics* metrics,
              int64_t created);

  ServedModelParts parts_;
  std::unique_ptr<AnswerConstraints> constraints_;
  Metrics* metrics_;
  int64_t created_;
};

}  // namespace gossamer::server
