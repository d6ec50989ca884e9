#include "model/kernel_rates.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "kernels/cuda/synthetic.h"
#include "kernels/rope_table.h"
#include "kv/kv_shape.h"
#include "model/device_weights.h"

namespace gossamer {
namespace {

using namespace kernels::cuda;
using Clock = std::chrono::steady_clock;

constexpr uint32_t kHeadDim = 64;
constexpr uint32_t kFewBlocks = 512;  // as in device_forward.cc: with fewer, attention is split over positions
constexpr double kSecondsOfSeries = 5e-4;
constexpr uint32_t kLeastSeries = 5;
constexpr uint32_t kMostTurns = 64;  // of the cache

struct KernelCase {
  std::string name;
  double bytes = 0, flops = 0;
  std::function<void(uint32_t turn)> start;  // with other weights, or another part of the cache, every turn
};

/// Slots of experts in order, as plan_experts() leaves them, for each turn another.
struct MadePlan {
  ExpertTile* tiles = nullptr;
  uint32_t *num_tiles = nullptr, *token_of_place = nullptr, *place_of_slot = nullptr;
  double experts = 0;  // distinct
};

/// Everything that the kernels of a step of `rows` tokens read and write.
class KernelBench {
 public:
  KernelBench(const ModelConfig& config, const DeviceWeights& weights, const KernelRatesOptions& options, uint32_t rows,
              uint32_t num_layers, const DeviceStream& stream)
      : config_(config),
        weights_(weights),
        options_(options),
        rows_(rows),
        slots_(rows * config.experts_per_token),
        num_layers_(num_layers),
        layout_{options.kv_dtype, config.num_kv_heads, kHeadDim},
        pages_(pages_of(uint64_t{options.context} + 1)),
        stream_(stream) {
    const uint64_t bytes_of_turn = uint64_t{rows} * pages_ * layout_.block_bytes();
    turns_ = static_cast<uint32_t>(std::clamp<uint64_t>(2 * options.cache_bytes / bytes_of_turn + 1, 1, kMostTurns));
  }

  Status make() {
    const auto cut_all = [this](std::byte* memory) {
      DeviceCutter cutter(memory);
      cut(cutter);
      return cutter.used();
    };
    GOS_TRY(memory_, DeviceMemory::allocate(cut_all(nullptr)));
    cut_all(memory_.data());
    // As numbers of any kind these are harmless: in float32 and in halves alike.
    make_up_bf16({memory_.data(), memory_.size_bytes() / 2, {1, 1}, 0, 1}, stream_.get());
    make_up_floats({residual_, uint64_t{rows_} * config_.hidden, {1, 2}, 0, 1}, stream_.get());
    make_up_floats({qkv_, uint64_t{rows_} * qkv_rows(), {1, 3}, 0, 1}, stream_.get());
    make_up_bf16({cache_, cache_bytes() / 2, {1, 4}, 0, options_.kv_dtype == kernels::KvDtype::kInt8 ? 1 / 127.f : 1.f},
                 stream_.get());
    stream_.fill(counts_, 0, config_.num_experts * sizeof(uint32_t));
    send_tokens();
    for (MadePlan& plan : plans_) send_plan(plan);
    return stream_.synchronize();
  }

  std::vector<KernelCase> cases() const {
    return {embed_case(), norm_case(),    qkv_case(),  store_case(),   attend_case(false), attend_case(true), o_case(),
            route_case(), gate_up_case(), down_case(), combine_case(), head_case(),        choose_case()};
  }

 private:
  uint32_t qkv_rows() const { return static_cast<uint32_t>(config_.q_rows() + 2 * config_.kv_rows()); }
  uint32_t padded() const { return padded_cols(config_.hidden); }
  uint32_t inner() const { return padded_cols(config_.intermediate); }
  uint32_t tile_rows() const { return tile_rows_for(slots_ / std::min(config_.num_experts, slots_)); }
  uint64_t cache_bytes() const { return uint64_t{turns_} * rows_ * pages_ * layout_.block_bytes(); }
  const DeviceLayer& layer(uint32_t turn) const { return weights_.layer(turn % num_layers_); }

