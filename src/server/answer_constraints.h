#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "grammar/grammar_engine.h"
#include "harmony/frame_rules.h"
#include "harmony/frame_vocabulary.h"
#include "server/api_error.h"
#include "server/generation.h"

namespace gossamer::server {

/// What an answer is held to, or why there is no such thing.
struct HeldTo {
  std::shared_ptr<const TokenConstraint> constraint;  ///< null: any text
  std::optional<ApiError> error;                      ///< names the field at fault
};

/// Makes what the answers of one model are held to: harmony's frames in every chat, the arguments of calls as JSON, and
/// what a request asks for. Any thread.
class AnswerConstraints {
 public:
  /// Errors: as FrameVocabulary::create(). `grammars`: null, one of its own.
  static Result<std::unique_ptr<AnswerConstraints>> create(std::shared_ptr<const Tokenizer> tokenizer,
                                                           std::shared_ptr<grammar::GrammarEngine> grammars);

  /// At once. Nothing: a grammar has to be compiled for it first.
  std::optional<HeldTo> find(const ChatRequest& request) const;
  std::optional<HeldTo> find(const CompletionRequest& request) const;
  /// Waits for grammars that have to be compiled: some seconds at the most, whatever they are.
  HeldTo make(const ChatRequest& request) const;
  HeldTo make(const CompletionRequest& request) const;

  grammar::GrammarEngine& grammars() const { return *grammars_; }

 private:
  AnswerConstraints(std::shared_ptr<const harmony::FrameVocabulary> frames,
                    std::shared_ptr<grammar::GrammarEngine> grammars)
      : frames_(std::move(frames)), grammars_(std::move(grammars)) {}
  class Bodies;

  HeldTo hold(const ChatRequest& request, Bodies& bodies) const;
  HeldTo hold(const CompletionRequest& request, Bodies& bodies) const;
  void add_call_bodies(const ChatRequest& request, Bodies& bodies, harmony::FrameRules& rules) const;
  std::shared_ptr<const TokenConstraint> body_of_wish(const PlacedGrammar& wanted, Bodies& bodies) const;

  const std::shared_ptr<const harmony::FrameVocabulary> frames_;
  const std::shared_ptr<grammar::GrammarEngine> grammars_;
  mutable std::mutex refused_mutex_;
  mutable std::set<size_t> refused_;  // hashes of wished schemas that cannot be compiled
};

}  // namespace gossamer::server
