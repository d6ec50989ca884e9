/// Which experts a token meets, in what order they are computed, and the sum of what they gave. Nothing of it is known
/// to the host: products of experts find their rows in tiles that plan_experts() leaves on the device.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint32_t kWarps = kThreads / 32;
constexpr uint32_t kMostExperts = 128;
constexpr uint32_t kMostSlots = 32;  // of route_and_plan

/// By a block: the logits of eight experts for a token, a warp each; the first block of a token writes its normed row.
__device__ __forceinline__ void route_eight(const RouteOp& args, uint32_t token, uint32_t eight, float* shared) {
  const uint32_t lane = threadIdx.x % 32;
  const float* x = args.x + uint64_t{token} * args.width;
  const float scale = norm_scale<kThreads>(x, args.width, args.eps, shared);
  if (eight == 0)
    store_normed<kThreads>(x, scale, args.norm_weight, args.width, args.padded, args.to_bf16,
                           args.normed + uint64_t{token} * args.padded);
  const uint32_t expert = eight * kWarps + threadIdx.x / 32;
  if (expert >= args.experts) return;
  const float* w = args.router + uint64_t{expert} * args.width;
  float sum = 0;
  for (uint32_t i = lane; i < args.width; i += 32) sum = fmaf(x[i] * scale * args.norm_weight[i], w[i], sum);
  sum = add_over_warp(sum);
  if (lane == 0) args.logits[uint64_t{token} * args.experts + expert] = sum + args.bias[expert];
}

/// Block: a token and eight experts.
__global__ void __launch_bounds__(kThreads) router_logits(RouteOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  route_eight(args, blockIdx.x, blockIdx.y, static_cast<float*>(shared_memory()));
}

/// Whether (a, expert of a) is taken before (b, expert of b).
__device__ __forceinline__ bool goes_first(float a, uint32_t of_a, float b, uint32_t of_b) {
  return a > b || (a == b && of_a < of_b);
}

/// By a warp: the experts of a token. Every lane looks after experts lane, lane + 32, ... Lane c gets choice c.
__device__ __forceinline__ uint32_t choose_for(const RouteOp& args, uint32_t token) {
  const uint32_t lane = threadIdx.x % 32;
  const float* logits = args.logits + uint64_t{token} * args.experts;
  float mine[kMostExperts / 32];
#pragma unroll
  for (uint32_t i = 0; i < kMostExperts / 32; ++i)
    mine[i] = lane + 32 * i < args.experts ? load_fresh(logits + lane + 32 * i) : -INFINITY;
  uint32_t taken = 0, my_expert = 0;  // taken: bit i: mine[i]
  float largest = 0, sum = 0, my_weight = 0;
  for (uint32_t choice = 0; choice < args.active; ++choice) {
    float best = -INFINITY;
    uint32_t expert = 0xffffffffu;
#pragma unroll
    for (uint32_t i = 0; i < kMostExperts / 32; ++i)
      if (!(taken >> i & 1) && lane + 32 * i < args.experts && goes_first(mine[i], lane + 32 * i, best, expert)) {
        best = mine[i];
        expert = lane + 32 * i;
      }
    for (uint32_t mask = 16; mask > 0; mask /= 2) {
      const float other = shuffle_xor(best, mask);
      const uint32_t of_other = shuffle_xor(expert, mask);
      if (goes_first(other, of_other, best, expert)) {
        best = other;
        expert = of_other;
      }
    }
    // A row of NaN chooses nobody: the first experts then, so that whatever follows stays within its memory.
    if (expert >= args.experts) expert = choice;
    if (expert % 32 == lane) taken |= 1u << expert / 32;
    if (choice == 0) largest = best;
    const float weight = exp2_fast((best - largest) * 1.44269504f);
    sum += weight;
    if (lane == choice) {
      my_weight = weight;
      my_expert = expert;
    }
  }
  if (lane < args.active) {
    args.indices[uint64_t{token} * args.active + lane] = my_expert;
    args.weights[uint64_t{token} * args.active + lane] = my_weight / sum;
  }
  return my_expert;
}

/// Warp: a token.
__global__ void __launch_bounds__(kThreads) choose_experts(RouteOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t token = blockIdx.x * kWarps + threadIdx.x / 32;
  if (token >= args.num_tokens) return;
  const uint32_t expert = choose_for(args, token);
  if (threadIdx.x % 32 < args.active) add_atomic(&args.counts[expert], 1);
}

/// By a warp, a slot a lane: with at most eight tokens an expert has one tile.
__device__ __forceinline__ void plan_few(const PlanOp& args, const uint32_t* expert_of_slot) {
  const uint32_t slot = threadIdx.x % 32;
  const bool is_slot = slot < args.num_slots;
  const uint32_t expert = is_slot ? expert_of_slot[slot] : ~0u;
  uint32_t place = 0, count = 0, tile = 0;
  bool is_first = is_slot;  // of its expert
  for (uint32_t other = 0; other < args.num_slots; ++other) {
    const uint32_t of_other = expert_of_slot[other];
    place += of_other < expert || (of_other == expert && other < slot);
    count += of_other == expert;
    is_first &= of_other != expert || other >= slot;
  }
  for (uint32_t other = 0; other < 32; ++other) tile += shuffle(is_first ? expert : ~0u, other) < expert;
  const uint32_t num_tiles = count_bits(warp_ballot(is_first));
  if (slot == 0) *args.num_tiles = num_tiles;
  if (!is_slot) return;
  args.place_of_slot[slot] = place;
  args.token_of_place[place] = slot / args.active;
  if (is_first) args.tiles[tile] = {expert, place, place + count};
}

