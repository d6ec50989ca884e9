#include "grammar/grammar_engine.h"

#include <chrono>
#include <exception>
#include <iterator>
#include <optional>
#include <string>

#include "grammar/grammar_constraint.h"
#include "grammar/grammar_trial.h"
#include "grammar/schema_blame.h"
#include "grammar/schema_check.h"
#include "grammar/schema_dialect.h"

namespace gossamer::grammar {
namespace {

constexpr size_t kThreads = 2;                            // one that is busy with a monster leaves another
constexpr double kTrialShare = 0.25, kBlameShare = 0.25;  // of the deadline

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

/// One grammar to be compiled, and who waits for it. A job that nobody waits for any more is still finished where it
/// was begun: the library cannot be interrupted, but its work is bounded.
struct GrammarEngine::Job {
  GrammarSpec spec;
  std::shared_ptr<const Vocabulary> vocabulary;
  std::optional<Compiled> result;  // guarded by the engine's mutex, as is the next
  bool is_wanted = true;
  std::condition_variable done;
};

GrammarEngine::GrammarEngine(std::shared_ptr<const Tokenizer> tokenizer, const GrammarLimits& limits)
    : tokenizer_(std::move(tokenizer)), limits_(limits) {}

GrammarEngine::~GrammarEngine() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<std::shared_ptr<const TokenConstraint>> GrammarEngine::compile(const GrammarSpec& spec) {
  if (auto found = find(spec)) return found;
  GOS_TRY(auto vocabulary, load_vocabulary());
  Compiled compiled = compile_within_deadline(spec, std::move(vocabulary));
  if (!compiled.ok()) return compiled.error();
  keep(spec, *compiled);
  return std::shared_ptr<const TokenConstraint>(std::move(*compiled));
}

Status GrammarEngine::warm_up() {
  const auto loaded = load_vocabulary();
  return loaded.ok() ? Status() : Status(loaded.error());
}

Result<std::shared_ptr<const Vocabulary>> GrammarEngine::load_vocabulary() {
  std::lock_guard lock(vocabulary_mutex_);
  if (vocabulary_) return vocabulary_;
  Result<std::shared_ptr<const Vocabulary>> created = Vocabulary::create(tokenizer_);
  available_ = created.ok();
  if (created.ok()) vocabulary_ = *created;
  return created;
}

GrammarStats GrammarEngine::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

std::shared_ptr<const TokenConstraint> GrammarEngine::find(const GrammarSpec& spec) {
  std::lock_guard lock(mutex_);
  for (auto entry = cache_.begin(); entry != cache_.end(); ++entry) {
    if (!(entry->spec == spec)) continue;
    cache_.splice(cache_.begin(), cache_, entry);
    ++stats_.cache_hits;
    return entry->constraint;
  }
  return nullptr;
}

void GrammarEngine::keep(const GrammarSpec& spec, std::shared_ptr<const GrammarConstraint> constraint) {
  const uint64_t bytes = constraint->compiled_bytes() + spec.text.size();
  std::list<Cached> gone;  // freed without the lock
  std::lock_guard lock(mutex_);
  cache_.push_front({spec, std::move(constraint), bytes});
  stats_.cached_bytes += bytes;
  while (cache_.size() > limits_.cached_grammars || stats_.cached_bytes > limits_.cached_bytes) {
    stats_.cached_bytes -= cache_.back().bytes;
    gone.splice(gone.begin(), cache_, std::prev(cache_.end()));
  }
}

GrammarEngine::Compiled GrammarEngine::compile_within_deadline(const GrammarSpec& spec,
                                                               std::shared_ptr<const Vocabulary> vocabulary) {
  const auto job = std::make_shared<Job>();
  job->spec = spec;
  job->vocabulary = std::move(vocabulary);
  std::unique_lock lock(mutex_);
  line_.push_back(job);
  if (threads_.size() < kThreads) threads_.emplace_back([this] { work(); });
  news_.notify_one();
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(limits_.deadline_seconds));
  if (job->done.wait_until(lock, deadline, [&] { return job->result.has_value(); })) return std::move(*job->result);
  job->is_wanted = false;
  return make_error(ErrorCode::kInvalidInput, "the grammar could not be compiled within {} s: make it simpler",
                    limits_.deadline_seconds);
}

void GrammarEngine::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    news_.wait(lock, [&] { return stopping_ || !line_.empty(); });
    if (stopping_) return;
    const std::shared_ptr<Job> job = std::move(line_.front());
    line_.pop_front();
    if (!job->is_wanted) continue;
    lock.unlock();
    const Clock::time_point begun = Clock::now();
    std::optional<Compiled> result;
    try {
      result = compile_now(job->spec, job->vocabulary);
      if (!result->ok()) result = explain(job->spec, job->vocabulary, result->error().message);
    } catch (const std::exception& problem) {  // out of memory
      result = make_error(ErrorCode::kInvalidInput, "the grammar could not be compiled: {}", problem.what());
    }
    lock.lock();
    ++(result->ok() ? stats_.compiled : stats_.refused);
    stats_.compile_seconds += seconds_since(begun);
    job->result = std::move(result);
    job->done.notify_all();
  }
}

