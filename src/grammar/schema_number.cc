#include "grammar/schema_number.h"

#include <cmath>
#include <limits>
#include <numeric>

namespace gossamer::grammar {
namespace {

constexpr uint64_t kMostDigits = std::numeric_limits<uint32_t>::max();

uint64_t power_of_10(uint32_t exponent) {
  uint64_t power = 1;
  for (; exponent > 0; --exponent) power *= 10;
  return power;
}

}  // namespace

ExactNumber exact_number(const json::value& number) {
  if (const int64_t* whole = number.if_int64()) return static_cast<ExactNumber>(*whole);
  if (const uint64_t* whole = number.if_uint64()) return static_cast<ExactNumber>(*whole);
  return static_cast<ExactNumber>(number.get_double());
}

bool is_kept_exactly(const json::value& number) {
  const ExactNumber value = exact_number(number);
  if (std::fabs(value) < kTwoTo53) return true;
  return number.is_int64() && number.get_int64() != std::numeric_limits<int64_t>::min() &&
         static_cast<ExactNumber>(static_cast<double>(value)) == value;
}

/// The compiler writes bounds of numbers as the shortest decimals that read back as the same double, and makes bounds
/// of integers of the double itself. Both are exact where the bound is a double of at most 15 digits before its zeros.
std::optional<ExactNumber> inner_bound(ExactNumber bound, bool is_lower) {
  if (!is_lower) {
    const std::optional<ExactNumber> mirrored = inner_bound(-bound, true);
    return mirrored ? std::optional(-*mirrored) : std::nullopt;
  }
  if (std::fabs(bound) < kTwoTo53) return bound;
  if (bound > kLargestBound) return std::nullopt;
  if (bound <= -static_cast<ExactNumber>(kLargestBound)) return -static_cast<ExactNumber>(kLargestBound);
  const auto whole = static_cast<int64_t>(bound);
  const int64_t step = whole > -1'000'000'000'000'000'000 && whole < 1'000'000'000'000'000'000 ? 1'000 : 10'000;
  const int64_t rest = whole % step;
  int64_t inner = whole - rest + (rest > 0 ? step : 0);
  while (static_cast<int64_t>(static_cast<double>(inner)) != inner) inner += step;
  return static_cast<ExactNumber>(inner);
}

ExactNumber Decimal::value() const {
  return static_cast<ExactNumber>(digits) / static_cast<ExactNumber>(power_of_10(places));
}

ExactNumber Decimal::whole_multiple() const {
  return static_cast<ExactNumber>(digits / std::gcd(digits, power_of_10(places)));
}

std::optional<Decimal> decimal_of(double number) {
  Decimal decimal;
  while (number != std::trunc(number)) {
    number *= 10;
    ++decimal.places;
  }
  if (number > static_cast<double>(kMostDigits) || decimal.places > 15) return std::nullopt;
  decimal.digits = static_cast<uint64_t>(number);
  for (; decimal.places > 0 && decimal.digits % 10 == 0; --decimal.places) decimal.digits /= 10;
  return decimal;
}

std::optional<Decimal> common_multiple(const Decimal& a, const Decimal& b) {
  const uint32_t places = std::max(a.places, b.places);
  if (places - a.places > 9 || places - b.places > 9) return std::nullopt;
  const uint64_t first = a.digits * power_of_10(places - a.places);
  const uint64_t second = b.digits * power_of_10(places - b.places);
  if (first > kMostDigits || second > kMostDigits || first * second > kMostDigits) return std::nullopt;
  return Decimal{first / std::gcd(first, second) * second, places};
}

}  // namespace gossamer::grammar
