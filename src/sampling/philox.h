#pragma once

#include <array>
#include <cstdint>

namespace gossamer {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter and a key in, 128
/// random bits out. No state, so a draw depends on what it is for and not on what was drawn before.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// Uniform in [0, 1), keyed by who draws: the request's seed, which of its answers, and the position of the token in
/// its sequence.
double uniform_at(uint64_t seed, uint32_t choice_index, uint32_t position);

}  // namespace gossamer
