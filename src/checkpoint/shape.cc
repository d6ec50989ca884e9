#include "checkpoint/shape.h"

#include <fmt/format.h>

#include "base/checked_math.h"
#include "base/utf8.h"

namespace gossamer {

std::optional<uint64_t> element_count(std::span<const uint64_t> shape) {
  std::optional<uint64_t> count = 1;
  for (uint64_t dimension : shape) {
    count = checked_mul(*count, dimension);
    if (!count) return std::nullopt;
  }
  return count;
}

std::string shape_text(std::span<const uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string excerpt(std::string_view text) {
  constexpr size_t kMaxBytes = 80;
  std::string shown = utf8_lossy(text.substr(0, kMaxBytes));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  if (text.size() > kMaxBytes) shown += "...";
  return shown;
}

}  // namespace gossamer
