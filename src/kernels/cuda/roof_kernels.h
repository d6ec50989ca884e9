#pragma once
/// The kernels of roof.h, as host code starts them. Every thread writes what it saw to out[its number in the grid], so
/// that the host can tell whether all of it was read.

#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

/// Word i of the memory that is read.
constexpr uint32_t kRoofFactor = 2654435761u;

inline constexpr uint32_t kRoofThreads = 256;
inline constexpr uint32_t kRoofVectors = 8;         ///< loads of 16 bytes that a thread has under way
inline constexpr uint32_t kRoofChunkBytes = 24576;  ///< of a bulk copy: a strip of MXFP4 of 2,880 columns
inline constexpr uint32_t kRoofMmaSums = 8;         ///< of a warp

enum class RoofRead : uint8_t { kLoads, kAsync, kBulk };

/// Bytes that all threads of a grid read together at a time; what is read is a multiple of it.
constexpr uint64_t roof_granule(RoofRead how, uint32_t num_blocks) {
  return how == RoofRead::kBulk ? kRoofChunkBytes : uint64_t{num_blocks} * kRoofThreads * kRoofVectors * 16;
}

struct RoofMemory {
  const std::byte* from;
  uint64_t num_bytes;  // a multiple of roof_granule()
  uint32_t num_blocks;
  uint32_t* out;  // [num_blocks * kRoofThreads] sums of the words that a thread read
};
void roof_fill(std::byte* to, uint64_t num_bytes, Stream stream);
void roof_read(RoofRead how, const RoofMemory& args, Stream stream);
/// As kLoads reads, and writes it to `to`.
void roof_copy(const RoofMemory& args, std::byte* to, Stream stream);

/// `rounds` times kRoofMmaSums instructions a warp, always of the same operands: a [32 lanes][4], b [32 lanes][2].
struct RoofMma {
  const uint32_t* a;
  const uint32_t* b;
  bool bf16;
  uint32_t rounds;
  uint32_t num_blocks;
  float* out;  // [num_blocks * kRoofThreads * 4] the sums of a lane, added up
};
void roof_mma(const RoofMma& args, Stream stream);

/// A kernel that does nothing. With `overlaps` it lets the next one begin at once.
void roof_nothing(uint32_t num_blocks, bool overlaps, Stream stream);

}  // namespace gossamer::kernels::cuda
