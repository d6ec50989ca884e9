/// Products in strips: of every format against sums in double, and the same bits in any company.

#include <algorithm>

#include "kernels/cuda/hopper_agreement.h"
#include "kernels/cuda/pack_strips.h"
#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/selftest/product_data.h"
#include "kernels/cuda/selftest/tolerances.h"
#include "kernels/random_matrix.h"
#include "kernels/read_row.h"

namespace gossamer::kernels::cuda {
namespace {

struct Stored {
  Dtype dtype;
  Mxfp4Layout layout;
  const char* name;
};
constexpr Stored kStored[] = {{Dtype::kBf16, Mxfp4Layout::kSplit, "BF16"},
                              {Dtype::kF16, Mxfp4Layout::kSplit, "F16"},
                              {Dtype::kQ8_0, Mxfp4Layout::kSplit, "Q8_0"},
                              {Dtype::kMxfp4, Mxfp4Layout::kSplit, "MXFP4"},
                              {Dtype::kMxfp4, Mxfp4Layout::kGgml, "MXFP4 of ggml"}};

struct Shape {
  uint32_t rows, cols;
};
/// Tails of everything; then those of the model: qkv, o, gate and up, down, and some of the head.
std::vector<Shape> shapes(const Check& check) {
  std::vector<Shape> all = {{16, 64}, {67, 96}, {1, 32}, {130, 1440}};
  if (!check.quick())
    for (const Shape real : {Shape{5120, 2880}, {2880, 4096}, {5760, 2880}, {2880, 2880}, {10003, 2880}})
      all.push_back(real);
  return all;
}
/// Of the rows of x these are computed in double: the first few, and some of those behind.
std::vector<uint32_t> looked_at(uint32_t num_tokens) {
  std::vector<uint32_t> tokens;
  for (uint32_t t = 0; t < num_tokens; t += t < 9 ? 1 : 13) tokens.push_back(t);
  if (tokens.back() + 1 < num_tokens) tokens.push_back(num_tokens - 1);
  return tokens;
}

/// A matrix with what one product of it needs.
struct Product {
  RandomMatrix w;
  std::vector<float> bias;
  Strips strips;

  Product(Check& check, const Stored& stored, const Shape& shape)
      : w(stored.dtype, stored.layout, shape.rows, shape.cols, check.rng()),
        bias(random_floats(shape.rows, check.rng())) {
    const BiasedRows matrix{&w.rows, bias.data()};
    strips = upload_strips(check, {{rows_below_each_other({&matrix, 1})}});
  }

