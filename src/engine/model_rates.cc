#include "engine/model_rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "model/solo_sequence.h"

namespace gossamer {
namespace {

class Measurement {
 public:
  Measurement(LoadedModel& loaded, kernels::MeasuredBackend& backend, const RateOptions& options,
              const std::function<bool()>& keep_going)
      : loaded_(loaded), backend_(backend), options_(options), keep_going_(keep_going) {}

  Result<ModelRate> prefill(uint32_t tokens) {
    GOS_TRY_STATUS(make_sequences(1, tokens));
    return measure(fmt::format("pp{}", tokens), tokens, 0, std::min(tokens, 32u), [&] { return extend_all(tokens); });
  }

  Result<ModelRate> decode(uint32_t depth) {
    return decode_together(1, depth, fmt::format("tg{}@{}", options_.decode_tokens, depth));
  }

  Result<ModelRate> decode_parallel(uint32_t num_sequences, uint32_t depth) {
    return decode_together(num_sequences, depth,
                           fmt::format("tg{}x{}@{}", options_.decode_tokens, num_sequences, depth));
  }

  bool stopped() const { return stopped_; }

 private:
  Result<ModelRate> decode_together(uint32_t num_sequences, uint32_t depth, std::string name) {
    const uint32_t steps = options_.decode_tokens;
    GOS_TRY_STATUS(make_sequences(num_sequences, depth + steps));
    GOS_TRY_STATUS(fill(depth));
    return measure(std::move(name), double{1} * steps * num_sequences, depth, 1, [&]() -> Status {
      for (uint32_t step = 0; step < steps; ++step) GOS_TRY_STATUS(extend_all(1));
      return {};
    });
  }

  /// Warms up, then runs `pass` as often as asked, each time from `depth` on.
  template <class Pass>
  Result<ModelRate> measure(std::string name, double tokens, uint32_t depth, uint32_t warm_up_tokens, Pass pass) {
    ModelRate rate;
    rate.name = std::move(name);
    GOS_TRY_STATUS(extend_all(warm_up_tokens));
    backend_.clear();
    for (uint32_t run = 0; run < options_.runs && !stopped_; ++run) {
      for (SoloSequence& sequence : sequences_) sequence.truncate(depth);
      const auto start = std::chrono::steady_clock::now();
      GOS_TRY_STATUS(pass());
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      rate.tokens_per_second.push_back(tokens / seconds);
      rate.tokens += tokens;
      rate.seconds += seconds;
    }
    std::sort(rate.tokens_per_second.begin(), rate.tokens_per_second.end());
    rate.ledger = backend_.ledger();
    return rate;
  }

  Status make_sequences(uint32_t count, uint32_t tokens) {
    sequences_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      GOS_TRY(SoloSequence sequence, SoloSequence::make(*loaded_.model, options_.kv_dtype, tokens));
      sequences_.push_back(std::move(sequence));
    }
    return {};
  }

  /// Every sequence up to `depth` tokens.
  Status fill(uint32_t depth) {
    for (SoloSequence& sequence : sequences_) GOS_TRY_STATUS(extend(sequence, depth));
    return {};
  }

  /// `tokens` more of one sequence, in chunks.
  Status extend(SoloSequence& sequence, uint32_t tokens) {
    for (uint32_t done = 0; done < tokens;) {
      const uint32_t chunk = std::min(options_.chunk_tokens, tokens - done);
      done += chunk;
      batch_ = {};
      add_row(sequence, chunk, done == tokens);
      GOS_TRY_STATUS(forward());
    }
    return {};
  }

  /// `tokens` more of every sequence: one alone in chunks, several together a token at a time.
  Status extend_all(uint32_t tokens) {
    if (sequences_.size() == 1) return extend(sequences_.front(), tokens);
    batch_ = {};
    for (SoloSequence& sequence : sequences_) add_row(sequence, tokens, true);
    return forward();
  }

  void add_row(SoloSequence& sequence, uint32_t tokens, bool wants_logits) {
    for (uint32_t i = 0; i < tokens; ++i) batch_.tokens.push_back(next_token());
    BatchRow& row = batch_.rows.emplace_back(sequence.next_row(tokens));
    if (wants_logits) row.logit_offsets = {tokens - 1};
  }

  Status forward() {
    stopped_ = stopped_ || !keep_going_();
    if (stopped_) return {};
    const auto logits = loaded_.model->forward(batch_);
    return logits.ok() ? Status{} : Status{logits.error()};
  }

  TokenId next_token() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<TokenId>((state_ >> 33) % loaded_.model->config().vocab_size);
  }

  LoadedModel& loaded_;
  kernels::MeasuredBackend& backend_;
  const RateOptions& options_;
  const std::function<bool()>& keep_going_;
  std::vector<SoloSequence> sequences_;
  Batch batch_;
  bool stopped_ = false;
  uint64_t state_ = 1;
};

}  // namespace

double ModelRate::median() const {
  if (tokens_per_second.empty()) return 0;
  const size_t runs = tokens_per_second.size();
  return (tokens_per_second[(runs - 1) / 2] + tokens_per_second[runs / 2]) / 2;
}

Status check_lengths(const RateOptions& options, const ModelConfig& config) {
  const uint64_t context = config.max_context, steps = options.decode_tokens;
  for (const uint64_t tokens : options.prefill_tokens)
    if (tokens > context)
      return make_error(ErrorCode::kInvalidInput,
                        "a prompt of {} tokens (--pp) does not fit into the model's context of {}; make it shorter",
                        tokens, context);
  if (steps == 0) return {};
  for (const uint64_t depth : options.depths)
    if (depth + steps > context)
      return make_error(ErrorCode::kInvalidInput,
                        "decode from {} tokens (--depth) to {} (--tg {}) does not fit into the model's context of {}; "
                        "make one of them smaller",
                        depth, depth + steps, steps, context);
  return {};
}

Result<std::vector<ModelRate>> measure_rates(LoadedModel& loaded, kernels::MeasuredBackend& backend,
                                             const RateOptions& options,
                                             const std::function<void(const ModelRate&)>& on_rate,
                                             const std::function<bool()>& keep_going) {
  GOS_TRY_STATUS(check_lengths(options, loaded.model->config()));
  Measurement measurement(loaded, backend, options, keep_going);
  std::vector<ModelRate> rates;
  const auto add = [&](Result<ModelRate> rate) -> Status {
    if (!rate.ok()) return rate.error();
    if (measurement.stopped()) return {};  // half a figure is none
    rates.push_back(*std::move(rate));
    on_rate(rates.back());
    return {};
  };
  for (const uint32_t tokens : options.prefill_tokens)
    if (!measurement.stopped()) GOS_TRY_STATUS(add(measurement.prefill(tokens)));
  if (options.decode_tokens == 0) return rates;
  for (const uint32_t depth : options.depths)
    if (!measurement.stopped()) GOS_TRY_STATUS(add(measurement.decode(depth)));
  for (const uint32_t sequences : options.parallel)
    if (!measurement.stopped()) GOS_TRY_STATUS(add(measurement.decode_parallel(sequences, options.depths.front())));
  return rates;
}

}  // namespace gossamer
