/// What a step of few tokens does in fewer kernels. There a kernel takes microseconds, and between two of them a GPU
/// has nothing to read: what is normed, turned or added up is so on the way in or out of a product. The bits are those
/// of the kernels for many tokens: a token may not know how many others there are.

#include "kernels/cuda/cache_place.h"
#include "kernels/cuda/kv_order.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"
#include "kernels/cuda/strip_sums.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kWarps = kSlices;
constexpr uint32_t kThreads = kWarps * 32;
constexpr uint32_t kHalfHead = kRowsOfHead / 2;

/// Normed rows lie in shared memory with 64 bytes between them, so that the eight lanes that read together, four of
/// each of two rows, find theirs in different banks.
constexpr uint32_t normed_stride(uint32_t cols) {
  return padded_cols(cols) + 32;
}

/// Block: a strip, which is eight pairs of numbers of one head; warp: a slice of the columns.
template <StripFormat kFormat>
__global__ void __launch_bounds__(kThreads, blocks_of_slices(kFormat)) qkv_kernel(QkvOp args) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = lane / 4, quad = lane % 4;
  const uint32_t width = args.shape.cols, stride = normed_stride(width);
  const std::byte* strip = args.strips + uint64_t{blockIdx.x} * args.shape.strip_bytes();
  prefetch_slice<kFormat>(strip, args.shape, warp);
  wait_for_kernels_before();
  let_next_kernel_begin();
  auto* slices = static_cast<float4*>(shared_memory());  // [slices][32 lanes]; before, what norms are added up in
  auto* normed = reinterpret_cast<uint16_t*>(slices + kSlices * 32);  // [T, stride]
  for (uint32_t token = 0; token < args.num_tokens; ++token) {
    const float* x = args.x + uint64_t{token} * width;
    const float scale = norm_scale<kThreads>(x, width, args.eps, reinterpret_cast<float*>(slices));
    store_normed<kThreads>(x, scale, args.norm_weight, width, padded_cols(width), takes_bf16(kFormat),
                           normed + token * stride);
  }
  block_barrier();

  const uint4* x = group < args.num_tokens ? reinterpret_cast<const uint4*>(normed + group * stride) + quad : nullptr;
  float sums[4] = {0, 0, 0, 0};
  add_slice<kFormat>(strip, args.shape, warp, x, sums);
  slices[warp * 32 + lane] = {sums[0], sums[1], sums[2], sums[3]};
  block_barrier();
  if (warp != 0) return;
  float total[4];
  add_up_slices(slices, total);

  const auto* bias = reinterpret_cast<const float*>(strip + args.shape.bias_offset());
  const uint32_t head = blockIdx.x / 4, dim = blockIdx.x % 4 * 8 + group, kv_heads = args.cache.kv_heads;
  const KvLayout layout{KvDtype::kBf16, kv_heads, kRowsOfHead};
  for (uint32_t j = 0; j < 2; ++j) {
    const uint32_t token = 2 * quad + j;
    if (token >= args.num_tokens) continue;
    float a = total[j] + bias[group], b = total[2 + j] + bias[group + 8];
    const auto [block, slot, position] = cache_place(args.places, args.cache, token);
    const bool is_value = head >= args.num_heads + kv_heads;
    if (!is_value) {
      const uint64_t turn = uint64_t{position} * kHalfHead + dim;
      rotate(a, b, args.cos[turn], args.sin[turn]);
    }
    uint16_t* numbers;
    uint32_t at_a = dim, at_b = dim + kHalfHead;
    if (head < args.num_heads) {
      numbers = args.q + (uint64_t{token} * args.num_heads + head) * kRowsOfHead;
    } else if (!is_value) {
      numbers = reinterpret_cast<uint16_t*>(block + layout.keys(head - args.num_heads));
      at_a = key_at(KvDtype::kBf16, slot, at_a);
      at_b = key_at(KvDtype::kBf16, slot, at_b);
    } else {
      numbers = reinterpret_cast<uint16_t*>(block + layout.values(head - args.num_heads - kv_heads));
      at_a = value_at(KvDtype::kBf16, slot, at_a);
      at_b = value_at(KvDtype::kBf16, slot, at_b);
    }
    numbers[at_a] = static_cast<uint16_t>(pack_bf16(a, 0));
    numbers[at_b] = static_cast<uint16_t>(pack_bf16(b, 0));
  }
}

