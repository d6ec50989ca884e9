/// Each kernel of a step, with its bytes and operations.

#include <algorithm>
#include <cmath>

#include "model/device_forward.h"
#include "model/kernel_bench.h"

namespace gossamer {

using namespace kernels::cuda;

namespace {

constexpr uint32_t kHeadDim = 64;

/// Made-up scales fold; those of Q8_0 never do.
Sums sums_of(StripFormat format, Sums sums) {
  return sums != Sums::kInOneRunOnHopper || can_run_once(format, true) ? sums : Sums::kInSlices;
}

}  // namespace

std::vector<KernelCase> KernelBench::cases() const {
  if (sums_ != Sums::kInSlices) {
    std::vector<KernelCase> products = {qkv_case(), o_case(), gate_up_case(), down_case(), head_case()};
    for (KernelCase& product : products) product.name += sums_ == Sums::kInOneRunOnHopper ? ", one-run" : ", hopper";
    return products;
  }
  std::vector<KernelCase> cases = {embed_case(),      norm_case(), qkv_case(),   store_case(),   attend_case(false),
                                   attend_case(true), o_case(),    route_case(), gate_up_case(), down_case(),
                                   combine_case(),    head_case(), choose_case()};
  cases.push_back(draw_case("draw, greedy", 0));
  cases.push_back(draw_case("draw, temperature", 1));
  cases.push_back(draw_case("draw, top_p", 2));
  if (is_few()) cases.push_back(few_qkv_case());
  if (tile_rows() == 8 && takes_few_slots(rows_, slots_)) cases.push_back(few_route_case());
  if (is_few()) cases.push_back(few_down_case());
  for (const bool sliding : {false, true})
    if (!prompt_plan_.tiles.empty()) cases.push_back(prompt_case(sliding));
  return cases;
}

KernelCase KernelBench::embed_case() const {
  return {"embed", rows_ * config_.hidden * 6.0, 0, [this](uint32_t) {
            embed({weights_.embedding(), weights_.embedding_row_bytes(), weights_.embedding_dtype(), tokens_, rows_,
                   config_.hidden, residual_},
                  stream_.get());
          }};
}
KernelCase KernelBench::norm_case() const {
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

ProductArgs KernelBench::product_args(const DeviceMatrix& matrix, const uint16_t* x, uint32_t x_stride,
                                      float* out) const {
  ProductArgs args{};
  args.shape = matrix.shape;
  args.strips = matrix.strips;
  args.x = x;
  args.x_stride = x_stride;
  args.num_rows = rows_;
  args.sums = sums_of(matrix.shape.format, sums_);
  args.finish = Finish::kStore;
  args.out = out;
  args.out_stride = matrix.shape.rows;
  return args;
}
KernelCase KernelBench::product_case(const char* name, const StripShape& shape, double copies, double rows,
                                     std::function<void(uint32_t)> start) const {
  const double x_bytes = rows * shape.cols * 2, out_bytes = rows * shape.rows * 4;
  return {name, copies * static_cast<double>(shape.bytes()) + x_bytes + out_bytes, 2.0 * rows * shape.rows * shape.cols,
          std::move(start)};
}
KernelCase KernelBench::qkv_case() const {
  return product_case("qkv", layer(0).qkv.shape, 1, rows_, [this](uint32_t turn) {
    product(product_args(layer(turn).qkv, normed_, padded(), qkv_), stream_.get());
  });
}
KernelCase KernelBench::o_case() const {
  return product_case("o", layer(0).o.shape, 1, rows_, [this](uint32_t turn) {
    // Stored, not added: the same bytes but for what it would read, and the numbers stay what they are.
    product(product_args(layer(turn).o, attended_, static_cast<uint32_t>(config_.q_rows()), contracted_),
            stream_.get());
  });
}
KernelCase KernelBench::head_case() const {
  return product_case("head", weights_.lm_head().shape, 1, rows_, [this](uint32_t) {
    product(product_args(weights_.lm_head(), normed_, padded(), logits_), stream_.get());
  });
}

BatchPlaces KernelBench::places(uint32_t turn) const {
  return {positions_, table_begins_, tables_ + uint64_t{turn % turns_} * rows_ * pages_};
}
KernelCase KernelBench::store_case() const {
  return {"rope, store", rows_ * (qkv_rows() * 4.0 + config_.q_rows() * 2.0 + layout_.token_bytes()), 0,
          [this](uint32_t turn) {
            rope_store({qkv_, rows_, config_.num_heads, places(turn), cos_, sin_, cache(), q_}, stream_.get());
          }};
}
AttendOp KernelBench::attend_op(uint32_t turn, bool sliding) const {
  AttendOp op{};
  op.q = q_;
  op.num_tokens = rows_;
  op.num_heads = config_.num_heads;
  op.places = places(turn);
  op.cache = cache();
  op.sinks = layer(turn).sinks;
  op.window = sliding ? config_.sliding_window : 0;
  op.scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));
  op.max_chunks = chunks_of(sliding);
  op.out = attended_;
  op.to_f16 = !takes_bf16(layer(turn).o.shape.format);
  return op;
}
KernelCase KernelBench::attend_case(bool sliding) const {
  const uint32_t seen = sliding ? std::min(options_.context + 1, config_.sliding_window) : options_.context + 1;
  const double bytes = rows_ * (static_cast<double>(seen * layout_.token_bytes()) + config_.q_rows() * 4.0);
  const double flops = 4.0 * rows_ * static_cast<double>(config_.q_rows()) * seen;
  return {sliding ? "attention, window" : "attention, full", bytes, flops, [this, sliding](uint32_t turn) {
            AttendOp op = attend_op(turn, sliding);
            const bool splits = rows_ * config_.num_kv_heads < DeviceForward::kFewBlocks && op.max_chunks > 1;
            op.partial = splits ? partial_ : nullptr;
            attend(op, stream_.get());
          }};
}