  void cut(DeviceCutter& cutter) {
    const uint64_t t = rows_, d = config_.hidden,
                   most_tiles = max_expert_tiles(slots_, config_.num_experts, tile_rows());
    cutter.cut(residual_, t * d);
    cutter.cut(normed_, t * padded());
    cutter.cut(qkv_, t * qkv_rows());
    cutter.cut(q_, t * config_.q_rows());
    cutter.cut(attended_, t * config_.q_rows());
    cutter.cut(router_logits_, t * config_.num_experts);
    cutter.cut(indices_, slots_);
    cutter.cut(weights_of_slots_, slots_);
    cutter.cut(counts_, config_.num_experts);
    cutter.cut(begins_, config_.num_experts);
    cutter.cut(inner_, uint64_t{slots_} * inner());
    cutter.cut(contracted_, slots_ * d);
    cutter.cut(logits_, t * config_.vocab_size);
    cutter.cut(tokens_, t);
    cutter.cut(positions_, t);
    cutter.cut(table_begins_, t);
    cutter.cut(tables_, t * pages_ * turns_);
    cutter.cut(choice_rows_, t);
    cutter.cut(best_, t);
    cutter.cut(num_best_, t);
    cutter.cut(log_sum_exp_, t);
    cutter.cut(partial_, t * config_.num_kv_heads * chunks() * kPartialFloats);
    cutter.cut(cos_, uint64_t{options_.context + 1} * kHeadDim / 2);
    cutter.cut(sin_, uint64_t{options_.context + 1} * kHeadDim / 2);
    cutter.cut(cache_, cache_bytes());
    plans_.resize(num_layers_);
    plans_.push_back({});  // of the kernels that plan
    for (MadePlan& plan : plans_) {
      cutter.cut(plan.tiles, most_tiles);
      cutter.cut(plan.num_tiles, 1);
      cutter.cut(plan.token_of_place, slots_);
      cutter.cut(plan.place_of_slot, slots_);
    }
  }

  template <class T>
  void send(T* to, const std::vector<T>& values) {
    sent_.emplace_back(values.size() * sizeof(T));
    std::memcpy(sent_.back().data(), values.data(), sent_.back().size());
    stream_.copy_to_device(to, sent_.back().data(), sent_.back().size());
  }

  void send_tokens() {
    std::vector<uint32_t> tokens(rows_), begins(rows_), pages(size_t{rows_} * pages_ * turns_);
    for (uint32_t row = 0; row < rows_; ++row) {
      tokens[row] = static_cast<uint32_t>(random_() % config_.vocab_size);
      begins[row] = row * pages_;
    }
    std::iota(pages.begin(), pages.end(), 0u);
    send(tokens_, tokens);
    send(table_begins_, begins);
    send(tables_, pages);
    send(positions_, std::vector<uint32_t>(rows_, options_.context));
    send(choice_rows_, std::vector<ChoiceRow>(rows_, ChoiceRow{~0u, 0, 0, 1, 0}));
    kernels::RopeTable rope(kernels::RopeParams{});
    rope.reserve(options_.context + 1);
    const size_t numbers = size_t{options_.context + 1} * kHeadDim / 2;
    send(cos_, std::vector<float>(rope.cos(), rope.cos() + numbers));
    send(sin_, std::vector<float>(rope.sin(), rope.sin() + numbers));
  }

  /// Every token chooses experts at random; what follows from it comes from the kernels themselves.
  void send_plan(MadePlan& plan) {
    std::vector<uint32_t> experts(config_.num_experts), indices, counts(config_.num_experts);
    std::iota(experts.begin(), experts.end(), 0u);
    for (uint32_t row = 0; row < rows_; ++row) {
      for (uint32_t i = 0; i < config_.experts_per_token; ++i)
        std::swap(experts[i], experts[i + random_() % (config_.num_experts - i)]);
      indices.insert(indices.end(), experts.begin(), experts.begin() + config_.experts_per_token);
    }
    for (const uint32_t expert : indices) ++counts[expert];
    plan.experts = static_cast<double>(config_.num_experts - std::count(counts.begin(), counts.end(), 0u));
    send(indices_, indices);
    send(counts_, counts);
    start_plan(plan);
  }

  void start_plan(const MadePlan& plan) const {
    PlanOp op{};
    op.indices = indices_;
    op.num_slots = slots_;
    op.experts = config_.num_experts;
    op.active = config_.experts_per_token;
    op.tile_rows = tile_rows();
    op.counts = counts_;
    op.begins = begins_;
    op.tiles = plan.tiles;
    op.num_tiles = plan.num_tiles;
    op.token_of_place = plan.token_of_place;
    op.place_of_slot = plan.place_of_slot;
    plan_experts(op, stream_.get());
  }