/// Experts whose strips a block of contract_kernel() reads at once: with one after the other too few bytes are under
/// way, with all four a multiprocessor has room for one block only.
constexpr uint32_t kExpertsAtOnce = 2;
constexpr uint32_t kContractThreads = kExpertsAtOnce * kThreads;

/// Block: a token and a strip of the residual stream; warp: a slice of the columns of every other of its experts.
/// Blocks of one strip stand side by side: experts that tokens share are in the cache.
template <StripFormat kFormat>
__global__ void __launch_bounds__(kContractThreads) contract_kernel(ContractOp args) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32 % kWarps, group = lane / 4, quad = lane % 4;
  const uint32_t token = blockIdx.x, strip_index = blockIdx.y;
  wait_for_kernels_before();
  let_next_kernel_begin();
  auto* slices = static_cast<float*>(shared_memory());  // [A][slices][16 rows]
  for (uint32_t choice = threadIdx.x / kThreads; choice < args.active; choice += kExpertsAtOnce) {
    const uint32_t slot = token * args.active + choice;
    const std::byte* strip =
        args.strips + args.indices[slot] * args.expert_bytes + uint64_t{strip_index} * args.shape.strip_bytes();
    const uint16_t* row = args.inner + uint64_t{args.place_of_slot[slot]} * args.inner_stride;
    float sums[4] = {0, 0, 0, 0};  // of which the first column is the token
    add_slice<kFormat>(strip, args.shape, warp, group == 0 ? reinterpret_cast<const uint4*>(row) + quad : nullptr,
                       sums);
    float* of_slice = slices + (choice * kSlices + warp) * kStripRows;
    if (quad == 0) {
      of_slice[group] = sums[0];
      of_slice[group + 8] = sums[2];
    }
  }
  block_barrier();
  const uint32_t row = threadIdx.x, col = strip_index * kStripRows + row;
  if (row >= kStripRows || col >= args.shape.rows) return;
  float& residual = args.residual[uint64_t{token} * args.shape.rows + col];
  float sum = residual;
  for (uint32_t choice = 0; choice < args.active; ++choice) {
    const uint32_t slot = token * args.active + choice;
    const std::byte* strip =
        args.strips + args.indices[slot] * args.expert_bytes + uint64_t{strip_index} * args.shape.strip_bytes();
    float total = 0;
    for (uint32_t slice = 0; slice < kSlices; ++slice) total += slices[(choice * kSlices + slice) * kStripRows + row];
    total += reinterpret_cast<const float*>(strip + args.shape.bias_offset())[row];
    sum = fmaf(args.weights[slot], total, sum);
  }
  residual = sum;
}

template <StripFormat kFormat>
void start_qkv(const QkvOp& args, Stream stream) {
  const size_t shared_bytes = kSlices * 32 * sizeof(float4) + args.num_tokens * normed_stride(args.shape.cols) * 2;
  launch(qkv_kernel<kFormat>, dim3(args.shape.num_strips()), kThreads, shared_bytes, stream, args);
}

template <StripFormat kFormat>
void start_contract(const ContractOp& args, Stream stream) {
  launch(contract_kernel<kFormat>, dim3(args.num_tokens, args.shape.num_strips()), kContractThreads,
         args.active * kSlices * kStripRows * sizeof(float), stream, args);
}

}  // namespace

void qkv_of_few(const QkvOp& args, Stream stream) {
  switch (args.shape.format) {
    case StripFormat::kBf16:
      return start_qkv<StripFormat::kBf16>(args, stream);
    case StripFormat::kF16:
      return start_qkv<StripFormat::kF16>(args, stream);
    case StripFormat::kQ8:
      return start_qkv<StripFormat::kQ8>(args, stream);
    case StripFormat::kMxfp4:
      return start_qkv<StripFormat::kMxfp4>(args, stream);
  }
}

void contract_few(const ContractOp& args, Stream stream) {
  switch (args.shape.format) {
    case StripFormat::kBf16:
      return start_contract<StripFormat::kBf16>(args, stream);
    case StripFormat::kF16:
      return start_contract<StripFormat::kF16>(args, stream);
    case StripFormat::kQ8:
      return start_contract<StripFormat::kQ8>(args, stream);
    case StripFormat::kMxfp4:
      return start_contract<StripFormat::kMxfp4>(args, stream);
  }
}

}  // namespace gossamer::kernels::cuda
