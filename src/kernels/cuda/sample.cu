/// One token of each row of logits, the very one that sampling/sampler.cc chooses: the same weights, added up in the
/// same stretches and in the same order, cut off at the same places. What looks at the whole vocabulary is spread over
/// blocks, a slice each; what is one sum after the other is done by one block a row.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/top_p.h"
#include "kernels/exp_weights.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kSliceThreads = 256;
constexpr uint32_t kTakeThreads = 256;
constexpr uint32_t kSliceWarps = kSliceThreads / 32;
constexpr float kLeastExponentOfMass = -20.f;  // of sampling/masked_mass.cc

__device__ __forceinline__ float* logits_of(const DrawOp& args, const DrawRow& row) {
  return args.logits + uint64_t{row.row} * args.vocab;
}
__device__ __forceinline__ const DrawSlice* slices_of(const DrawOp& args, const DrawRow& row) {
  return args.slices + uint64_t{row.row} * draw_slices(args.vocab);
}
__device__ __forceinline__ float* sums_of(const DrawOp& args, const DrawRow& row) {
  return args.sums + uint64_t{row.row} * kDrawSums * draw_stretches(args.vocab);
}
__device__ __forceinline__ bool is_kept(const DrawCut& cut, uint32_t key, uint32_t token) {
  return key > cut.key || (key == cut.key && token <= cut.token);
}

/// See DrawSlice::best; 0: nothing is allowed.
__device__ __forceinline__ uint64_t best_of(const DrawOp& args, const DrawRow& row) {
  uint64_t best = 0;
  for (uint32_t slice = 0; slice < draw_slices(args.vocab); ++slice) {
    const uint64_t of_slice = slices_of(args, row)[slice].best;
    best = of_slice > best ? of_slice : best;
  }
  return best;
}

/// The weight of a token, 0 behind the cut.
struct Weigher {
  float largest, scale;
  DrawCut cut;

  __device__ __forceinline__ float operator()(uint32_t token, float logit) const {
    if (!is_kept(cut, key_of(logit), token)) return 0;
    return exp_weight(logit, largest, scale, kLeastExponent);
  }
};

/// What top_k leaves, where choose_top_k() was there before.
__device__ __forceinline__ Weigher weigher_of(const DrawOp& args, const DrawRow& row, uint64_t best) {
  const bool cuts = row.rule.top_k > 0 && row.rule.top_k < args.vocab;
  return {logit_of(static_cast<uint32_t>(best >> 32)), row.rule.scale, cuts ? args.cuts[row.row] : DrawCut{0, ~0u}};
}

// First: masks and changes.

struct SliceShared {
  uint64_t best[kSliceWarps];
  double forbidden[kSliceWarps], all[kSliceWarps];
};

/// The tokens of a slice, threads side by side.
template <class Visit>
__device__ __forceinline__ void for_slice(const DrawOp& args, Visit visit) {
  const uint32_t begin = blockIdx.x * kDrawSliceTokens;
  const uint32_t end = begin + kDrawSliceTokens < args.vocab ? begin + kDrawSliceTokens : args.vocab;
  for (uint32_t token = begin + threadIdx.x; token < end; token += kSliceThreads) visit(token);
}

