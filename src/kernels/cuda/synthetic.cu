/// Random weights in the order of strips.h, sixteen bytes at a time: a vector is one draw of Philox, named by where it
/// stands.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/synthetic.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint32_t kLowestScale = 116;   // E8M0 of 2^-11; a draw adds 0 .. 8
constexpr float kSqrt3 = 1.7320508f;     // the largest of uniform numbers, in deviations
constexpr float kCodeDeviation = 73.9f;  // of uniform bytes

__device__ __forceinline__ uint32_t multiply_high(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>(uint64_t{a} * b >> 32);
}

__device__ __forceinline__ uint4 philox(uint4 counter, uint64_t seed) {
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
#pragma unroll
  for (uint32_t round = 0; round < 10; ++round) {
    counter = {multiply_high(0xcd9e8d57u, counter.z) ^ counter.y ^ key0, 0xcd9e8d57u * counter.z,
               multiply_high(0xd2511f53u, counter.x) ^ counter.w ^ key1, 0xd2511f53u * counter.x};
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return counter;
}

/// -1 up to 1.
__device__ __forceinline__ float uniform(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word)) * (1.f / 2147483648.f);
}
__device__ __forceinline__ float low_uniform(uint32_t word) {
  return static_cast<float>(static_cast<int16_t>(word & 0xffffu)) * (1.f / 32768.f);
}
__device__ __forceinline__ float high_uniform(uint32_t word) {
  return static_cast<float>(static_cast<int16_t>(word >> 16)) * (1.f / 32768.f);
}

template <bool kToBf16>
__device__ __forceinline__ uint4 sixteen_bit_numbers(const uint4& drawn, float centre, float spread) {
  const auto pair = [&](uint32_t word) {
    const float low = fmaf(low_uniform(word), spread, centre), high = fmaf(high_uniform(word), spread, centre);
    return kToBf16 ? pack_bf16(low, high) : pack_f16(low, high);
  };
  return {pair(drawn.x), pair(drawn.y), pair(drawn.z), pair(drawn.w)};
}

/// Rows and columns that the matrix has, as a vector of its strip sees them.
struct Edges {
  uint32_t rows, cols;  // of the strip: of 16 rows; of the whole matrix
  __device__ bool has(uint32_t group_row, uint32_t col) const { return group_row < rows && col < cols; }
};

/// Vector `v` of the strip's codes.
__device__ __forceinline__ uint4 make_codes(const SyntheticStrips& args, const Edges& edges, uint32_t v,
                                            const uint4& drawn) {
  const uint32_t vectors = step_vectors(args.shape.format), step = v / (32 * vectors);
  const uint32_t which = v / 32 % vectors, group = v % 32 / 4, first_col = step * kStepCols;
  const auto keep = [&](uint32_t word, uint32_t half, uint32_t below) {
    return edges.has(group + 8 * below, first_col + 32 * half) ? word : 0;
  };
  if (args.shape.format == StripFormat::kMxfp4)
    return {keep(drawn.x, 0, 0), keep(drawn.y, 0, 1), keep(drawn.z, 1, 0), keep(drawn.w, 1, 1)};
  if (args.shape.format == StripFormat::kQ8)
    return {keep(drawn.x, which, 0), keep(drawn.y, which, 0), keep(drawn.z, which, 1), keep(drawn.w, which, 1)};
  const float spread = args.deviation * kSqrt3;
  const uint4 numbers = args.shape.format == StripFormat::kBf16 ? sixteen_bit_numbers<true>(drawn, 0, spread)
                                                                : sixteen_bit_numbers<false>(drawn, 0, spread);
  const uint32_t half = which / 2, below = which % 2;
  return {keep(numbers.x, half, below), keep(numbers.y, half, below), keep(numbers.z, half, below),
          keep(numbers.w, half, below)};
}

/// Four scales of MXFP4: both rows of a group in 64 columns.
__device__ __forceinline__ uint32_t make_mxfp4_scales(uint32_t drawn) {
  uint32_t scales = 0;
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) scales |= (kLowestScale + kScaleOfCodes + count_bits(drawn >> 8 * i & 255)) << 8 * i;
  return scales;
}

