/// What is done number by number: embedding, norms, rotation with the way into the cache.

#include "kernels/cuda/cache_place.h"
#include "kernels/cuda/kv_order.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kThreads = 256;

__device__ __forceinline__ float stored_number(const std::byte* row, Dtype dtype, uint32_t i) {
  switch (dtype) {
    case Dtype::kF32:
      return reinterpret_cast<const float*>(row)[i];
    case Dtype::kF16:
      return low_f16(reinterpret_cast<const uint16_t*>(row)[i]);
    case Dtype::kQ8_0: {  // blocks of 34 bytes: an f16 scale, 32 int8; rows begin at even addresses
      const std::byte* block = row + i / kBlockElements * kQ8BlockBytes;
      const auto code = static_cast<int8_t>(block[2 + i % kBlockElements]);
      return low_f16(*reinterpret_cast<const uint16_t*>(block)) * static_cast<float>(code);
    }
    default:
      return low_bf16(reinterpret_cast<const uint16_t*>(row)[i]);
  }
}

/// Block: a token.
__global__ void __launch_bounds__(kThreads) embed_kernel(EmbedOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t token = blockIdx.x;
  const std::byte* row = args.table + args.tokens[token] * args.row_stride_bytes;
  for (uint32_t i = threadIdx.x; i < args.width; i += kThreads)
    args.out[uint64_t{token} * args.width + i] = stored_number(row, args.dtype, i);
}

/// Block: a row.
__global__ void __launch_bounds__(kThreads) rmsnorm_kernel(NormOp args) {
  let_next_kernel_begin();  // the product behind it asks for its weights while the kernel before still runs
  wait_for_kernels_before();
  const uint32_t row = blockIdx.x;
  const float* x = args.x + uint64_t{args.rows ? args.rows[row] : row} * args.width;
  const float scale = norm_scale<kThreads>(x, args.width, args.eps, static_cast<float*>(shared_memory()));
  store_normed<kThreads>(x, scale, args.weight, args.width, args.padded, args.to_bf16,
                         args.out + uint64_t{row} * args.padded);
}

constexpr uint32_t kHeadDim = 64;
constexpr uint32_t kHalf = kHeadDim / 2;

/// A number of a key or a value on its way into the cache, and what it is multiplied by when it is read.
struct Int8Scale {
  float inverse;
  uint16_t bits;
};
/// The scale of 64 numbers of which every lane has two: the largest is 127 steps. bf16, as on the CPU.
__device__ __forceinline__ Int8Scale int8_scale(float a, float b) {
  float largest = fmaxf(fabsf(a), fabsf(b));
  for (uint32_t mask = 16; mask > 0; mask /= 2) largest = fmaxf(largest, shuffle_xor(largest, mask));
  const auto bits = static_cast<uint16_t>(pack_bf16(largest / 127.f, 0));
  const float scale = low_bf16(bits);
  return {scale > 0 ? 1.f / scale : 0.f, bits};
}
__device__ __forceinline__ int8_t to_int8(float value, float inverse) {
  return static_cast<int8_t>(fminf(fmaxf(rintf(value * inverse), -127.f), 127.f));
}

/// Block: a token; warp: a head at a time, a lane has numbers l and l + 32 of it.
__global__ void __launch_bounds__(kThreads) rope_store_kernel(RopeStoreOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t token = blockIdx.x, lane = threadIdx.x % 32, kv_heads = args.cache.kv_heads;
  const uint32_t num_heads = args.num_heads + 2 * kv_heads;
  const auto [block, slot, position] = cache_place(args.places, args.cache, token);
  const KvLayout layout{args.cache.dtype, kv_heads, kHeadDim};
  const float cos = args.cos[uint64_t{position} * kHalf + lane], sin = args.sin[uint64_t{position} * kHalf + lane];
  for (uint32_t head = threadIdx.x / 32; head < num_heads; head += kThreads / 32) {
    const float* x = args.qkv + (uint64_t{token} * num_heads + head) * kHeadDim;
    float a = x[lane], b = x[lane + kHalf];
    const bool is_value = head >= args.num_heads + kv_heads;
    if (!is_value) rotate(a, b, cos, sin);
    if (head < args.num_heads) {
      uint16_t* q = args.q + (uint64_t{token} * args.num_heads + head) * kHeadDim;
      q[lane] = static_cast<uint16_t>(pack_bf16(a, 0));
      q[lane + kHalf] = static_cast<uint16_t>(pack_bf16(b, 0));
      continue;
    }
    const uint32_t kv_head = head - args.num_heads - (is_value ? kv_heads : 0);
    std::byte* numbers = block + (is_value ? layout.values(kv_head) : layout.keys(kv_head));
    const auto at = [&](uint32_t dim) {
      return is_value ? value_at(args.cache.dtype, slot, dim) : key_at(args.cache.dtype, slot, dim);
    };
    const uint32_t at_a = at(lane), at_b = at(lane + kHalf);
    if (args.cache.dtype == KvDtype::kBf16) {
      reinterpret_cast<uint16_t*>(numbers)[at_a] = static_cast<uint16_t>(pack_bf16(a, 0));
      reinterpret_cast<uint16_t*>(numbers)[at_b] = static_cast<uint16_t>(pack_bf16(b, 0));
      continue;
    }
    const Int8Scale scale = int8_scale(a, b);
    reinterpret_cast<int8_t*>(numbers)[at_a] = to_int8(a, scale.inverse);
    reinterpret_cast<int8_t*>(numbers)[at_b] = to_int8(b, scale.inverse);
    if (lane == 0)
      reinterpret_cast<uint16_t*>(
          block + (is_value ? layout.value_scales(kv_head) : layout.key_scales(kv_head)))[slot] = scale.bits;
  }
}

}  // namespace

const void* any_kernel() {
  return reinterpret_cast<const void*>(embed_kernel);
}

void embed(const EmbedOp& args, Stream stream) {
  if (args.num_tokens > 0) launch(embed_kernel, dim3(args.num_tokens), kThreads, 0, stream, args);
}

void rmsnorm(const NormOp& args, Stream stream) {
  if (args.num_rows > 0) launch(rmsnorm_kernel, dim3(args.num_rows), kThreads, kReduceBytes, stream, args);
}

void rope_store(const RopeStoreOp& args, Stream stream) {
  if (args.num_tokens > 0) launch(rope_store_kernel, dim3(args.num_tokens), kThreads, 0, stream, args);
}

}  // namespace gossamer::kernels::cuda
