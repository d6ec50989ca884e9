#include "kernels/cuda/bulk_copy.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/roof_kernels.h"

namespace gossamer::kernels::cuda {
namespace {

__device__ __forceinline__ uint32_t sum_of(const uint4& v) {
  return v.x + v.y + v.z + v.w;
}

__global__ void __launch_bounds__(kRoofThreads) fill_kernel(uint4* to, uint64_t num_vectors) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  for (uint64_t i = blockIdx.x * uint64_t{kRoofThreads} + threadIdx.x; i < num_vectors;
       i += uint64_t{gridDim.x} * kRoofThreads) {
    const auto word = static_cast<uint32_t>(4 * i);
    to[i] = {word * kRoofFactor, (word + 1) * kRoofFactor, (word + 2) * kRoofFactor, (word + 3) * kRoofFactor};
  }
}

/// Every thread has kRoofVectors loads under way, a grid apart; with `to` it stores them there.
template <bool kCopies>
__global__ void __launch_bounds__(kRoofThreads) loads_kernel(RoofMemory args, uint4* to) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint64_t stride = uint64_t{gridDim.x} * kRoofThreads, num_vectors = args.num_bytes / 16;
  const uint32_t me = blockIdx.x * kRoofThreads + threadIdx.x;
  const auto* from = reinterpret_cast<const uint4*>(args.from);
  uint32_t sum = 0;
  for (uint64_t i = me; i < num_vectors; i += stride * kRoofVectors) {
    uint4 v[kRoofVectors];
#pragma unroll
    for (uint32_t j = 0; j < kRoofVectors; ++j) v[j] = load_once(from + i + j * stride);
#pragma unroll
    for (uint32_t j = 0; j < kRoofVectors; ++j) {
      if constexpr (kCopies) to[i + j * stride] = v[j];
      sum += sum_of(v[j]);
    }
  }
  args.out[me] = sum;
}

constexpr uint32_t kAsyncStages = 3;
constexpr uint32_t kAsyncStageVectors = kRoofThreads * kRoofVectors;

/// The same through shared memory. A thread reads what it copied itself, so nobody waits for others.
__global__ void __launch_bounds__(kRoofThreads) async_kernel(RoofMemory args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint64_t stride = uint64_t{gridDim.x} * kRoofThreads, num_vectors = args.num_bytes / 16;
  const uint64_t num_steps = num_vectors / (stride * kRoofVectors);
  const uint32_t me = blockIdx.x * kRoofThreads + threadIdx.x;
  const uint4* from = reinterpret_cast<const uint4*>(args.from) + me;
  uint4* mine = static_cast<uint4*>(shared_memory()) + threadIdx.x;
  const auto begin = [&](uint64_t step) {
    if (step < num_steps) {
      uint4* stage = mine + step % kAsyncStages * kAsyncStageVectors;
#pragma unroll
      for (uint32_t j = 0; j < kRoofVectors; ++j)
        copy_async_16(stage + j * kRoofThreads, from + (step * kRoofVectors + j) * stride);
    }
    commit_copies();
  };
  for (uint32_t step = 0; step + 1 < kAsyncStages; ++step) begin(step);
  uint32_t sum = 0;
  for (uint64_t step = 0; step < num_steps; ++step) {
    begin(step + kAsyncStages - 1);
    wait_for_copies<kAsyncStages - 1>();
    const uint4* stage = mine + step % kAsyncStages * kAsyncStageVectors;
#pragma unroll
    for (uint32_t j = 0; j < kRoofVectors; ++j) sum += sum_of(stage[j * kRoofThreads]);
  }
  args.out[me] = sum;
}

constexpr uint32_t kBulkStages = 4;
constexpr uint32_t kBulkSharedBytes = kBulkStages * kRoofChunkBytes + kBulkStages * sizeof(Arrival);

/// Block: every gridDim-th chunk; one thread asks for it, all read it.
__global__ void __launch_bounds__(kRoofThreads) bulk_kernel(RoofMemory args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  auto* stages = static_cast<std::byte*>(shared_memory());
  auto* arrivals = reinterpret_cast<Arrival*>(stages + kBulkStages * kRoofChunkBytes);
  const auto num_chunks = static_cast<uint32_t>(args.num_bytes / kRoofChunkBytes);
  const auto begin = [&](uint32_t step) {
    const uint32_t chunk = blockIdx.x + step * gridDim.x;
    if (threadIdx.x != 0 || chunk >= num_chunks) return;
    copy_bulk(stages + step % kBulkStages * kRoofChunkBytes, args.from + uint64_t{chunk} * kRoofChunkBytes,
              kRoofChunkBytes, &arrivals[step % kBulkStages]);
  };
  if (threadIdx.x == 0)
    for (uint32_t i = 0; i < kBulkStages; ++i) prepare_arrival(&arrivals[i]);
  block_barrier();
  for (uint32_t step = 0; step + 1 < kBulkStages; ++step) begin(step);
  block_barrier();
  uint32_t sum = 0;
  for (uint32_t step = 0; blockIdx.x + step * gridDim.x < num_chunks; ++step) {
    wait_for_arrival(&arrivals[step % kBulkStages], step / kBulkStages % 2);
    const auto* stage = reinterpret_cast<const uint4*>(stages + step % kBulkStages * kRoofChunkBytes);
    for (uint32_t i = threadIdx.x; i < kRoofChunkBytes / 16; i += kRoofThreads) sum += sum_of(stage[i]);
    block_barrier();  // this stage was read, and the one before it long ago: that is filled now
    begin(step + kBulkStages - 1);
  }
  args.out[blockIdx.x * kRoofThreads + threadIdx.x] = sum;
}

