#include "kernels/kv_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/dtype.h"

namespace gossamer::kernels {
namespace {

template <class T>
T load_at(const std::byte* p, uint64_t index) {
  T value;
  std::memcpy(&value, p + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void store_at(std::byte* p, uint64_t index, T value) {
  std::memcpy(p + index * sizeof(T), &value, sizeof(T));
}

/// Rounds x to the dtype, number i to element index(i).
template <class Index>
void write_plain(KvDtype dtype, std::byte* begin, const Index& index, const float* x, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) {
    if (dtype == KvDtype::kF32)
      store_at(begin, index(i), x[i]);
    else
      store_at(begin, index(i), f32_to_bf16(x[i]));
  }
}

/// Rounds to 8 bits and gives the scale, rounded to bf16 before it is used.
template <class Index>
uint16_t write_int8(std::byte* begin, const Index& index, const float* x, uint32_t n) {
  float largest = 0;
  for (uint32_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  const uint16_t stored = f32_to_bf16(largest / 127.0f);
  const float scale = bf16_to_f32(stored);
  const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
  for (uint32_t i = 0; i < n; ++i) {
    const float code = std::nearbyint(x[i] * inverse);  // not a number where the model's weights are broken
    store_at(begin, index(i),
             static_cast<int8_t>(code >= -127.0f  ? std::min(code, 127.0f)
                                 : code < -127.0f ? -127.0f
                                                  : 0.0f));
  }
  return stored;
}

float read_element(KvDtype dtype, const std::byte* begin, uint64_t index, float scale) {
  switch (dtype) {
    case KvDtype::kF32:
      return load_at<float>(begin, index);
    case KvDtype::kBf16:
      return bf16_to_f32(load_at<uint16_t>(begin, index));
    case KvDtype::kInt8:
      return static_cast<float>(load_at<int8_t>(begin, index)) * scale;
  }
  return 0;
}

}  // namespace

std::string_view kv_dtype_name(KvDtype dtype) {
  switch (dtype) {
    case KvDtype::kF32:
      return "f32";
    case KvDtype::kBf16:
      return "bf16";
    case KvDtype::kInt8:
      return "int8";
  }
  return "?";
}

std::optional<KvDtype> parse_kv_dtype(std::string_view name) {
  for (KvDtype dtype : {KvDtype::kF32, KvDtype::kBf16, KvDtype::kInt8})
    if (kv_dtype_name(dtype) == name) return dtype;
  return std::nullopt;
}

void write_token(const KvLayout& layout, std::byte* block, uint32_t slot, const float* key, const float* value) {
  const uint32_t dim = layout.head_dim;
  for (uint32_t head = 0; head < layout.kv_heads; ++head, key += dim, value += dim) {
    const auto key_index = [&](uint32_t i) { return layout.key_index(slot, i); };
    const auto value_index = [&](uint32_t i) { return layout.value_index(slot, i); };
    std::byte *keys = block + layout.keys(head), *values = block + layout.values(head);
    if (layout.dtype == KvDtype::kInt8) {
      store_at(block + layout.key_scales(head), slot, write_int8(keys, key_index, key, dim));
      store_at(block + layout.value_scales(head), slot, write_int8(values, value_index, value, dim));
    } else {
      write_plain(layout.dtype, keys, key_index, key, dim);
      write_plain(layout.dtype, values, value_index, value, dim);
    }
  }
}

void read_token(const KvLayout& layout, const std::byte* block, uint32_t slot, uint32_t head, float* key,
                float* value) {
  const uint32_t dim = layout.head_dim;
  float key_scale = 1, value_scale = 1;
  if (layout.dtype == KvDtype::kInt8) {
    key_scale = bf16_to_f32(load_at<uint16_t>(block + layout.key_scales(head), slot));
    value_scale = bf16_to_f32(load_at<uint16_t>(block + layout.value_scales(head), slot));
  }
  for (uint32_t i = 0; i < dim; ++i) {
    key[i] = read_element(layout.dtype, block + layout.keys(head), layout.key_index(slot, i), key_scale);
    value[i] = read_element(layout.dtype, block + layout.values(head), layout.value_index(slot, i), value_scale);
  }
}

}  // namespace gossamer::kernels
