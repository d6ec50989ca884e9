#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "grammar/grammar_spec.h"
#include "grammar/vocabulary.h"
#include "sampling/token_constraint.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::grammar {

class GrammarConstraint;

struct GrammarLimits {
  double deadline_seconds = 2;       ///< for compiling one grammar
  uint64_t max_items = 200'000;      ///< of a compiled grammar: what its rules are made of
  uint64_t max_bytes = 24 << 20;     ///< that one compiled grammar may hold
  size_t cached_grammars = 64;       ///< compiled grammars that are kept; the least lately used goes
  uint64_t cached_bytes = 64 << 20;  ///< that all of these may hold together
};

/// What was compiled so far.
struct GrammarStats {
  uint64_t compiled = 0, refused = 0;  ///< by the compiler; what is refused before it is not counted
  uint64_t cache_hits = 0;
  uint64_t cached_bytes = 0;   ///< that the grammars hold which are kept
  double compile_seconds = 0;  ///< of both
};

/// Compiles grammars for the tokens of one model and keeps them. Nothing is loaded before the first one. Any thread.
class GrammarEngine {
 public:
  explicit GrammarEngine(std::shared_ptr<const Tokenizer> tokenizer, const GrammarLimits& limits = {});
  ~GrammarEngine();
  GrammarEngine(const GrammarEngine&) = delete;
  GrammarEngine& operator=(const GrammarEngine&) = delete;

  /// A constraint that holds an answer to `spec`: clone it for each answer. Waits until it is compiled, at most the
  /// deadline; the first time also for the vocabulary, which takes a second. Errors: what is wrong with the
  /// specification (of a schema with the keyword and its JSON pointer, where they can be told): also where no finite
  /// text fits it, or one can come to a place from which none goes on; it takes too long or gets too large; this
  /// program was built without grammars.
  Result<std::shared_ptr<const TokenConstraint>> compile(const GrammarSpec& spec);

  /// compile() where that is no work: the constraint of a grammar that is kept; null for all others.
  std::shared_ptr<const TokenConstraint> find(const GrammarSpec& spec);

  /// Loads the vocabulary, for servers that want their first grammar to be as fast as the others. Errors: this program
  /// was built without grammars.
  Status warm_up();
  /// False where that has failed: no grammar will ever be compiled.
  bool available() const { return available_; }

  GrammarStats stats() const;

 private:
  struct Job;
  struct Cached {
    GrammarSpec spec;
    std::shared_ptr<const GrammarConstraint> constraint;
    uint64_t bytes = 0;  // of both
  };
  using Compiled = Result<std::shared_ptr<const GrammarConstraint>>;

  Result<std::shared_ptr<const Vocabulary>> load_vocabulary();
  void keep(const GrammarSpec& spec, std::shared_ptr<const GrammarConstraint> constraint);
  Compiled compile_within_deadline(const GrammarSpec& spec, std::shared_ptr<const Vocabulary> vocabulary);
  Error explain(const GrammarSpec& spec, const std::shared_ptr<const Vocabulary>& vocabulary,
                const std::string& reason) const;
  Compiled compile_now(const GrammarSpec& spec, const std::shared_ptr<const Vocabulary>& vocabulary) const;
  void work();

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const GrammarLimits limits_;

  std::mutex vocabulary_mutex_;
  std::shared_ptr<const Vocabulary> vocabulary_;  // null before the first grammar
  std::atomic<bool> available_{true};

  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::shared_ptr<Job>> line_;
  std::list<Cached> cache_;  // the last used first
  GrammarStats stats_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gossamer::grammar