/// kRoofMmaSums sums of a warp that do not wait for one another.
template <bool kBf16>
__global__ void __launch_bounds__(kRoofThreads) mma_kernel(RoofMma args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t lane = threadIdx.x % 32, me = blockIdx.x * kRoofThreads + threadIdx.x;
  uint32_t a[4], b[2];
  for (uint32_t i = 0; i < 4; ++i) a[i] = args.a[lane * 4 + i];
  for (uint32_t i = 0; i < 2; ++i) b[i] = args.b[lane * 2 + i];
  float sums[kRoofMmaSums][4] = {};
  for (uint32_t round = 0; round < args.rounds; ++round)
#pragma unroll
    for (uint32_t j = 0; j < kRoofMmaSums; ++j) {
      if constexpr (kBf16)
        mma_bf16(sums[j], a, b[0], b[1]);
      else
        mma_f16(sums[j], a, b[0], b[1]);
    }
  for (uint32_t i = 0; i < 4; ++i) {
    float sum = 0;
    for (uint32_t j = 0; j < kRoofMmaSums; ++j) sum += sums[j][i];
    args.out[uint64_t{me} * 4 + i] = sum;
  }
}

__global__ void nothing_kernel() {
  wait_for_kernels_before();
}

/// Lets the next one begin, then waits for the one before.
__global__ void overlapping_kernel() {
  let_next_kernel_begin();
  wait_for_kernels_before();
}

}  // namespace

void roof_fill(std::byte* to, uint64_t num_bytes, Stream stream) {
  const uint64_t num_vectors = num_bytes / 16;
  const uint64_t blocks = (num_vectors + kRoofThreads - 1) / kRoofThreads;
  launch(fill_kernel, dim3(static_cast<uint32_t>(blocks < 4096 ? blocks : 4096)), kRoofThreads, 0, stream,
         reinterpret_cast<uint4*>(to), num_vectors);
}

void roof_read(RoofRead how, const RoofMemory& args, Stream stream) {
  switch (how) {
    case RoofRead::kLoads:
      return launch(loads_kernel<false>, dim3(args.num_blocks), kRoofThreads, 0, stream, args,
                    static_cast<uint4*>(nullptr));
    case RoofRead::kAsync:
      return launch(async_kernel, dim3(args.num_blocks), kRoofThreads, kAsyncStages * kAsyncStageVectors * 16, stream,
                    args);
    case RoofRead::kBulk:
      return launch(bulk_kernel, dim3(args.num_blocks), kRoofThreads, kBulkSharedBytes, stream, args);
  }
}

void roof_copy(const RoofMemory& args, std::byte* to, Stream stream) {
  launch(loads_kernel<true>, dim3(args.num_blocks), kRoofThreads, 0, stream, args, reinterpret_cast<uint4*>(to));
}

void roof_mma(const RoofMma& args, Stream stream) {
  if (args.bf16)
    launch(mma_kernel<true>, dim3(args.num_blocks), kRoofThreads, 0, stream, args);
  else
    launch(mma_kernel<false>, dim3(args.num_blocks), kRoofThreads, 0, stream, args);
}

void roof_nothing(uint32_t num_blocks, bool overlaps, Stream stream) {
#ifndef GOSSAMER_EMULATED_DEVICE
  if (overlaps) {
    cudaLaunchAttribute begins_early{};
    begins_early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    begins_early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(num_blocks);
    config.blockDim = dim3(kRoofThreads);
    config.stream = stream;
    config.attrs = &begins_early;
    config.numAttrs = 1;
    cudaLaunchKernelEx(&config, overlapping_kernel);
    return;
  }
#endif
  if (overlaps)
    launch(overlapping_kernel, dim3(num_blocks), kRoofThreads, 0, stream);
  else
    launch_when_all_have_ended(nothing_kernel, dim3(num_blocks), kRoofThreads, stream);
}

}  // namespace gossamer::kernels::cuda