/// Block: a slice of a row. What the mask takes away, then mask and changes, then the largest of what is left.
__global__ void __launch_bounds__(kSliceThreads) change_kernel(DrawOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  SliceShared& shared = *static_cast<SliceShared*>(shared_memory());
  const DrawRow row = args.rows[blockIdx.y];
  float* logits = logits_of(args, row);
  double forbidden = 0, all = 0;
  if (row.mask != ~0u) {
    const uint32_t* mask = args.masks + uint64_t{row.mask} * ((args.vocab + 31) / 32);
    const float largest = args.largest[row.row];
    for_slice(args, [&](uint32_t token) {
      const float weight = exp_weight(logits[token], largest, 1.f, kLeastExponentOfMass);
      all += static_cast<double>(weight);
      if (mask[token / 32] >> token % 32 & 1) return;
      forbidden += static_cast<double>(weight);
      logits[token] = -INFINITY;
    });
    block_barrier();
  }
  for (uint32_t i = threadIdx.x; i < row.num_changes; i += kSliceThreads) {
    const LogitChangeOp& change = args.changes[row.first_change + i];
    if (change.token / kDrawSliceTokens != blockIdx.x) continue;
    args.own[row.first_change + i] = logits[change.token];
    logits[change.token] = changed_logit(change, logits[change.token]);
  }
  block_barrier();
  uint64_t best = 0;
  for_slice(args, [&](uint32_t token) {
    const uint64_t key = key_of(logits[token]), mine = key << 32 | (key > 0 ? ~token : 0);
    best = mine > best ? mine : best;
  });
  for (uint32_t mask = 16; mask > 0; mask /= 2) {
    const uint64_t other = shuffle_xor(best, mask);
    best = other > best ? other : best;
    forbidden += shuffle_xor(forbidden, mask);
    all += shuffle_xor(all, mask);
  }
  const uint32_t warp = threadIdx.x / 32;
  if (threadIdx.x % 32 == 0) {
    shared.best[warp] = best;
    shared.forbidden[warp] = forbidden;
    shared.all[warp] = all;
  }
  block_barrier();
  if (threadIdx.x > 0) return;
  DrawSlice slice{0, 0, 0};
  for (uint32_t w = 0; w < kSliceWarps; ++w) {
    slice.best = shared.best[w] > slice.best ? shared.best[w] : slice.best;
    slice.forbidden += shared.forbidden[w];
    slice.all += shared.all[w];
  }
  args.slices[uint64_t{row.row} * draw_slices(args.vocab) + blockIdx.x] = slice;
}

// Then: top_k.

/// What a drawn token is told with. One thread.
__device__ __forceinline__ void give(const DrawOp& args, const DrawRow& row, uint32_t token) {
  DrawnToken drawn{token, 0, 0};
  if (token != kNoToken) {
    drawn.logit = logits_of(args, row)[token];
    uint32_t low = 0, high = row.num_changes;  // the first change that is not of a lower token
    while (low < high) {
      const uint32_t middle = (low + high) / 2;
      if (args.changes[row.first_change + middle].token < token)
        low = middle + 1;
      else
        high = middle;
    }
    if (low < row.num_changes && args.changes[row.first_change + low].token == token)
      drawn.logit = args.own[row.first_change + low];
  }
  if (row.mask != ~0u) {
    double forbidden = 0, all = 0;
    for (uint32_t slice = 0; slice < draw_slices(args.vocab); ++slice) {
      forbidden += slices_of(args, row)[slice].forbidden;
      all += slices_of(args, row)[slice].all;
    }
    drawn.masked_mass = all > 0 ? fmin(1.0, forbidden / all) : 0;
  }
  args.drawn[row.row] = drawn;
}

/// One of `size` weights, not 0, where `left` of their mass is passed over. One thread.
__device__ __forceinline__ uint32_t draw_one(const float* weights, uint32_t size, double left) {
  uint32_t drawn = 0;
#pragma unroll 1
  for (uint32_t i = 0; i < size; ++i) {
    if (weights[i] == 0) continue;
    drawn = i;
    left = add_exact(left, -static_cast<double>(weights[i]));
    if (left < 0) break;
  }
  return drawn;
}

struct TopShared {
  KeySearch search;
  DeviceCandidate found[DrawRule::kMostRanked], ranked[DrawRule::kMostRanked];
  float weights[DrawRule::kMostRanked];
  uint32_t num_found, token;
};