/// Errors: the reason alone.
GrammarEngine::Compiled GrammarEngine::compile_now(const GrammarSpec& spec,
                                                   const std::shared_ptr<const Vocabulary>& vocabulary) const {
  static_assert(static_cast<uint32_t>(GrammarSpec::Kind::kJsonSchema) == kGossamerJsonSchema &&
                static_cast<uint32_t>(GrammarSpec::Kind::kRegex) == kGossamerRegex &&
                static_cast<uint32_t>(GrammarSpec::Kind::kLark) == kGossamerLark);
  char error[512] = "";
  GossamerGrammar* grammar =
      gossamer_grammar_compile(vocabulary->library(), static_cast<uint32_t>(spec.kind), spec.text.data(),
                               spec.text.size(), limits_.max_items, limits_.max_bytes, error, sizeof error);
  if (!grammar) return make_error(ErrorCode::kInvalidInput, "{}", error);
  const auto constraint =
      std::make_shared<const GrammarConstraint>(vocabulary, grammar, spec.kind == GrammarSpec::Kind::kJsonSchema);
  GOS_TRY_STATUS(try_grammar(*constraint, kTrialShare * limits_.deadline_seconds));
  return constraint;
}

/// The sentence for people. The library does not say where in a schema something is wrong: that is looked for.
Error GrammarEngine::explain(const GrammarSpec& spec, const std::shared_ptr<const Vocabulary>& vocabulary,
                             const std::string& reason) const {
  SchemaBlame blame;
  const Result<json::value> schema = parse_schema(spec.text);
  if (spec.kind == GrammarSpec::Kind::kJsonSchema && schema.ok()) {
    const WhyRefused why_refused = [&](const json::value& part) -> std::optional<std::string> {
      const Compiled compiled = compile_now({GrammarSpec::Kind::kJsonSchema, json::serialize(part)}, vocabulary);
      return compiled.ok() ? std::nullopt : std::optional(compiled.error().message);
    };
    const Clock::time_point begun = Clock::now();
    const auto is_late = [&] { return seconds_since(begun) > kBlameShare * limits_.deadline_seconds; };
    blame = find_blame(*schema, reason, why_refused, is_late);
    if (const Result<json::value> source = parse_schema(spec.source); source.ok())
      blame.place = source_place(*source, blame.place);
    if (!blame.keyword.empty()) blame.keyword = blame.place.substr(blame.place.rfind('/') + 1);
  }
  if (!blame.keyword.empty())
    return make_error(ErrorCode::kInvalidInput, "the schema's keyword \"{}\" at {} cannot be used: {}", blame.keyword,
                      blame.place, reason);
  if (spec.kind == GrammarSpec::Kind::kJsonSchema)
    return make_error(ErrorCode::kInvalidInput, "the schema at {} cannot be used: {}",
                      blame.place.empty() ? "its top" : blame.place, reason);
  return make_error(ErrorCode::kInvalidInput, "the grammar cannot be used: {}", reason);
}

}  // namespace gossamer::grammar
