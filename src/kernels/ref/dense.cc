#include <cmath>
#include <vector>

#include "kernels/read_row.h"
#include "kernels/ref/ref_backend.h"

namespace gossamer::kernels {

double ref::dot_row(const WeightRows& w, uint32_t row, const float* x, float* scratch) {
  read_row(w, row, scratch);
  double sum = 0;
  for (uint32_t k = 0; k < w.cols; ++k) sum += static_cast<double>(scratch[k]) * x[k];
  return sum;
}

void RefBackend::embed(const EmbedArgs& args) {
  count(Op::kEmbed, true);
  for (size_t t = 0; t < args.tokens.size(); ++t) read_row(args.table, args.tokens[t], args.out + t * args.table.cols);
}

void RefBackend::rmsnorm(const RmsNormArgs& args) {
  count(Op::kRmsNorm, true);
  for (uint32_t t = 0; t < args.num_tokens; ++t) {
    const float* x = args.x + static_cast<size_t>(t) * args.width;
    float* out = args.out + static_cast<size_t>(t) * args.width;
    double sum_of_squares = 0;
    for (uint32_t i = 0; i < args.width; ++i) sum_of_squares += static_cast<double>(x[i]) * x[i];
    const double scale = 1.0 / std::sqrt(sum_of_squares / args.width + static_cast<double>(args.eps));
    for (uint32_t i = 0; i < args.width; ++i) out[i] = static_cast<float>(x[i] * scale * args.weight[i]);
  }
}

void RefBackend::matmul(const MatmulArgs& args) {
  count(Op::kMatmul, true);
  std::vector<float> row(args.w.cols);
  for (uint32_t n = 0; n < args.w.rows; ++n) {
    read_row(args.w, n, row.data());
    for (uint32_t t = 0; t < args.num_tokens; ++t) {
      const float* x = args.x + static_cast<size_t>(t) * args.w.cols;
      double sum = args.bias ? args.bias[n] : 0.0;
      for (uint32_t k = 0; k < args.w.cols; ++k) sum += static_cast<double>(row[k]) * x[k];
      float& out = args.out[t * args.out_stride + n];
      out = static_cast<float>(args.accumulate ? out + sum : sum);
    }
  }
}

void RefBackend::rope(const RopeArgs& args) {
  count(Op::kRope, true);
  ref::rope(args);
}

void ref::rope(const RopeArgs& args) {
  const uint32_t half = args.head_dim / 2;
  for (uint32_t t = 0; t < args.num_tokens; ++t) {
    const float* cos = args.cos + static_cast<size_t>(args.positions[t]) * half;
    const float* sin = args.sin + static_cast<size_t>(args.positions[t]) * half;
    for (uint32_t h = 0; h < args.heads; ++h) {
      float* x = args.x + t * args.token_stride + static_cast<size_t>(h) * args.head_dim;
      for (uint32_t i = 0; i < half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = a * cos[i] - b * sin[i];
        x[i + half] = b * cos[i] + a * sin[i];
      }
    }
  }
}

}  // namespace gossamer::kernels
