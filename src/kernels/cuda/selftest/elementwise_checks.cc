/// Embedding and norms. Rotation and the way into the cache are with attention.

#include <cmath>

#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/selftest/tolerances.h"
#include "kernels/cuda/strips.h"
#include "kernels/random_matrix.h"
#include "kernels/read_row.h"

namespace gossamer::kernels::cuda {
namespace {

void embedding(Check& check) {
  const uint32_t width = check.quick() ? 96 : 2880, vocab = 500;
  for (const Dtype dtype : {Dtype::kBf16, Dtype::kF16, Dtype::kF32, Dtype::kQ8_0}) {
    const RandomMatrix table(dtype, Mxfp4Layout::kSplit, vocab, width, check.rng());
    std::vector<uint32_t> tokens(33);
    for (uint32_t& token : tokens) token = check.rng()() % vocab;
    tokens[1] = 0;
    tokens[2] = vocab - 1;
    EmbedOp args{};
    args.table = check.upload(table.data);
    args.row_stride_bytes = table.rows.row_stride_bytes;
    args.dtype = dtype;
    args.tokens = check.upload(tokens);
    args.num_tokens = static_cast<uint32_t>(tokens.size());
    args.width = width;
    args.out = check.make<float>(tokens.size() * width);
    embed(args, check.stream());
    const auto got = check.download(args.out, tokens.size() * width);
    std::vector<float> want(got.size());
    for (size_t t = 0; t < tokens.size(); ++t) read_row(table.rows, tokens[t], &want[t * width]);
    check.same_bits(std::span<const float>(got), std::span<const float>(want), [&](size_t i) {
      return fmt::format("number {} of token {} in {}", i % width, tokens[i / width], dtype_name(dtype));
    });
  }
}

/// Rows as they come, tiny and large ones, and one of zeros; all in order and a selection.
void norm(Check& check) {
  for (const uint32_t width : check.quick() ? std::vector<uint32_t>{96, 704} : std::vector<uint32_t>{96, 704, 2880})
    for (const bool to_bf16 : {false, true})
      for (const bool selected : {false, true}) {
        constexpr uint32_t kRows = 6;
        constexpr float kEps = 1e-5f;
        const float sizes[kRows] = {1, 1e-4f, 3000, 0, 20, 0.1f};
        std::vector<float> x;
        for (const float size : sizes)
          for (const float value : random_floats(width, check.rng(), size)) x.push_back(value);
        const auto weight = random_floats(width, check.rng());
        const std::vector<uint32_t> rows = selected ? std::vector<uint32_t>{5, 0, 0, 3} : std::vector<uint32_t>{};
        NormOp args{};
        args.x = check.upload(x);
        args.rows = selected ? check.upload(rows) : nullptr;
        args.weight = check.upload(weight);
        args.eps = kEps;
        args.num_rows = selected ? static_cast<uint32_t>(rows.size()) : kRows;
        args.width = width;
        args.padded = padded_cols(width);
        args.to_bf16 = to_bf16;
        args.out = check.make<uint16_t>(size_t{args.num_rows} * args.padded);
        rmsnorm(args, check.stream());
        const auto got = check.download(args.out, size_t{args.num_rows} * args.padded);
        for (uint32_t r = 0; r < args.num_rows; ++r) {
          const float* row = &x[size_t{selected ? rows[r] : r} * width];
          double squares = 0;
          for (uint32_t i = 0; i < width; ++i) squares += static_cast<double>(row[i]) * row[i];
          const double scale = 1 / std::sqrt(squares / width + static_cast<double>(kEps));
          for (uint32_t i = 0; i < args.padded; ++i) {
            const uint16_t bits = got[size_t{r} * args.padded + i];
            const double want = i < width ? row[i] * scale * weight[i] : 0;
            const double rounding = to_bf16 ? kBf16Rounding : kF16Rounding;
            // The scale's error, two products, and the rounding of what came of them.
            const double allowed =
                std::fabs(want) * ((1 + rounding) * (1 + norm_scale_error(width) + 2 * kF32Rounding) - 1) +
                (to_bf16 || want == 0 ? 0 : kF16Least);
            check.near(to_bf16 ? bf16_to_f32(bits) : f16_to_f32(bits), want, allowed, [&] {
              return fmt::format("number {} of {} in a row of size {} in {}", i, width, sizes[selected ? rows[r] : r],
                                 to_bf16 ? "bf16" : "half precision");
            });
          }
        }
      }
}

}  // namespace

std::vector<NamedCheck> elementwise_checks() {
  return {{"embedding", embedding}, {"norm", norm}};
}

}  // namespace gossamer::kernels::cuda
