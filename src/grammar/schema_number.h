#pragma once

#include <cstdint>
#include <optional>

#include "base/json.h"

namespace gossamer::grammar {

/// Holds every int64, uint64 and double as it is.
using ExactNumber = long double;

/// From here on doubles leave whole numbers out.
inline constexpr ExactNumber kTwoTo53 = 9'007'199'254'740'992;

ExactNumber exact_number(const json::value& number);

/// The compiler keeps numbers as doubles: this one, as a const, is written as it stands in the schema. From 2^53 on
/// these are whole numbers that a double holds; what was no int64 has lost digits when it was read.
bool is_kept_exactly(const json::value& number);

/// The widest bound of a range.
inline constexpr int64_t kLargestBound = 9'223'372'036'854'400'000;

/// A bound that the compiler keeps exactly, and that lets nothing through which `bound` does not: itself below 2^53,
/// else at most some 640,000 inside of it. Nothing where there is none: beyond kLargestBound.
std::optional<ExactNumber> inner_bound(ExactNumber bound, bool is_lower);

/// digits / 10^places.
struct Decimal {
  uint64_t digits = 0;
  uint32_t places = 0;
  ExactNumber value() const;
  /// The least whole number that is a multiple of it.
  ExactNumber whole_multiple() const;
};

/// As the compiler reads "multipleOf"; nothing where it has more digits than the compiler takes (32 bits).
std::optional<Decimal> decimal_of(double number);

/// The least number that is a multiple of both; nothing above 32 bits.
std::optional<Decimal> common_multiple(const Decimal& a, const Decimal& b);

}  // namespace gossamer::grammar