/// Block: a token and eight experts; the last of all blocks chooses and plans for all tokens.
__global__ void __launch_bounds__(kThreads) route_and_plan(RouteOp route, PlanOp plan, uint32_t* arrived) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  auto* shared = static_cast<uint32_t*>(shared_memory());  // what norms are added up in; then experts of slots, and
  uint32_t& is_last = shared[kMostSlots];                  // whether this is the last block
  route_eight(route, blockIdx.x, blockIdx.y, reinterpret_cast<float*>(shared));
  block_barrier();
  if (threadIdx.x == 0) {
    publish_stores();
    is_last = add_atomic(arrived, 1) + 1 == gridDim.x * gridDim.y;
  }
  block_barrier();
  if (!is_last) return;
  const uint32_t lane = threadIdx.x % 32, token = threadIdx.x / 32;
  if (token < route.num_tokens) {
    const uint32_t expert = choose_for(route, token);
    if (lane < route.active) shared[token * route.active + lane] = expert;
  }
  block_barrier();
  if (threadIdx.x == 0) *arrived = 0;
  if (threadIdx.x < 32) plan_few(plan, shared);
}

/// The expert that comes at that place.
__device__ __forceinline__ uint32_t expert_at(const PlanOp& args, uint32_t place) {
  return args.order ? args.order[place] : place;
}

/// One block: where each expert's slots begin, and the tiles. A thread has a place in the order of experts.
__global__ void __launch_bounds__(kMostExperts) plan_tiles(PlanOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  auto* slots = static_cast<uint32_t*>(shared_memory());  // [E] of each expert; then its tiles
  uint32_t* tiles = slots + kMostExperts;
  const uint32_t place = threadIdx.x;
  const uint32_t expert = place < args.experts ? expert_at(args, place) : 0;
  const uint32_t count = place < args.experts ? args.counts[expert] : 0;
  slots[place] = count;
  tiles[place] = place + args.num_on_host < args.experts ? (count + args.tile_rows - 1) / args.tile_rows : 0;
  block_barrier();
  uint32_t begin = 0, tile = 0;
  for (uint32_t before = 0; before < place; ++before) {
    begin += slots[before];
    tile += tiles[before];
  }
  if (place < args.experts) {
    args.begins[place] = begin;
    args.counts[expert] = 0;
  }
  for (uint32_t i = 0; i < tiles[place]; ++i) {
    const uint32_t first = begin + i * args.tile_rows, last = first + args.tile_rows;
    args.tiles[tile + i] = {place, first, last < begin + count ? last : begin + count};
  }
  if (place == kMostExperts - 1) *args.num_tiles = tile + tiles[place];
}

/// Block: an expert, by its place in the order, which looks for its slots in order.
__global__ void __launch_bounds__(kThreads) place_slots(PlanOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  auto* of_warps = static_cast<uint32_t*>(shared_memory());  // [warps]
  const uint32_t expert = expert_at(args, blockIdx.x), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t place = args.begins[blockIdx.x];
  for (uint32_t first = 0; first < args.num_slots; first += kThreads) {
    const uint32_t slot = first + threadIdx.x;
    const bool is_mine = slot < args.num_slots && args.indices[slot] == expert;
    const uint32_t votes = warp_ballot(is_mine);
    if (lane == 0) of_warps[warp] = count_bits(votes);
    block_barrier();
    uint32_t before = 0, all = 0;
    for (uint32_t w = 0; w < kWarps; ++w) {
      before += w < warp ? of_warps[w] : 0;
      all += of_warps[w];
    }
    if (is_mine) {
      const uint32_t at = place + before + count_bits(votes & ((1u << lane) - 1));
      args.token_of_place[at] = slot / args.active;
      args.place_of_slot[slot] = at;
    }
    place += all;
    block_barrier();
  }
}

/// Block: a token.
__global__ void __launch_bounds__(kThreads) combine_kernel(CombineOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t token = blockIdx.x;
  for (uint32_t i = threadIdx.x; i < args.width; i += kThreads) {
    float& residual = args.residual[uint64_t{token} * args.width + i];
    float sum = residual;
    for (uint32_t choice = 0; choice < args.active; ++choice) {
      const uint32_t slot = token * args.active + choice;
      sum = fmaf(args.weights[slot], args.contracted[uint64_t{args.place_of_slot[slot]} * args.width + i], sum);
    }
    residual = sum;
  }
}

}  // namespace

void route(const RouteOp& args, Stream stream) {
  if (args.num_tokens == 0) return;
  launch(router_logits, dim3(args.num_tokens, (args.experts + kWarps - 1) / kWarps), kThreads, kReduceBytes, stream,
         args);
  launch(choose_experts, dim3((args.num_tokens + kWarps - 1) / kWarps), kThreads, 0, stream, args);
}

void route_and_plan_few(const RouteOp& route, const PlanOp& plan, uint32_t* arrived, Stream stream) {
  launch(route_and_plan, dim3(route.num_tokens, (route.experts + kWarps - 1) / kWarps), kThreads,
         (kMostSlots + 1) * sizeof(uint32_t), stream, route, plan, arrived);
}

void plan_experts(const PlanOp& args, Stream stream) {
  if (args.num_slots == 0) return;
  launch(plan_tiles, dim3(1), kMostExperts, 2 * kMostExperts * sizeof(uint32_t), stream, args);
  launch(place_slots, dim3(args.experts), kThreads, kWarps * sizeof(uint32_t), stream, args);
}

void combine_experts(const CombineOp& args, Stream stream) {
  if (args.num_tokens > 0) launch(combine_kernel, dim3(args.num_tokens), kThreads, 0, stream, args);
}

}  // namespace gossamer::kernels::cuda
