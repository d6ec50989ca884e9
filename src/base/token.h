#pragma once

#include <cstdint>

namespace gossamer {

/// A row of the embedding and of the head.
using TokenId = uint32_t;

}  // namespace gossamer