/// Of shared.ranked, whose weights stand in the order of ranks. The token, for one thread.
__device__ __forceinline__ uint32_t draw_ranked(const DrawRule& rule, uint32_t size, TopShared& shared) {
  const auto weight_at = [&](uint32_t i) { return shared.weights[i]; };
  const float least[1] = {rule.min_p};
  float sums[1];
  if (threadIdx.x < size)
    shared.weights[threadIdx.x] =
        exp_weight(shared.ranked[threadIdx.x].logit, shared.ranked[0].logit, rule.scale, kLeastExponent);
  block_barrier();
  if (rule.top_p < 1) {
    const float nothing[1] = {0};
    add_stretch(size, weight_at, nothing, sums);
    block_barrier();
    if (threadIdx.x == 0) {
      const double wanted = multiply_exact(static_cast<double>(rule.top_p), static_cast<double>(sums[0]));
      double sum = 0;
      for (uint32_t i = 0; i < size; ++i) {
        if (sum >= wanted) shared.weights[i] = 0;
        sum = add_exact(sum, static_cast<double>(shared.weights[i]));
      }
    }
    block_barrier();
  }
  add_stretch(size, weight_at, least, sums);
  block_barrier();
  if (threadIdx.x < size && shared.weights[threadIdx.x] < rule.min_p) shared.weights[threadIdx.x] = 0;
  block_barrier();
  const double total = static_cast<double>(sums[0]);
  if (threadIdx.x > 0 || !(total > 0)) return kNoToken;
  double left = multiply_exact(rule.uniform, total);
  if (!(left < total)) left = add_exact(left, -total);
  return shared.ranked[draw_one(shared.weights, size, left)].token;
}

/// Block: a row. Draws one of few, or finds the last of many.
__global__ void __launch_bounds__(kRowThreads) top_k_kernel(DrawOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  TopShared& shared = *static_cast<TopShared*>(shared_memory());
  const DrawRow row = args.rows[blockIdx.x];
  const DrawRule& rule = row.rule;
  const float* logits = logits_of(args, row);
  if (rule.is_greedy() || rule.top_k == 0 || (!rule.is_ranked() && rule.top_k >= args.vocab)) return;
  if (rule.is_ranked()) {
    find_best(logits, args.vocab, rule.top_k, shared.search, shared.found, &shared.num_found);
    const uint32_t size = shared.num_found;
    if (threadIdx.x < size)
      shared.ranked[rank_of(shared.found[threadIdx.x], shared.found, size)] = shared.found[threadIdx.x];
    block_barrier();
    const uint32_t token = draw_ranked(rule, size, shared);
    if (threadIdx.x == 0) give(args, row, token);
    return;
  }
  const uint32_t key = threshold_key(logits, args.vocab, rule.top_k, shared.search), wanted = shared.search.wanted;
  if (threadIdx.x == 0) shared.token = ~0u;
  block_barrier();
  number_ones(
      args.vocab, shared.search.of_warps, [&](uint32_t token) { return key_of(logits[token]) == key; },
      [&](uint32_t token, bool is_equal, uint32_t place) {
        if (is_equal && place + 1 == wanted) shared.token = token;
      });
  if (threadIdx.x == 0) args.cuts[row.row] = {key, shared.token};
}

// Then: the mass of every stretch.

template <uint32_t kSums>
__device__ __forceinline__ void weigh_slice(const DrawOp& args, const DrawRow& row, const Weigher& weigher,
                                            const float (&least)[kSums]) {
  const uint32_t stretches = draw_stretches(args.vocab), half = threadIdx.x / kDrawLanes;
  const float* logits = logits_of(args, row);
  const uint32_t stretch = blockIdx.x * (kDrawSliceTokens / kDrawStretch) + half, begin = stretch * kDrawStretch;
  const uint32_t left = begin < args.vocab ? args.vocab - begin : 0;
  float sums[kSums];
  add_stretch(
      left < kDrawStretch ? left : kDrawStretch, [&](uint32_t i) { return weigher(begin + i, logits[begin + i]); },
      least, sums);
  if (threadIdx.x % kDrawLanes != 0 || stretch >= stretches) return;
  for (uint32_t l = 0; l < kSums; ++l) sums_of(args, row)[l * stretches + stretch] = sums[l];
}
static_assert(kDrawSliceTokens / kDrawStretch * kDrawLanes == kSliceThreads);

