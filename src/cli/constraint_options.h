#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/options.h"
#include "grammar/grammar_engine.h"
#include "harmony/conversation.h"
#include "harmony/frame_rules.h"
#include "harmony/frame_vocabulary.h"

namespace gossamer::cli {

/// What answers are held to: harmony's frames always, unless --unconstrained measures the bare model; and what the
/// final message must be.
struct ConstraintOptions {
  bool unconstrained = false;
  std::string tool_choice = "auto";
  bool strict_tools = false;
  std::optional<uint64_t> reasoning_budget_tokens;

  std::string json_schema;  ///< a file, or JSON
  std::string format;       ///< "json"
  std::string regex;

  void declare(Options& options);
  void declare_formats(Options& options);

  /// What the final message must be; nothing: any text. Errors: more than one of the options, a schema that cannot be
  /// used.
  Result<std::optional<grammar::GrammarSpec>> format_spec() const;

  /// The constraint of an answer to `conversation`; null with --unconstrained. Errors: as format_spec(),
  /// GrammarEngine::compile(), harmony::frame_rules() and harmony::FrameAutomaton::create().
  Result<std::shared_ptr<const TokenConstraint>> make(const std::shared_ptr<const harmony::FrameVocabulary>& vocabulary,
                                                      grammar::GrammarEngine& grammars,
                                                      const harmony::Conversation& conversation) const;
};

}  // namespace gossamer::cli
