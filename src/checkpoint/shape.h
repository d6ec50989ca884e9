#pragma once
/// Shapes in sentences and in sums, shared by the parsers.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gossamer {

/// Product of all dimensions (1 for a scalar); nothing on overflow.
std::optional<uint64_t> element_count(std::span<const uint64_t> shape);

/// "[32, 2880]".
std::string shape_text(std::span<const uint64_t> shape);

/// Text out of a file as it may stand in a sentence: at most 80 bytes, control characters replaced.
std::string excerpt(std::string_view text);

}  // namespace gossamer
