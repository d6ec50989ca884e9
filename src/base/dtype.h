#pragma once
/// Element types of weights on disk and the scalar conversions that define them.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gossamer {

/// How the elements of a tensor are stored.
/// kQ8_0: ggml blocks of 32: f16 scale, then 32 int8 (34 bytes).
/// kMxfp4: OCP MXFP4, blocks of 32 E2M1 codes with one E8M0 scale. Two layouts are in use; see Mxfp4Layout.
enum class Dtype : uint8_t { kF32, kF16, kBf16, kQ8_0, kMxfp4, kU8 };

/// kSplit (safetensors): 16 code bytes a block, scales in a tensor of their own; byte j holds element 2j in its low
/// nibble and 2j + 1 in its high one. kGgml: 17-byte blocks, the scale byte first; byte j holds elements j (low) and j
/// + 16 (high).
enum class Mxfp4Layout : uint8_t { kSplit, kGgml };

inline constexpr uint32_t kBlockElements = 32;  // of Q8_0 and MXFP4
inline constexpr uint32_t kQ8BlockBytes = 34;
inline constexpr uint32_t kMxfp4GgmlBlockBytes = 17;
inline constexpr uint32_t kMxfp4SplitBlockBytes = 16;

/// Name as people write it: "BF16", "MXFP4".
constexpr std::string_view dtype_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return "F32";
    case Dtype::kF16:
      return "F16";
    case Dtype::kBf16:
      return "BF16";
    case Dtype::kQ8_0:
      return "Q8_0";
    case Dtype::kMxfp4:
      return "MXFP4";
    case Dtype::kU8:
      return "U8";
  }
  return "?";
}

/// Bytes of one row of `elements` (a multiple of 32 for the block types; MXFP4: codes and scales together).
constexpr uint64_t row_bytes(Dtype dtype, uint64_t elements) {
  switch (dtype) {
    case Dtype::kF32:
      return elements * 4;
    case Dtype::kF16:
    case Dtype::kBf16:
      return elements * 2;
    case Dtype::kQ8_0:
      return elements / kBlockElements * kQ8BlockBytes;
    case Dtype::kMxfp4:
      return elements / kBlockElements * kMxfp4GgmlBlockBytes;
    case Dtype::kU8:
      return elements;
  }
  return 0;
}

inline float bf16_to_f32(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// Nearest bfloat16, ties to even (NaN stays NaN).
constexpr uint16_t f32_to_bf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// IEEE half to float, subnormals included.
inline float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu, mantissa = half & 0x3ffu;
  if (exponent == 0)
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(mantissa) * 0x1p-24f));
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

/// Nearest IEEE half, ties to even; from 65520 on infinity (NaN stays NaN). C++20 has no type for it on every machine.
inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffffu;
  const uint32_t sign = bits >> 16 & 0x8000u;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u)  // below 2^-14 halves are the multiples of 2^-24
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(std::fabs(value) * 0x1p24f)));
  return static_cast<uint16_t>(sign | ((magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13));
}

/// E2M1: sign, two exponent bits, one mantissa bit. Code 8 is -0.
inline constexpr float kFp4Values[16] = {0.f,  .5f,  1.f,  1.5f,  2.f,  3.f,  4.f,  6.f,
                                         -0.f, -.5f, -1.f, -1.5f, -2.f, -3.f, -4.f, -6.f};

/// E8M0 scale byte: 2^(byte - 127). Byte 255 is NaN by the MX standard; byte 0 is 2^-127 (a float32 subnormal).
constexpr float e8m0_to_f32(uint8_t byte) {
  if (byte == 255) return std::bit_cast<float>(0x7fc00000u);
  if (byte == 0) return std::bit_cast<float>(0x00400000u);
  return std::bit_cast<float>(static_cast<uint32_t>(byte) << 23);
}

}  // namespace gossamer
