#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gossamer::kernels {

/// How keys and values are kept. bf16 rounds to nearest even; int8 is symmetric with one bf16 scale for each token and
/// head, keys and values apart (RoPE comes before, so sinks and positions are untouched).
enum class KvDtype : uint8_t { kF32, kBf16, kInt8 };
std::string_view kv_dtype_name(KvDtype dtype);  ///< "f32", "bf16", "int8"
std::optional<KvDtype> parse_kv_dtype(std::string_view name);

/// Tokens of a block: what one layer keeps of one page.
inline constexpr uint32_t kKvBlockTokens = 32;

/// The order of bytes in a block, for all CPU backends. Head after head:
///
///     f32, int8:   keys [Dh, 32]      | values [32, Dh]      | key scales [32] bf16 | value scales [32] bf16 (int8
///     only) bf16:        keys [Dh/2, 32, 2] | values [32/2, Dh, 2]
///
/// Keys stand dimension by dimension: 32 scores are then 32 lanes, with no sum across a register. In bf16 two
/// dimensions of a key and two positions of a value stand together, as processors that multiply bf16 take them in;
/// others have each of the two with one instruction. Nobody outside of kernels/ knows this order; it may change with
/// `kLayoutId`.
struct KvLayout {
  static constexpr std::string_view kLayoutId = "cpu-transposed-keys-2";

  KvDtype dtype = KvDtype::kBf16;
  uint32_t kv_heads = 8;
  uint32_t head_dim = 64;  // even

  constexpr uint64_t element_bytes() const { return dtype == KvDtype::kF32 ? 4 : dtype == KvDtype::kBf16 ? 2 : 1; }
  constexpr uint64_t keys_bytes() const { return uint64_t{head_dim} * kKvBlockTokens * element_bytes(); }
  constexpr uint64_t scales_bytes() const { return dtype == KvDtype::kInt8 ? kKvBlockTokens * 2 : 0; }
  constexpr uint64_t head_bytes() const { return 2 * (keys_bytes() + scales_bytes()); }
  constexpr uint64_t block_bytes() const { return kv_heads * head_bytes(); }
  /// Of one token in one layer: what the formulas of memory count in.
  constexpr uint64_t token_bytes() const { return block_bytes() / kKvBlockTokens; }

  // Offsets in a block.
  constexpr uint64_t keys(uint32_t head) const { return head * head_bytes(); }
  constexpr uint64_t values(uint32_t head) const { return keys(head) + keys_bytes(); }
  constexpr uint64_t key_scales(uint32_t head) const { return keys(head) + 2 * keys_bytes(); }
  constexpr uint64_t value_scales(uint32_t head) const { return key_scales(head) + scales_bytes(); }

  // Where number i of the token at `slot` stands among the keys and the values of a head, in elements.
  constexpr uint64_t key_index(uint32_t slot, uint32_t i) const {
    if (dtype != KvDtype::kBf16) return uint64_t{i} * kKvBlockTokens + slot;
    return (uint64_t{i / 2} * kKvBlockTokens + slot) * 2 + i % 2;
  }
  constexpr uint64_t value_index(uint32_t slot, uint32_t i) const {
    if (dtype != KvDtype::kBf16) return uint64_t{slot} * head_dim + i;
    return (uint64_t{slot / 2} * head_dim + i) * 2 + slot % 2;
  }
};

/// Writes key and value (each kv_heads * head_dim floats) of the token at `slot` of a block.
void write_token(const KvLayout& layout, std::byte* block, uint32_t slot, const float* key, const float* value);

/// Reads one head of the token at `slot` back, as attention sees it; head_dim floats each.
void read_token(const KvLayout& layout, const std::byte* block, uint32_t slot, uint32_t head, float* key, float* value);

}  // namespace gossamer::kernels