BatchPlaces KernelBench::prompt_places(uint32_t turn) const {
  return {prompt_positions_, prompt_begins_, places(turn).pages};
}
/// All tokens of one sequence: tiles read what is before them together.
KernelCase KernelBench::prompt_case(bool sliding) const {
  const StepWork work = prefill_work(config_, prompt_.start, prompt_.length);
  const double bytes = static_cast<double>(work.cached_tokens[sliding] * layout_.token_bytes()) +
                       prompt_.length * static_cast<double>(config_.q_rows()) * 4;
  const double flops = 4.0 * static_cast<double>(work.looks[sliding] * config_.q_rows());
  return {sliding ? "prompt attention, window" : "prompt attention, full", bytes, flops,
          [this, sliding](uint32_t turn) {
            AttendTilesOp op{attend_op(turn, sliding), prompt_tiles_, static_cast<uint32_t>(prompt_plan_.tiles.size()),
                             prompt_plan_.tile_tokens};
            op.args.places = prompt_places(turn);
            op.args.num_tokens = prompt_.length;
            op.args.partial = prompt_plan_.splits_tiles(config_.num_kv_heads, op.args.max_chunks) ? partial_ : nullptr;
            attend_tiles(op, stream_.get());
          }};
}

RouteOp KernelBench::route_op(uint32_t turn) const {
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
  return op;
}
KernelCase KernelBench::route_case() const {
  const double weights = static_cast<double>(config_.num_experts) * config_.hidden;
  return {"router, plan", weights * 4 + rows_ * config_.hidden * 6.0, 2 * weights * rows_, [this](uint32_t turn) {
            route(route_op(turn), stream_.get());
            plan_experts(plan_op(plans_.back()), stream_.get());
          }};
}
KernelCase KernelBench::few_route_case() const {
  KernelCase same = route_case();
  same.name = "few: router, plan";
  same.start = [this](uint32_t turn) {
    route_and_plan_few(route_op(turn), plan_op(plans_.back()), arrived_, stream_.get());
  };
  return same;
}

double KernelBench::mean_experts() const {
  double sum = 0;
  for (uint32_t i = 0; i < num_layers_; ++i) sum += plans_[i].experts;
  return sum / num_layers_;
}
ProductArgs KernelBench::expert_args(const DeviceMatrix& matrix, const MadePlan& plan) const {
  ProductArgs args{};
  args.shape = matrix.shape;
  args.strips = matrix.strips;
  args.num_rows = slots_;
  args.sums = sums_of(matrix.shape.format, sums_);
  args.tiles = plan.tiles;
  args.num_tiles = plan.num_tiles;
  args.max_tiles = max_expert_tiles(slots_, config_.num_experts, tile_rows());
  args.tile_rows = tile_rows();
  args.expert_bytes = matrix.shape.bytes();
  return args;
}
KernelCase KernelBench::gate_up_case() const {
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
KernelCase KernelBench::down_case() const {
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
KernelCase KernelBench::combine_case() const {
  return {"combine", (slots_ + 2.0 * rows_) * config_.hidden * 4, 2.0 * slots_ * config_.hidden, [this](uint32_t turn) {
            combine_experts({contracted_, plans_[turn % num_layers_].place_of_slot, weights_of_slots_, rows_,
                             config_.experts_per_token, config_.hidden, residual_},
                            stream_.get());
          }};
}
KernelCase KernelBench::choose_case() const {
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

/// Norm, product, rotation and the way into the cache.
KernelCase KernelBench::few_qkv_case() const {
  return product_case("few: norm, qkv, store", layer(0).qkv.shape, 1, rows_, [this](uint32_t turn) {
    const DeviceLayer& w = layer(turn);
    qkv_of_few({residual_, w.attn_norm, config_.rms_norm_eps, rows_, w.qkv.shape, w.qkv.strips, config_.num_heads,
                places(turn), cos_, sin_, cache(), q_},
               stream_.get());
  });
}
/// With the sum of experts.
KernelCase KernelBench::few_down_case() const {
  return product_case("few: down, combine", layer(0).down.shape, mean_experts(), slots_, [this](uint32_t turn) {
    const MadePlan& plan = plans_[turn % num_layers_];
    const DeviceMatrix& down = layer(turn).down;
    contract_few({down.shape, down.strips, down.shape.bytes(), inner_, inner(), indices_, plan.place_of_slot,
                  weights_of_slots_, rows_, config_.experts_per_token, residual_},
                 stream_.get());
  });
}

KernelCase KernelBench::draw_case(const char* name, uint32_t rule) const {
  return {name, rows_ * 4.0 * config_.vocab_size, 0, [this, rule](uint32_t) {
            DrawOp op{};
            op.logits = logits_;
            op.rows = draw_rows_ + rule * rows_;
            op.num_rows = rows_;
            op.vocab = config_.vocab_size;
            op.any_unranked = rule > 0;
            op.slices = draw_slices_;
            op.cuts = draw_cuts_;
            op.sums = draw_sums_;
            op.drawn = drawn_;
            draw(op, stream_.get());
          }};
}

}  // namespace gossamer
