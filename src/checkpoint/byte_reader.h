#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace gossamer {

static_assert(std::endian::native == std::endian::little, "model files are little endian and read in place");

/// Reads little-endian values one after another from bytes that may end anywhere. Nothing is read past the end: a
/// failed read returns nothing and leaves the position.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }

  template <class T>
  std::optional<T> read() {
    static_assert(std::is_trivially_copyable_v<T>);
    if (remaining() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  std::optional<std::span<const std::byte>> read_bytes(uint64_t count) {
    if (remaining() < count) return std::nullopt;
    auto view = bytes_.subspan(position_, count);
    position_ += count;
    return view;
  }

  /// A 64-bit length, then that many bytes.
  std::optional<std::string_view> read_string() {
    const uint64_t start = position_;
    if (const auto length = read<uint64_t>()) {
      if (const auto text = read_bytes(*length))
        return std::string_view(reinterpret_cast<const char*>(text->data()), text->size());
    }
    position_ = start;
    return std::nullopt;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

}  // namespace gossamer