  KernelCase embed_case() const {
    return {"embed", rows_ * config_.hidden * 6.0, 0, [this](uint32_t) {
              embed({weights_.embedding(), weights_.embedding_row_bytes(), weights_.embedding_dtype(), tokens_, rows_,
                     config_.hidden, residual_},
                    stream_.get());
            }};
  }
  KernelCase norm_case() const {
    return {"norm", rows_ * config_.hidden * 6.0, 0, [this](uint32_t turn) {
              NormOp op{};
              op.x = residual_;
              op.weight = layer(turn).attn_norm;
              op.eps = config_.rms_norm_eps;
              op.num_rows = rows_;
              op.width = config_.hidden;
              op.padded = padded();
              op.to_bf16 = takes_bf16(layer(turn).qkv.shape.format);
              op.out = normed_;
              rmsnorm(op, stream_.get());
            }};
  }

  ProductArgs product_args(const DeviceMatrix& matrix, const uint16_t* x, uint32_t x_stride, float* out) const {
    ProductArgs args{};
    args.shape = matrix.shape;
    args.strips = matrix.strips;
    args.x = x;
    args.x_stride = x_stride;
    args.num_rows = rows_;
    args.finish = Finish::kStore;
    args.out = out;
    args.out_stride = matrix.shape.rows;
    return args;
  }
  KernelCase product_case(const char* name, const StripShape& shape, double copies, double rows,
                          std::function<void(uint32_t)> start) const {
    const double x_bytes = rows * shape.cols * 2, out_bytes = rows * shape.rows * 4;
    return {name, copies * static_cast<double>(shape.bytes()) + x_bytes + out_bytes,
            2.0 * rows * shape.rows * shape.cols, std::move(start)};
  }
  KernelCase qkv_case() const {
    return product_case("qkv", layer(0).qkv.shape, 1, rows_, [this](uint32_t turn) {
      product(product_args(layer(turn).qkv, normed_, padded(), qkv_), stream_.get());
    });
  }
  KernelCase o_case() const {
    return product_case("o", layer(0).o.shape, 1, rows_, [this](uint32_t turn) {
      // Stored, not added: the same bytes but for what it would read, and the numbers stay what they are.
      product(product_args(layer(turn).o, attended_, static_cast<uint32_t>(config_.q_rows()), contracted_),
              stream_.get());
    });
  }
  KernelCase head_case() const {
    return product_case("head", weights_.lm_head().shape, 1, rows_, [this](uint32_t) {
      product(product_args(weights_.lm_head(), normed_, padded(), logits_), stream_.get());
    });
  }

  BatchPlaces places(uint32_t turn) const {
    return {positions_, table_begins_, tables_ + uint64_t{turn % turns_} * rows_ * pages_};
  }
  CacheOp cache() const { return {cache_, layout_.block_bytes(), options_.kv_dtype, config_.num_kv_heads}; }
  KernelCase store_case() const {
    return {"rope, store", rows_ * (qkv_rows() * 4.0 + config_.q_rows() * 2.0 + layout_.token_bytes()), 0,
            [this](uint32_t turn) {
              rope_store({qkv_, rows_, config_.num_heads, places(turn), cos_, sin_, cache(), q_}, stream_.get());
            }};
  }
  uint32_t chunks() const {
    return (options_.context + kernels::kAttentionChunkTokens) / kernels::kAttentionChunkTokens;
  }
  KernelCase attend_case(bool sliding) const {
    const uint32_t seen = sliding ? std::min(options_.context + 1, config_.sliding_window) : options_.context + 1;
    const double bytes = rows_ * (static_cast<double>(seen * layout_.token_bytes()) + config_.q_rows() * 4.0);
    const double flops = 4.0 * rows_ * static_cast<double>(config_.q_rows()) * seen;
    return {sliding ? "attention, window" : "attention, full", bytes, flops, [this, sliding](uint32_t turn) {
              const uint32_t window_chunks =
                  (config_.sliding_window + 2 * kernels::kAttentionChunkTokens - 1) / kernels::kAttentionChunkTokens;
              AttendOp op{};
              op.q = q_;
              op.num_tokens = rows_;
              op.num_heads = config_.num_heads;
              op.places = places(turn);
              op.cache = cache();
              op.sinks = layer(turn).sinks;
              op.window = sliding ? config_.sliding_window : 0;
              op.scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));
              op.max_chunks = sliding ? std::min(chunks(), window_chunks) : chunks();
              const bool splits = rows_ * config_.num_kv_heads < kFewBlocks && op.max_chunks > 1;
              op.partial = splits ? partial_ : nullptr;
              op.out = attended_;
              op.to_f16 = !takes_bf16(layer(turn).o.shape.format);
              attend(op, stream_.get());
            }};
  }