/// Block: a slice of a row, half a warp a stretch. With top_p: of all, and of those above each level; else of those
/// that min_p leaves.
__global__ void __launch_bounds__(kSliceThreads) weigh_kernel(DrawOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const DrawRow row = args.rows[blockIdx.y];
  if (row.rule.is_greedy() || row.rule.is_ranked()) return;
  const uint64_t best = best_of(args, row);
  if (best == 0) return;
  const Weigher weigher = weigher_of(args, row, best);
  if (row.rule.top_p < 1)
    weigh_slice<kDrawSums>(args, row, weigher, {0, draw_level(0), draw_level(1), draw_level(2), draw_level(3)});
  else
    weigh_slice<1>(args, row, weigher, {row.rule.min_p});
}
static_assert(kDrawLevels == 4);

// Then: the draw.

struct DrawShared {
  MassSearch search;
  double totals[kDrawSums];
  double left;
  float weights[kDrawStretch];
  uint32_t stretch;  // ~0: nothing can be drawn
};

/// Which of the sums are of the tokens among which top_p looks, and the last of those that it leaves.
__device__ __forceinline__ uint32_t cut_top_p(const DrawOp& args, const DrawRow& row, Weigher& weigher,
                                              DrawShared& shared) {
  const uint32_t stretches = draw_stretches(args.vocab), warp = threadIdx.x / 32;
  const float* sums = sums_of(args, row);
  if (threadIdx.x % 32 == 0 && warp < kDrawSums)
    shared.totals[warp] = add_stretches(sums + warp * stretches, stretches);
  block_barrier();
  const double wanted = multiply_exact(static_cast<double>(row.rule.top_p), shared.totals[0]);
  uint32_t level = 1;
  while (level < kDrawSums && shared.totals[level] < wanted) ++level;
  if (level == kDrawSums) level = 0;
  const float least = level > 0 ? draw_level(level - 1) : 0;
  weigher.cut = mass_cut(
      logits_of(args, row), args.vocab, wanted,
      [&](uint32_t token, float logit) {
        const float weight = weigher(token, logit);
        return weight >= least ? weight : 0.f;
      },
      [&](uint32_t stretch) { return sums[level * stretches + stretch] > 0; }, shared.search);
  return level;
}

/// What top_p and min_p leave of each stretch, where there was anything.
__device__ __forceinline__ void weigh_again(const DrawOp& args, const DrawRow& row, const Weigher& weigher,
                                            const float* before, float* sums) {
  const uint32_t stretches = draw_stretches(args.vocab);
  const float* logits = logits_of(args, row);
  for (uint32_t pair = threadIdx.x / 32 * 2; pair < stretches; pair += 2 * kRowWarps) {
    const bool any = before[pair] > 0 || (pair + 1 < stretches && before[pair + 1] > 0);
    const uint32_t stretch = pair + threadIdx.x % 32 / kDrawLanes, begin = stretch * kDrawStretch;
    const uint32_t left = begin < args.vocab ? args.vocab - begin : 0;
    float sum[1] = {0};
    if (any)
      add_stretch<1>(
          left < kDrawStretch ? left : kDrawStretch, [&](uint32_t i) { return weigher(begin + i, logits[begin + i]); },
          {row.rule.min_p}, sum);
    if (threadIdx.x % kDrawLanes == 0 && stretch < stretches) sums[stretch] = sum[0];
  }
}

/// Where the draw falls. One thread.
__device__ __forceinline__ void find_stretch(const DrawRule& rule, const float* sums, uint32_t num_stretches,
                                             DrawShared& shared) {
  const double total = add_stretches(sums, num_stretches);
  double left = multiply_exact(rule.uniform, total);
  uint32_t here = 0;
  for (uint32_t stretch = 0; stretch < num_stretches; ++stretch) {
    const double sum = static_cast<double>(sums[stretch]);
    if (sum == 0) continue;
    here = stretch;
    if (left < sum) break;
    left = add_exact(left, -sum);
  }
  shared.left = left;
  shared.stretch = total > 0 ? here : ~0u;
}

