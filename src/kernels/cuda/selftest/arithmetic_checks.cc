/// What the tolerances of all other checks assume of single instructions, and only a GPU can confirm.

#include <array>
#include <cmath>

#include "base/dtype.h"
#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/selftest/probes.h"
#include "kernels/cuda/selftest/tolerances.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kRows = 16, kCols = 8;  // of an instruction's result

/// A [16, K] and B [8, K] as bits of 16-bit numbers, K a multiple of 16.
struct Operands {
  uint32_t k;
  bool bf16;
  std::vector<uint16_t> a, b;

  Operands(uint32_t columns, bool to_bf16) : k(columns), bf16(to_bf16), a(kRows * columns), b(kCols * columns) {}
  uint16_t bits(float value) const { return bf16 ? f32_to_bf16(value) : f32_to_f16(value); }
  float value(uint16_t stored) const { return bf16 ? bf16_to_f32(stored) : f16_to_f32(stored); }
};

/// Words in the order of PTX: lane 4g + q has rows g and g + 8 of columns 2q, 2q + 1 and the same of 8 + 2q.
std::vector<uint32_t> fragments(const std::vector<uint16_t>& matrix, uint32_t rows, uint32_t k) {
  const uint32_t words = rows / 4;  // of a lane: 4 of A, 2 of B
  std::vector<uint32_t> out;
  for (uint32_t step = 0; step < k / 16; ++step)
    for (uint32_t lane = 0; lane < 32; ++lane)
      for (uint32_t word = 0; word < words; ++word) {
        const uint32_t row = lane / 4 + (words == 4 ? 8 * (word % 2) : 0), upper = words == 4 ? word / 2 : word;
        const uint16_t* from = &matrix[row * k + step * 16 + upper * 8 + lane % 4 * 2];
        out.push_back(from[0] | uint32_t{from[1]} << 16);
      }
  return out;
}

/// [16, 8]
std::vector<float> multiply(Check& check, const Operands& operands) {
  MmaProbe probe{check.upload(fragments(operands.a, kRows, operands.k)),
                 check.upload(fragments(operands.b, kCols, operands.k)), operands.k / 16, operands.bf16,
                 check.make<float>(kRows * kCols)};
  probe_mma(probe, check.stream());
  const auto d = check.download(probe.d, kRows * kCols);
  std::vector<float> out(kRows * kCols);
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t i = 0; i < 4; ++i) out[(lane / 4 + i / 2 * 8) * kCols + lane % 4 * 2 + i % 2] = d[lane * 4 + i];
  return out;
}

/// Products of x in the diagonal of A with y and -y: each stands alone, so its bits are known.
void compare_alone(Check& check, bool bf16, float x, float y) {
  Operands operands(16, bf16);
  for (uint32_t i = 0; i < kRows; ++i) operands.a[i * 16 + i] = operands.bits(x);
  for (uint32_t j = 0; j < kCols; ++j)
    for (uint32_t i = 0; i < kRows; ++i) operands.b[j * 16 + i] = operands.bits(j % 2 ? y : -y);
  const auto got = multiply(check, operands);
  for (uint32_t i = 0; i < kRows; ++i)
    for (uint32_t j = 0; j < kCols; ++j)
      check.near(got[i * kCols + j], static_cast<double>(x) * (j % 2 ? y : -y), 0,
                 [&] { return fmt::format("{} times {} in {}", x, y, bf16 ? "bf16" : "half precision"); });
}

/// The smallest code of MXFP4 is a subnormal of half precision (2^-15 before its scale): an instruction that took it
/// for zero would lose an eighth of all weights. Nothing needs subnormals of bf16.
void subnormals(Check& check) {
  for (const float x : {0x1p-24f, -0x1.8p-23f, 0x1p-15f, 0x1.ff8p-15f, 0x1p-14f, 1.f, 65504.f})
    for (const float y : {1.f, -2.f, 0x1p-15f, 0x1p-24f}) compare_alone(check, false, x, y);
  for (const float x : {0x1p-126f, 1.f, 0x1.fep+127f})
    for (const float y : {1.f, -1.f}) compare_alone(check, true, x, y);
}

/// Long chains of the same accumulator: with signs as they come, and all of one sign, where what is cut adds up.
void sums(Check& check) {
  for (const bool bf16 : {false, true})
    for (const bool one_sign : {false, true}) {
      constexpr uint32_t kColumns = 2880;
      Operands operands(kColumns, bf16);
      std::normal_distribution<float> normal(0, 1);
      for (auto* matrix : {&operands.a, &operands.b})
        for (uint16_t& bits : *matrix) {
          const float value = normal(check.rng());
          bits = operands.bits(one_sign ? std::fabs(value) : value);
        }
      const auto got = multiply(check, operands);
      double lost = 0, largest = 0;
      for (uint32_t i = 0; i < kRows; ++i)
        for (uint32_t j = 0; j < kCols; ++j) {
          double want = 0, magnitude = 0;
          for (uint32_t k = 0; k < kColumns; ++k) {
            const double term = static_cast<double>(operands.value(operands.a[i * kColumns + k])) *
                                operands.value(operands.b[j * kColumns + k]);
            want += term;
            magnitude += std::fabs(term);
          }
          const double allowed = magnitude * (tensor_core_error(kColumns) + kF32Rounding);
          check.near(got[i * kCols + j], want, allowed,
                     [&] { return fmt::format("{} columns of {}", kColumns, bf16 ? "bf16" : "half precision"); });
          lost += (want - got[i * kCols + j]) / magnitude / (kRows * kCols);
          largest = std::max(largest, std::fabs(want - got[i * kCols + j]) / magnitude);
        }
      if (one_sign)
        check.note(fmt::format("of {} in {} numbers of one sign {:.2g} are lost on average, {:.2g} at most", kColumns,
                               bf16 ? "bf16" : "half-precision", lost, largest));
    }
}