  KernelCase route_case() const {
    const double weights = static_cast<double>(config_.num_experts) * config_.hidden;
    return {"router, plan", weights * 4 + rows_ * config_.hidden * 6.0, 2 * weights * rows_, [this](uint32_t turn) {
              const DeviceLayer& w = layer(turn);
              RouteOp op{};
              op.x = residual_;
              op.norm_weight = w.mlp_norm;
              op.eps = config_.rms_norm_eps;
              op.num_tokens = rows_;
              op.width = config_.hidden;
              op.padded = padded();
              op.router = w.router;
              op.bias = w.router_bias;
              op.experts = config_.num_experts;
              op.active = config_.experts_per_token;
              op.normed = normed_;
              op.to_bf16 = takes_bf16(w.gate_up.shape.format);
              op.logits = router_logits_;
              op.indices = indices_;
              op.weights = weights_of_slots_;
              op.counts = counts_;
              route(op, stream_.get());
              start_plan(plans_.back());
            }};
  }

  double mean_experts() const {
    double sum = 0;
    for (uint32_t i = 0; i < num_layers_; ++i) sum += plans_[i].experts;
    return sum / num_layers_;
  }
  ProductArgs expert_args(const DeviceMatrix& matrix, const MadePlan& plan) const {
    ProductArgs args{};
    args.shape = matrix.shape;
    args.strips = matrix.strips;
    args.num_rows = slots_;
    args.tiles = plan.tiles;
    args.num_tiles = plan.num_tiles;
    args.max_tiles = max_expert_tiles(slots_, config_.num_experts, tile_rows());
    args.tile_rows = tile_rows();
    args.expert_bytes = matrix.shape.bytes();
    return args;
  }
  KernelCase gate_up_case() const {
    return product_case("gate and up", layer(0).gate_up.shape, mean_experts(), slots_, [this](uint32_t turn) {
      const MadePlan& plan = plans_[turn % num_layers_];
      ProductArgs args = expert_args(layer(turn).gate_up, plan);
      args.x = normed_;
      args.x_stride = padded();
      args.finish = Finish::kSwiglu;
      args.out_half = inner_;
      args.to_bf16 = takes_bf16(layer(turn).down.shape.format);
      args.out_stride = inner();
      args.swiglu_limit = config_.swiglu_limit;
      args.x_of_row = plan.token_of_place;
      product(args, stream_.get());
    });
  }
  KernelCase down_case() const {
    return product_case("down", layer(0).down.shape, mean_experts(), slots_, [this](uint32_t turn) {
      ProductArgs args = expert_args(layer(turn).down, plans_[turn % num_layers_]);
      args.x = inner_;
      args.x_stride = inner();
      args.finish = Finish::kStore;
      args.out = contracted_;
      args.out_stride = config_.hidden;
      product(args, stream_.get());
    });
  }
  KernelCase combine_case() const {
    return {"combine", (slots_ + 2.0 * rows_) * config_.hidden * 4, 2.0 * slots_ * config_.hidden,
            [this](uint32_t turn) {
              combine_experts({contracted_, plans_[turn % num_layers_].place_of_slot, weights_of_slots_, rows_,
                               config_.experts_per_token, config_.hidden, residual_},
                              stream_.get());
            }};
  }
  KernelCase choose_case() const {
    return {"choose", rows_ * 4.0 * config_.vocab_size, 0, [this](uint32_t) {
              ChooseOp op{};
              op.logits = logits_;
              op.num_rows = rows_;
              op.vocab = config_.vocab_size;
              op.rows = choice_rows_;
              op.max_k = 1;
              op.best = best_;
              op.num_best = num_best_;
              op.log_sum_exp = log_sum_exp_;
              choose(op, stream_.get());
            }};
  }