/// Any of all tokens, as far as top_p, min_p and a large top_k let them. The token, for one thread.
__device__ __forceinline__ uint32_t draw_any(const DrawOp& args, const DrawRow& row, uint64_t best, DrawShared& shared,
                                             float* sums) {
  const uint32_t stretches = draw_stretches(args.vocab);
  Weigher weigher = weigher_of(args, row, best);
  if (row.rule.top_p < 1) {
    const uint32_t level = cut_top_p(args, row, weigher, shared);
    weigh_again(args, row, weigher, sums_of(args, row) + level * stretches, sums);
  } else {
    for (uint32_t i = threadIdx.x; i < stretches; i += kRowThreads) sums[i] = sums_of(args, row)[i];
  }
  block_barrier();
  if (threadIdx.x == 0) find_stretch(row.rule, sums, stretches, shared);
  block_barrier();
  if (shared.stretch == ~0u) return kNoToken;
  const uint32_t begin = shared.stretch * kDrawStretch;
  const uint32_t size = args.vocab - begin < kDrawStretch ? args.vocab - begin : kDrawStretch;
  if (threadIdx.x < size) {
    const float weight = weigher(begin + threadIdx.x, logits_of(args, row)[begin + threadIdx.x]);
    shared.weights[threadIdx.x] = weight < row.rule.min_p ? 0 : weight;
  }
  block_barrier();
  return threadIdx.x == 0 ? begin + draw_one(shared.weights, size, shared.left) : kNoToken;
}

/// Block: a row.
__global__ void __launch_bounds__(kRowThreads, 1) draw_kernel(DrawOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  DrawShared& shared = *static_cast<DrawShared*>(shared_memory());
  float* sums = reinterpret_cast<float*>(&shared + 1);
  const DrawRow row = args.rows[blockIdx.x];
  if (row.rule.is_ranked()) return;  // drawn
  const uint64_t best = best_of(args, row);
  uint32_t token = kNoToken;
  if (best > 0) token = row.rule.is_greedy() ? ~static_cast<uint32_t>(best) : draw_any(args, row, best, shared, sums);
  if (threadIdx.x == 0) give(args, row, token);
}

/// Thread: a token of the step.
__global__ void __launch_bounds__(kTakeThreads) take_drawn_kernel(TakeDrawnOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t i = blockIdx.x * kTakeThreads + threadIdx.x;
  if (i >= args.num_tokens || (args.tokens[i] & kIsDrawn) == 0) return;
  const uint32_t token = args.drawn[args.tokens[i] & ~kIsDrawn].token;
  args.tokens[i] = token < args.vocab ? token : 0;
}

}  // namespace

void draw(const DrawOp& args, Stream stream) {
  if (args.num_rows == 0) return;
  const dim3 slices(draw_slices(args.vocab), args.num_rows), rows(args.num_rows);
  launch(change_kernel, slices, kSliceThreads, sizeof(SliceShared), stream, args);
  if (args.any_top_k) launch(top_k_kernel, rows, kRowThreads, sizeof(TopShared), stream, args);
  if (args.any_unranked) launch(weigh_kernel, slices, kSliceThreads, 0, stream, args);
  const size_t sums_bytes = draw_stretches(args.vocab) * sizeof(float);
  launch(draw_kernel, rows, kRowThreads, sizeof(DrawShared) + sums_bytes, stream, args);
}

void take_drawn(const TakeDrawnOp& args, Stream stream) {
  if (args.num_tokens == 0) return;
  launch(take_drawn_kernel, dim3((args.num_tokens + kTakeThreads - 1) / kTakeThreads), kTakeThreads, 0, stream, args);
}

}  // namespace gossamer::kernels::cuda
