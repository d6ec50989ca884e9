#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace gossamer {

/// Turns a fuzzer's bytes into choices; zeros where they end.
class CaseReader {
 public:
  CaseReader(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}

  /// low .. high, both included.
  uint32_t number(uint32_t low, uint32_t high) { return low + (byte() << 8 | byte()) % (high - low + 1); }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[number(0, static_cast<uint32_t>(choices.size()) - 1)];
  }
  bool flip() { return number(0, 1) == 1; }

 private:
  uint32_t byte() { return data_ < end_ ? *data_++ : 0; }

  const uint8_t* data_;
  const uint8_t* end_;
};

}  // namespace gossamer