struct Functions {
  std::vector<float> x, y, exp2, quotient;
  std::vector<uint32_t> bf16, f16;
};
Functions evaluate(Check& check, std::vector<float> x, std::vector<float> y) {
  const size_t count = x.size();
  FunctionProbe probe{check.upload(x),
                      check.upload(y),
                      static_cast<uint32_t>(count),
                      check.make<float>(count),
                      check.make<float>(count),
                      check.make<uint32_t>(count),
                      check.make<uint32_t>(count)};
  probe_functions(probe, check.stream());
  return {std::move(x),
          std::move(y),
          check.download(probe.exp2, count),
          check.download(probe.quotient, count),
          check.download(probe.bf16, count),
          check.download(probe.f16, count)};
}

/// 2^x of attention, router and swiglu, and swiglu's division.
void exponential_and_division(Check& check) {
  const uint32_t count = check.quick() ? 4096 : 1 << 20;
  std::vector<float> x, y;
  std::uniform_real_distribution<float> exponent(-126, 127), denominator(-20, 100);
  for (uint32_t i = 0; i < count; ++i) {
    x.push_back(i % 2 ? exponent(check.rng()) : exponent(check.rng()) / 128);
    y.push_back(1 + std::exp2(denominator(check.rng())));  // 1 + 2^.. of a sigmoid
  }
  const Functions got = evaluate(check, x, y);
  for (uint32_t i = 0; i < count; ++i) {
    const double exp2 = std::exp2(static_cast<double>(x[i])), quotient = static_cast<double>(x[i]) / y[i];
    check.near(got.exp2[i], exp2, kExp2Error * exp2, [&] { return fmt::format("2^{:.9g}", x[i]); });
    // What is below the smallest normal number may become zero.
    check.near(got.quotient[i], quotient, kDivideError * std::fabs(quotient) + 0x1p-126,
               [&] { return fmt::format("{:.9g} / {:.9g}", x[i], y[i]); });
  }
  // What is so small that it is nothing, as attention has it of positions that nobody sees; and a sigmoid's end.
  const Functions ends = evaluate(check, {-1e30f, -150.f, 0.f, -1e4f, 1.f}, {1.f, 1.f, 1.f, 0x1p+125f, INFINITY});
  check.near(ends.exp2[0], 0, 0, [] { return "2^-1e30"; });
  check.near(ends.exp2[1], 0, 0, [] { return "2^-150"; });
  check.near(ends.exp2[2], 1, kExp2Error, [] { return "2^0"; });
  check.near(ends.quotient[3], 0, 1e-30, [] { return "-1e4 / 2^125"; });
  check.near(ends.quotient[4], 0, 0, [] { return "1 / infinity"; });
}

/// To bf16 and half precision: to the nearest, ties to even, subnormals and infinities as on the host.
void roundings(Check& check) {
  const uint32_t count = check.quick() ? 4096 : 1 << 20;
  std::vector<float> x, y;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t bits = check.rng()();
    x.push_back(std::bit_cast<float>((bits & 0x7f800000u) == 0x7f800000u ? bits & 0xff7fffffu : bits));  // any number
    // Near half precision's range, every fourth in the middle between two of its numbers.
    const auto half = static_cast<uint16_t>(check.rng()() & 0xfbffu);
    const float at = f16_to_f32(half), next = f16_to_f32(static_cast<uint16_t>(half + 1));
    const float between = static_cast<float>(check.rng()() % 1024) / 1024;
    if (i % 4 == 0 || std::isinf(next))  // an infinity times 0 would be no number, whose bits are anybody's
      y.push_back((at + next) / 2);
    else
      y.push_back(at + (next - at) * between);
  }
  const Functions got = evaluate(check, x, y);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t bf16 = f32_to_bf16(x[i]) | uint32_t{f32_to_bf16(y[i])} << 16;
    const uint32_t f16 = f32_to_f16(x[i]) | uint32_t{f32_to_f16(y[i])} << 16;
    check.expect(got.bf16[i] == bf16 && got.f16[i] == f16, [&] {
      return fmt::format(
          "{:.9g} and {:.9g} become {:#010x} in bf16 and {:#010x} in half precision, {:#010x} and "
          "{:#010x} are right",
          x[i], y[i], got.bf16[i], got.f16[i], bf16, f16);
    });
  }
}

}  // namespace

std::vector<NamedCheck> arithmetic_checks() {
  return {{"arithmetic, subnormals of tensor cores", subnormals},
          {"arithmetic, sums of tensor cores", sums},
          {"arithmetic, exponential and division", exponential_and_division},
          {"arithmetic, rounding to 16 bits", roundings}};
}

}  // namespace gossamer::kernels::cuda