  ProductArgs args(Check& check, const Rounded& x) const {
    ProductArgs args{};
    args.shape = strips.shape;
    args.strips = strips.memory;
    args.x = check.upload(x.bits);
    args.x_stride = x.stride;
    args.num_rows = x.rows();
    args.finish = Finish::kStore;
    args.out_stride = strips.shape.rows;
    return args;
  }
  /// x . w^T + bias for all rows of x [rows, N].
  std::vector<float> compute(Check& check, const Rounded& x, Sums sums = Sums::kInSlices) const {
    ProductArgs of_x = args(check, x);
    of_x.sums = sums;
    const size_t count = size_t{x.rows()} * w.rows.rows;
    of_x.out = check.make<float>(count);
    product(of_x, check.stream());
    return check.download(of_x.out, count);
  }
};

/// Compares the rows of out that are looked at with `dots`, to which biases and `before` (may be empty) were added.
void compare(Check& check, const Product& product, const Rounded& x, std::span<const Dot> dots,
             std::span<const float> out, std::span<const float> before, const std::string& words,
             Sums sums = Sums::kInSlices) {
  const uint32_t rows = product.w.rows.rows, cols = product.w.rows.cols;
  const std::vector<uint32_t> tokens = looked_at(x.rows());
  for (size_t i = 0; i < tokens.size(); ++i)
    for (uint32_t r = 0; r < rows; ++r) {
      const size_t at = size_t{tokens[i]} * rows + r;
      const double more = before.empty() ? 0 : before[at];
      const Dot& dot = dots[i * rows + r];
      const double magnitude = dot.magnitude + std::fabs(product.bias[r]) + std::fabs(more);
      const double allowed = sums == Sums::kInOneRunOnHopper
                                 ? run_error(cols, magnitude)
                                 : product_error(product.strips.shape.format, cols, magnitude);
      check.near(out[at], dot.sum + product.bias[r] + more, allowed,
                 [&] { return fmt::format("row {} of token {} of {}{}", r, tokens[i], x.rows(), words); });
    }
  for (const float value : out)
    if (std::isnan(value)) return check.wrong("a sum is not a number" + words);
}

void products(Check& check, const Stored& stored) {
  for (const Shape& shape : shapes(check)) {
    const Product product(check, stored, shape);
    const bool bf16 = takes_bf16(product.strips.shape.format);
    for (const uint32_t tokens : {1u, 7u, 9u, 70u}) {
      if (check.quick() && shape.cols > 100 && tokens > 9) continue;
      const Rounded x(random_floats(size_t{tokens} * shape.cols, check.rng()), shape.cols, bf16);
      const std::string words = fmt::format(", {}x{}", shape.rows, shape.cols);
      const auto dots = dots_of(check.threads(), product.w.rows, x, looked_at(tokens));
      compare(check, product, x, dots, product.compute(check, x), {}, words);
      const auto before = random_floats(size_t{tokens} * shape.rows, check.rng());
      ProductArgs adding = product.args(check, x);
      adding.finish = Finish::kAccumulate;
      adding.out = check.upload(before);
      cuda::product(adding, check.stream());
      compare(check, product, x, dots, check.download(adding.out, before.size()), before, words + ", added");
    }
    check.free_memory();
  }
}

/// One batch, and parts of it in every size, from several rows on.
void any_company(Check& check, const Stored& stored) {
  const Shape shape = check.quick() ? Shape{40, 736} : Shape{5120, 2880};  // 736: slices of one step and of two
  const Product product(check, stored, shape);
  const bool bf16 = takes_bf16(product.strips.shape.format);
  constexpr uint32_t kMost = 100;
  const auto values = random_floats(size_t{kMost} * shape.cols, check.rng());
  const auto want = product.compute(check, Rounded(values, shape.cols, bf16));
  for (const uint32_t size : {1u, 2u, 3u, 8u, 9u, 33u, 64u, 100u})
    for (const uint32_t first : {0u, 3u, kMost - size}) {
      if (first + size > kMost || (check.quick() && size > 9 && first == 3)) continue;
      const std::span<const float> some = std::span(values).subspan(size_t{first} * shape.cols, size * shape.cols);
      const auto got = product.compute(check, Rounded(some, shape.cols, bf16));
      check.same_bits(std::span(got), std::span(want).subspan(size_t{first} * shape.rows, got.size()), [&](size_t i) {
        return fmt::format("row {} of token {} among {} and among {}", i % shape.rows, first + i / shape.rows, size,
                           kMost);
      });
    }
}

/// Every code of MXFP4 with every scale that is admitted, through the product with a one.
void every_code_and_scale(Check& check) {
  constexpr uint32_t kScales = 241;
  std::vector<std::byte> codes(kScales * 16), scales(kScales);
  for (uint32_t s = 0; s < kScales; ++s) {
    scales[s] = static_cast<std::byte>(s);
    for (uint32_t j = 0; j < 16; ++j) codes[s * 16 + j] = static_cast<std::byte>(j % 8 * 2 * 17 + 16);
  }
  const WeightRows w{Dtype::kMxfp4, Mxfp4Layout::kSplit, kScales, 32, codes.data(), 16, scales.data(), 1};
  const BiasedRows matrix{&w, nullptr};
  const Strips strips = upload_strips(check, {{rows_below_each_other({&matrix, 1})}});
  std::vector<float> units(64 * 32, 0.f), row(32);
  for (uint32_t i = 0; i < 64; ++i) units[i * 32 + i % 32] = 1.f;
  for (const uint32_t tokens : {32u, 64u}) {  // of few rows, and of many
    const Rounded x{std::span<const float>(units).first(tokens * 32), 32, false};
    ProductArgs args{};
    args.shape = strips.shape;
    args.strips = strips.memory;
    args.x = check.upload(x.bits);
    args.x_stride = x.stride;
    args.num_rows = tokens;
    args.out = check.make<float>(tokens * kScales);
    args.out_stride = kScales;
    product(args, check.stream());
    const auto got = check.download(args.out, tokens * kScales);
    for (uint32_t s = 0; s < kScales; ++s) {
      read_row(w, s, row.data());
      for (uint32_t i = 0; i < tokens; ++i)
        check.near(got[i * kScales + s], row[i % 32], 0,
                   [&] { return fmt::format("code of element {} with scale byte {}", i % 32, s); });
    }
  }
}

/// By Hopper's warpgroups, in tiles of 64, 128 and 256 rows.
void products_by_warpgroups(Check& check, const Stored& stored, Sums sums) {
  for (const Shape& shape : shapes(check)) {
    const Product product(check, stored, shape);
    const bool bf16 = takes_bf16(product.strips.shape.format);
    for (const uint32_t tokens : {33u, 100u, 197u}) {
      if (check.quick() && shape.cols > 100) continue;
      const Rounded x(random_floats(size_t{tokens} * shape.cols, check.rng()), shape.cols, bf16);
      const auto dots = dots_of(check.threads(), product.w.rows, x, looked_at(tokens));
      compare(check, product, x, dots, product.compute(check, x, sums), {},
              fmt::format(", {}x{}", shape.rows, shape.cols), sums);
    }
    check.free_memory();
  }
}

/// A card that rounds otherwise is no worse: it is told, and its products stay with mma.sync.
void bits_of_warpgroups(Check& check) {
  const AgreementShape shape = check.quick() ? AgreementShape{40, 736, 33} : AgreementShape{};
  const Result<HopperAgreement> agreement = compare_on_hopper(check.device_stream(), shape);
  if (!agreement.ok()) return check.wrong(agreement.error().message);
  // Both are within product_error() of the exact sum, whose terms have at most the square root of their number times
  // the largest sum as their magnitudes.
  for (const FormatAgreement& of : agreement->formats)
    check.near(of.largest_difference, 0, 2 * product_error(of.format, shape.cols, std::sqrt(shape.cols)),
               [&] { return fmt::format("format {}", static_cast<int>(of.format)); });
  check.note(agreement->same_bits() ? "the bits are those of mma.sync" : agreement->report());
}

}  // namespace

std::vector<NamedCheck> product_checks() {
  std::vector<NamedCheck> checks = {{"products, every code and scale of MXFP4", every_code_and_scale}};
  for (const Stored& stored : kStored) {
    checks.push_back({std::string("products, ") + stored.name, [&](Check& check) { products(check, stored); }});
    checks.push_back(
        {std::string("products in any company, ") + stored.name, [&](Check& check) { any_company(check, stored); }});
  }
  return checks;
}

std::vector<NamedCheck> warpgroup_checks() {
  std::vector<NamedCheck> checks;
  if (!has_warpgroups()) return checks;
  for (const Stored& stored : kStored)
    for (const Sums sums : {Sums::kInSlicesOnHopper, Sums::kInOneRunOnHopper}) {
      const bool once = sums == Sums::kInOneRunOnHopper;
      if (once && stored.dtype == Dtype::kQ8_0) continue;
      checks.push_back({fmt::format("products by warpgroups{}, {}", once ? " in one run" : "", stored.name),
                        [&stored, sums](Check& check) { products_by_warpgroups(check, stored, sums); }});
    }
  checks.push_back({"products by warpgroups, bits", bits_of_warpgroups});
  return checks;
}

}  // namespace gossamer::kernels::cuda
