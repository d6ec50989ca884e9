#include "model/device_rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <random>
#include <set>
#include <utility>

namespace gossamer {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

KvShape shape_of(const ModelConfig& config, const kernels::KvLayout& layout) {
  KvShape shape;
  for (uint32_t layer = 0; layer < config.num_layers; ++layer)
    ++(config.is_sliding(layer) ? shape.sliding_layers : shape.full_layers);
  shape.window_tokens = config.sliding_window;
  shape.token_bytes_of_a_layer = layout.token_bytes();
  return shape;
}

/// Sequences of `context` tokens that go on by `length`, each in pages of its own: in full layers all of them, in
/// sliding ones those of the window.
struct MadeSequences {
  std::vector<std::vector<PageId>> full, sliding;
  uint32_t num_pages = 0;

  MadeSequences(uint32_t batch, uint32_t context, uint32_t length, uint32_t window) : full(batch), sliding(batch) {
    const uint32_t pages = pages_of(uint64_t{context} + length);
    const uint32_t first_seen = (context + 1 > window ? context + 1 - window : 0) / kPageTokens;
    for (uint32_t sequence = 0; sequence < batch; ++sequence)
      for (uint32_t page = 0; page < pages; ++page) {
        full[sequence].push_back(num_pages++);
        sliding[sequence].push_back(page < first_seen ? kNoPage : num_pages++);
      }
  }
};

class Measurement {
 public:
  Measurement(ForwardPass& model, const ModelConfig& config, const StepFormats& formats, const DeviceRoof& roof,
              const DeviceRatesOptions& options, const FillCache& fill_cache)
      : model_(model),
        config_(config),
        formats_(formats),
        roof_(roof),
        options_(options),
        fill_cache_(fill_cache),
        layout_{options.kv_dtype, config.num_kv_heads, config.head_dim},
        random_(options.seed) {}

  double seconds_left() const { return options_.seconds - seconds_since(begin_); }

  Result<DeviceRate> decode(uint32_t batch, uint32_t context) {
    DeviceRate rate;
    rate.name = fmt::format("decode b{} c{}", batch, context);
    rate.batch = rate.tokens = batch;
    rate.context = context;
    const MadeSequences sequences(batch, context, 1, config_.sliding_window);
    if (!may_begin(uint64_t{context} + 1, sequences, batch, rate)) return rate;
    GOS_TRY(const KvMemory memory, allocate(sequences));
    Batch step;
    for (uint32_t i = 0; i < batch; ++i) {
      add_row(memory, sequences, i, context, 1, nullptr, step);
      step.rows.back().logit_offsets = {0};
      step.rows.back().tops.resize(1);
      step.rows.back().tops[0].stays = true;
    }
    GOS_TRY_STATUS(model_.prepare({batch, batch, context + 1}));
    GOS_TRY(rate.experts, experts_of(step));
    Answers answers(batch);
    GOS_TRY_STATUS(repeat(rate, [&] { return run_answers(step, answers); }));
    if (answers.under_way) GOS_TRY_STATUS(model_.finish_draws(*answers.under_way));
    GOS_TRY_STATUS(check_draws(answers.drawn, rate));
    StepWork work = decode_work(config_, batch, context);
    work.experts = rate.experts;
    rate.cost = cost_of(parts_of_step(config_, formats_, work), roof_);
    return rate;
  }

  Result<DeviceRate> prefill(uint32_t length) {
    DeviceRate rate;
    rate.name = fmt::format("prefill {}", length);
    rate.is_prefill = true;
    rate.tokens = length;
    const MadeSequences sequences(1, 0, length, config_.sliding_window);
    const uint32_t chunk = std::min(length, options_.chunk_tokens);
    if (!may_begin(length, sequences, chunk, rate)) return rate;
    GOS_TRY(const KvMemory memory, allocate(sequences));
    kernels::TopLogits top;
    std::vector<Batch> steps;
    for (uint32_t start = 0; start < length; start += chunk) {
      const uint32_t tokens = std::min(chunk, length - start);
      add_row(memory, sequences, 0, start, tokens, start + tokens == length ? &top : nullptr, steps.emplace_back());
      StepWork work = prefill_work(config_, start, tokens);
      work.num_logits = start + tokens == length;
      const StepCost cost = cost_of(parts_of_step(config_, formats_, work), roof_);
      rate.cost.bytes += cost.bytes;
      rate.cost.flops += cost.flops;
      rate.cost.limit_seconds += cost.limit_seconds;
      rate.cost.predicted_seconds += cost.predicted_seconds;
    }
    GOS_TRY_STATUS(model_.prepare({chunk, 1, length}));
    const auto run_all = [&]() -> Status {
      for (Batch& step : steps) GOS_TRY_STATUS(run(step));
      return {};
    };
    GOS_TRY_STATUS(repeat(rate, run_all));
    GOS_TRY_STATUS(check_choices({&top, 1}, rate));
    return rate;
  }

