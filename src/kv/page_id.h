#pragma once

#include <cstdint>

namespace gossamer {

/// A page of the pool; the same number in every layer of its group.
using PageId = uint32_t;
inline constexpr PageId kNoPage = 0xffffffff;

}  // namespace gossamer