/// Vector `v` of the strip's scales. Those of columns that are not there multiply zeros.
__device__ __forceinline__ uint4 make_scales(const SyntheticStrips& args, const uint4& drawn) {
  if (args.shape.format == StripFormat::kMxfp4)
    return {make_mxfp4_scales(drawn.x), make_mxfp4_scales(drawn.y), make_mxfp4_scales(drawn.z),
            make_mxfp4_scales(drawn.w)};
  const float scale = args.deviation / kCodeDeviation;
  return sixteen_bit_numbers<false>(drawn, scale, scale / 4);
}

/// Four biases, from row 4 * `v` of the strip on.
__device__ __forceinline__ uint4 make_biases(const SyntheticStrips& args, const Edges& edges, uint32_t v,
                                             const uint4& drawn) {
  const auto bias = [&](uint32_t word, uint32_t row) {
    return row < edges.rows ? float_to_bits(uniform(word) * args.largest_bias) : 0;
  };
  return {bias(drawn.x, 4 * v), bias(drawn.y, 4 * v + 1), bias(drawn.z, 4 * v + 2), bias(drawn.w, 4 * v + 3)};
}

/// Block: a strip of a copy.
__global__ void __launch_bounds__(kThreads) make_up_strip(SyntheticStrips args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t strip_index = blockIdx.x, copy = blockIdx.y, left = args.shape.rows - strip_index * kStripRows;
  auto* strip = reinterpret_cast<uint4*>(args.strips + copy * args.shape.bytes() +
                                         uint64_t{strip_index} * args.shape.strip_bytes());
  const Edges edges{left < kStripRows ? left : kStripRows, args.shape.cols};
  const uint32_t scales = args.shape.scales_offset() / 16, biases = args.shape.bias_offset() / 16;
  for (uint32_t v = threadIdx.x; v < args.shape.strip_bytes() / 16; v += kThreads) {
    const uint4 drawn = philox({v, strip_index, copy, args.name.tensor}, args.name.seed);
    if (v < scales)
      strip[v] = make_codes(args, edges, v, drawn);
    else if (v < biases)
      strip[v] = make_scales(args, drawn);
    else if (v < biases + kStripRows / 4)
      strip[v] = make_biases(args, edges, v - biases, drawn);
    else
      strip[v] = {0, 0, 0, 0};
  }
}

/// Thread: four numbers, by its place in the grid.
__global__ void __launch_bounds__(kThreads) make_up_float(SyntheticNumbers args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint64_t v = uint64_t{blockIdx.x} * kThreads + threadIdx.x;
  const uint4 drawn =
      philox({static_cast<uint32_t>(v), static_cast<uint32_t>(v >> 32), 0, args.name.tensor}, args.name.seed);
  auto* out = static_cast<float*>(args.out) + 4 * v;
  const auto store = [&](uint32_t i, uint32_t word) {
    if (4 * v + i < args.count) out[i] = fmaf(uniform(word), args.spread, args.centre);
  };
  store(0, drawn.x);
  store(1, drawn.y);
  store(2, drawn.z);
  store(3, drawn.w);
}

/// Thread: eight numbers.
__global__ void __launch_bounds__(kThreads) make_up_bf16_numbers(SyntheticNumbers args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint64_t v = uint64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (8 * v >= args.count) return;
  const uint4 drawn =
      philox({static_cast<uint32_t>(v), static_cast<uint32_t>(v >> 32), 1, args.name.tensor}, args.name.seed);
  static_cast<uint4*>(args.out)[v] = sixteen_bit_numbers<true>(drawn, args.centre, args.spread);
}

dim3 blocks_for(uint64_t vectors) {
  return dim3(static_cast<uint32_t>((vectors + kThreads - 1) / kThreads));
}

}  // namespace

void make_up_strips(const SyntheticStrips& args, Stream stream) {
  const dim3 grid(args.shape.num_strips(), args.copies);
  if (grid.x > 0 && grid.y > 0) launch(make_up_strip, grid, kThreads, 0, stream, args);
}

void make_up_floats(const SyntheticNumbers& args, Stream stream) {
  if (args.count > 0) launch(make_up_float, blocks_for((args.count + 3) / 4), kThreads, 0, stream, args);
}

void make_up_bf16(const SyntheticNumbers& args, Stream stream) {
  if (args.count >= 8) launch(make_up_bf16_numbers, blocks_for(args.count / 8), kThreads, 0, stream, args);
}

}  // namespace gossamer::kernels::cuda