  const ModelConfig& config_;
  const DeviceWeights& weights_;
  const KernelRatesOptions& options_;
  uint32_t rows_, slots_, num_layers_;
  kernels::KvLayout layout_;
  uint32_t pages_, turns_ = 1;  // pages of a sequence; parts of the cache
  const DeviceStream& stream_;
  std::mt19937 random_{1};
  DeviceMemory memory_;
  std::vector<std::vector<std::byte>> sent_;  // until the copies are done
  std::vector<MadePlan> plans_;               // of each layer; the last: of the kernels that plan

  float *residual_, *qkv_, *router_logits_, *weights_of_slots_, *contracted_, *logits_, *partial_, *cos_, *sin_;
  uint16_t *normed_, *q_, *attended_, *inner_;
  uint32_t *indices_, *counts_, *begins_, *tokens_, *positions_, *table_begins_, *tables_, *num_best_;
  ChoiceRow* choice_rows_;
  DeviceCandidate* best_;
  double* log_sum_exp_;
  std::byte* cache_;
};

/// Series of launches, each between two events; the median of what one of them took.
Result<KernelRate> time_case(const KernelCase& kernel, double seconds, const DeviceStream& stream, DeviceTimer& timer) {
  uint32_t turn = 0;
  const auto series = [&](uint32_t launches) -> Result<double> {
    timer.start(stream);
    for (uint32_t i = 0; i < launches; ++i) kernel.start(turn++);
    timer.stop(stream);
    GOS_TRY(const double us, timer.microseconds());
    return us * 1e-6 / launches;
  };
  GOS_TRY(double once, series(1));  // the first loads the kernel, the second says how long it takes
  GOS_TRY(once, series(1));
  const auto launches = static_cast<uint32_t>(std::clamp(kSecondsOfSeries / std::max(once, 1e-7), 1.0, 200.0));
  KernelRate rate;
  rate.name = kernel.name;
  std::vector<double> times;
  double spent = 0;
  while (times.size() < kLeastSeries || spent < seconds) {
    GOS_TRY(const double time, series(launches));
    times.push_back(time);
    spent += std::max(time, 1e-7) * launches;
  }
  std::nth_element(times.begin(), times.begin() + static_cast<ptrdiff_t>(times.size() / 2), times.end());
  rate.seconds = times[times.size() / 2];
  rate.runs = static_cast<uint32_t>(times.size()) * launches;
  rate.bytes = kernel.bytes;
  rate.flops = kernel.flops;
  return rate;
}

}  // namespace

Status measure_kernel_rates(const ModelConfig& config, const SyntheticModel& model, const DeviceRoof& roof,
                            const KernelRatesOptions& options, const std::function<bool(const KernelRate&)>& on_rate) {
  const Clock::time_point begin = Clock::now();
  const StripShape smallest{model.dense, config.hidden, static_cast<uint32_t>(config.q_rows())};
  ModelConfig some_layers = config;
  some_layers.num_layers = static_cast<uint32_t>(
      std::clamp<uint64_t>(2 * options.cache_bytes / smallest.bytes() + 1, 2, std::max(2u, config.num_layers)));
  GOS_TRY(const DeviceWeights weights, DeviceWeights::synthetic(some_layers, model, {}));
  GOS_TRY(const DeviceStream stream, DeviceStream::create());
  GOS_TRY(DeviceTimer timer, DeviceTimer::create());
  for (const uint32_t rows : options.rows) {
    KernelBench bench(some_layers, weights, options, rows, some_layers.num_layers, stream);
    GOS_TRY_STATUS(bench.make());
    for (const KernelCase& kernel : bench.cases()) {
      if (kernel.name.find(options.only) == std::string::npos) continue;
      if (std::chrono::duration<double>(Clock::now() - begin).count() > options.seconds) return {};
      GOS_TRY(KernelRate rate, time_case(kernel, options.seconds_of_figure, stream, timer));
      rate.rows = rows;
      if (roof.is_known())
        rate.limit_seconds = std::max(rate.bytes / roof.read_bytes_per_s, rate.flops / roof.flops_per_s);
      if (!on_rate(rate)) return {};
    }
  }
  return {};
}

}  // namespace gossamer
