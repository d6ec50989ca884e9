/// Products of every instruction set of this machine against the plain loops, for shapes, formats and sizes of inputs
/// that nobody thought of; and packed weights against those in the file's order, bit by bit.

#include "base/check.h"
#include "case_reader.h"
#include "kernels/machine_backends.h"
#include "kernels/made_up_weights.h"
#include "kernels/read_row.h"
#include "kernels/ref/ref_backend.h"

namespace gossamer {
namespace {

using namespace testing;

struct Case {
  Precision precision;
  bool accumulate;
  uint32_t num_tokens;
  const RandomMatrix& w;
  const std::vector<float>&x, bias, before;
};

std::vector<float> product(Backend& backend, const Case& c, const WeightRows& rows) {
  std::vector<float> out = c.before;
  backend.matmul({rows, c.bias.data(), c.x.data(), c.num_tokens, out.data(), rows.rows, c.accumulate});
  return out;
}

/// Largest error that the order of a sum and the rounding of inputs explain.
double tolerance_of(const Case& c, const Backend& backend, uint32_t row, uint32_t token) {
  const WeightRows& rows = c.w.rows;
  std::vector<float> weights(rows.cols);
  read_row(rows, row, weights.data());
  const float* x = c.x.data() + uint64_t{token} * rows.cols;
  double magnitude = std::fabs(c.bias[row]) + std::fabs(c.before[uint64_t{token} * rows.rows + row]);
  for (uint32_t i = 0; i < rows.cols; ++i) magnitude += std::fabs(static_cast<double>(weights[i]) * x[i]);
  double tolerance = sum_tolerance(rows.cols, magnitude);
  if (rows.cols % 32 == 0 && (of_8_bits(rows.dtype) || in_tiles(backend, rows.dtype)))
    tolerance += rounding_tolerance(c.precision, weights, x);
  return tolerance;
}

void compare(const Case& c, Backend& backend) {
  RefBackend ref;
  const auto want = product(ref, c, c.w.rows), got = product(backend, c, c.w.rows);
  for (uint32_t t = 0; t < c.num_tokens; ++t)
    for (uint32_t r = 0; r < c.w.rows.rows; ++r) {
      const uint64_t at = uint64_t{t} * c.w.rows.rows + r;
      GOS_CHECK(std::fabs(static_cast<double>(got[at]) - want[at]) <= tolerance_of(c, backend, r, t));
    }
  const PackedCopy packed(backend, c.w.rows);
  const auto again = product(backend, c, packed.rows);
  GOS_CHECK(std::memcmp(again.data(), got.data(), got.size() * sizeof(float)) == 0);
}

}  // namespace
}  // namespace gossamer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  using namespace gossamer::testing;
  static ThreadPool threads(1);
  CaseReader choose(data, size);
  const Format format = kFormats[choose.number(0, std::size(kFormats) - 1)];
  const bool of_blocks = format.dtype == Dtype::kMxfp4 || format.dtype == Dtype::kQ8_0;
  const uint32_t rows = choose.number(1, 70), tokens = choose.number(1, 40);
  const uint32_t cols = of_blocks || choose.flip() ? 32 * choose.number(1, 12) : choose.number(1, 200);
  const Precision precision = choose.one_of({Precision::kF32, Precision::kExact, Precision::kDefault});
  const bool accumulate = choose.flip();
  const float size_of_x = std::ldexp(1.f, static_cast<int>(choose.number(0, 40)) - 20);
  std::mt19937 rng(choose.number(0, 0xffff));
  const RandomMatrix w(format.dtype, format.layout, rows, cols, rng);
  const auto x = random_floats(size_t{tokens} * cols, rng, size_of_x);
  const Case c{
      precision, accumulate, tokens, w, x, random_floats(rows, rng), random_floats(size_t{tokens} * rows, rng)};
  for (const auto& backend : fast_backends(threads, precision)) compare(c, *backend);
  return 0;
}