 private:
  /// What a step takes beside weights and cache, with room to spare.
  uint64_t workspace_bytes(uint32_t tokens) const {
    const uint64_t slots = uint64_t{tokens} * config_.experts_per_token;
    return slots * (6 * uint64_t{config_.hidden} + 4 * uint64_t{config_.intermediate}) +
           uint64_t{tokens} * (16 * uint64_t{config_.hidden} + 12 * config_.q_rows()) +
           uint64_t{std::min(tokens, 64u)} * config_.vocab_size * 4 + (uint64_t{256} << 20);
  }

  bool may_begin(uint64_t tokens, const MadeSequences& sequences, uint32_t step_tokens, DeviceRate& rate) const {
    const uint64_t needed =
        shape_of(config_, layout_).page_bytes() * sequences.num_pages + workspace_bytes(step_tokens);
    const uint64_t free = model_.free_bytes(shape_of(config_, layout_));
    if (tokens > config_.max_context)
      rate.skipped = fmt::format("the model's context is {} tokens", config_.max_context);
    else if (needed > free)
      rate.skipped = fmt::format("it takes {:.1f} GB, {:.1f} GB are free", static_cast<double>(needed) / 1e9,
                                 static_cast<double>(free) / 1e9);
    else if (seconds_left() <= 0)
      rate.skipped = fmt::format("{:g} seconds are over", options_.seconds);
    return rate.skipped.empty();
  }

  Result<KvMemory> allocate(const MadeSequences& sequences) const {
    GOS_TRY(KvMemory memory, model_.allocate_kv(layout_, shape_of(config_, layout_), sequences.num_pages));
    GOS_TRY_STATUS(fill_cache_(memory));
    return memory;
  }

  /// Greedy: the best token of the row's last position, where `top` is not null.
  void add_row(const KvMemory& memory, const MadeSequences& sequences, uint32_t index, uint32_t start, uint32_t length,
               kernels::TopLogits* top, Batch& step) const {
    BatchRow& row = step.rows.emplace_back();
    row.cache = {&memory, sequences.full[index], sequences.sliding[index]};
    row.start = start;
    row.length = length;
    if (top) {
      row.logit_offsets = {length - 1};
      row.tops = {{1, false, {}, top}};
    }
    step.tokens.resize(step.tokens.size() + length);
  }

  /// Of steps of answers, one behind the other.
  struct Answers {
    explicit Answers(uint32_t batch) : drawn(batch) {}
    std::vector<Drawn> drawn;
    std::optional<uint64_t> under_way;  // the step whose tokens nobody knows yet
  };
  /// The next step, as the engine runs it: begun before the tokens of the one before it are known, where that can be.
  /// Its time is from one step's tokens to the next one's. At temperature 1: tokens differ, and so do experts.
  Status run_answers(Batch& step, Answers& answers) {
    for (uint32_t row = 0; row < step.rows.size(); ++row)
      step.rows[row].drawn_row = answers.under_way ? std::optional(row) : std::nullopt;
    GOS_TRY_STATUS(run(step));
    const uint64_t number = model_.last_step();
    if (answers.under_way) GOS_TRY_STATUS(model_.finish_draws(*std::exchange(answers.under_way, std::nullopt)));
    std::vector<DrawWish> wishes(step.rows.size());
    for (uint32_t row = 0; row < wishes.size(); ++row) {
      wishes[row].row = row;
      wishes[row].rule.scale = 1;
      wishes[row].rule.uniform = std::uniform_real_distribution(0., 1.)(random_);
      wishes[row].drawn = &answers.drawn[row];
    }
    GOS_TRY_STATUS(model_.draw(wishes));
    if (!model_.can_run_ahead()) return model_.finish_draws(number);
    answers.under_way = number;
    return {};
  }

