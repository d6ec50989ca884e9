#include "tokenizer/published_tokenizer_json.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tokenizer/uint128.h"

namespace gossamer {
namespace {

constexpr size_t kSizeBytes = 27868174;
constexpr uint64_t kPrime = (uint64_t{1} << 61) - 1;
// The point and the values are those of tools/vocabulary/fingerprint_tokenizer_json.py, which checks the file's sha256
// first.
constexpr uint64_t kPoint = 0x1D5E8A3C96F0B427u % kPrime;
constexpr int kLanes = 4;
constexpr uint64_t kFingerprint[kLanes] = {0x12E660E3FD191802u, 0x147B68C1FDF80258u, 0x131A2D285FF7F746u,
                                           0x0CC076D4C74D051Au};

uint64_t multiply_add(uint64_t a, uint64_t b, uint64_t c) {
  const auto product = static_cast<Uint128>(a) * b + c;
  const uint64_t sum = (static_cast<uint64_t>(product) & kPrime) + static_cast<uint64_t>(product >> 61);
  return sum >= kPrime ? sum - kPrime : sum;
}

}  // namespace

bool is_published_tokenizer_json(std::string_view text) {
  if (text.size() != kSizeBytes) return false;
  // The text as the coefficients of four polynomials over 2^61 - 1, in turn 7 bytes each (so that every coefficient is
  // below the prime), evaluated at one point. Four because one chain of multiplications would wait for itself.
  uint64_t values[kLanes] = {};
  constexpr size_t kWordBytes = 7, kStepBytes = kLanes * kWordBytes;
  size_t at = 0;
  for (; at + kStepBytes <= text.size(); at += kStepBytes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      uint64_t word = 0;
      std::memcpy(&word, text.data() + at + lane * kWordBytes, kWordBytes);
      values[lane] = multiply_add(values[lane], kPoint, word);
    }
  }
  for (; at < text.size(); ++at) values[0] = multiply_add(values[0], kPoint, static_cast<unsigned char>(text[at]));
  return std::memcmp(values, kFingerprint, sizeof values) == 0;
}

}  // namespace gossamer