  /// Other tokens every time, so that other experts are read.
  Status run(Batch& step, ForwardTrace* trace = nullptr) {
    std::uniform_int_distribution<TokenId> any_token(0, config_.vocab_size - 1);
    for (TokenId& token : step.tokens) token = any_token(random_);
    return take(model_.forward(step, trace));
  }
  static Status take(Result<std::span<const float>> logits) {
    return logits.ok() ? Status() : Status(std::move(logits).error());
  }

  /// A time of numbers that are none says nothing. Errors: a row has no best token, or its logit is not finite.
  static Status check_choices(std::span<const kernels::TopLogits> tops, const DeviceRate& rate) {
    for (const kernels::TopLogits& top : tops)
      if (top.best.empty() || !std::isfinite(top.best.front().logit))
        return no_choice(rate, top.best.empty() ? "missing" : "not a finite number");
    return {};
  }
  static Status check_draws(std::span<const Drawn> draws, const DeviceRate& rate) {
    for (const Drawn& drawn : draws)
      if (drawn.token == Drawn::kNoToken || !std::isfinite(drawn.logit))
        return no_choice(rate, drawn.token == Drawn::kNoToken ? "missing" : "not a finite number");
    return {};
  }
  static Error no_choice(const DeviceRate& rate, std::string_view what) {
    return make_error(ErrorCode::kIo,
                      "{}: what was chosen of a row's logits is {}, which no model gives; see gossamer gpu selftest",
                      rate.name, what);
  }

  /// Distinct experts of a step, in the mean over layers.
  Result<double> experts_of(Batch& step) {
    ForwardTrace trace;
    GOS_TRY_STATUS(run(step, &trace));
    double sum = 0;
    for (const ForwardTrace::Layer& layer : trace.layers)
      sum += static_cast<double>(std::set(layer.router_indices.begin(), layer.router_indices.end()).size());
    return sum / config_.num_layers;
  }

  template <class Run>
  Status repeat(DeviceRate& rate, Run&& run_once) {
    for (uint32_t i = 0; i < options_.warm_ups; ++i) GOS_TRY_STATUS(run_once());
    const Clock::time_point begin = Clock::now();
    std::vector<double> seconds;
    while (seconds.size() < options_.most_runs) {
      const Clock::time_point started = Clock::now();
      GOS_TRY_STATUS(run_once());
      seconds.push_back(seconds_since(started));
      if (seconds.size() >= options_.least_runs && seconds_since(begin) > options_.seconds_of_figure) break;
      if (seconds_left() <= 0) break;
    }
    std::sort(seconds.begin(), seconds.end());
    rate.seconds = seconds[seconds.size() / 2];
    rate.least_seconds = seconds.front();
    rate.runs = static_cast<uint32_t>(seconds.size());
    return {};
  }

  ForwardPass& model_;
  const ModelConfig& config_;
  const StepFormats& formats_;
  const DeviceRoof& roof_;
  const DeviceRatesOptions& options_;
  const FillCache& fill_cache_;
  kernels::KvLayout layout_;
  std::mt19937_64 random_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace

Status measure_device_rates(ForwardPass& model, const ModelConfig& config, const StepFormats& formats,
                            const DeviceRoof& roof, const DeviceRatesOptions& options, const FillCache& fill_cache,
                            const std::function<bool(const DeviceRate&)>& on_rate) {
  Measurement measurement(model, config, formats, roof, options, fill_cache);
  for (const uint32_t context : options.contexts)
    for (const uint32_t batch : options.batches) {
      GOS_TRY(const DeviceRate rate, measurement.decode(batch, context));
      if (!on_rate(rate)) return {};
    }
  for (const uint32_t length : options.prefills) {
    GOS_TRY(const DeviceRate rate, measurement.prefill(length));
    if (!on_rate(rate)) return {};
  }
  return {};
}

}  // namespace gossamer
