#include "kernels/cuda/selftest/product_data.h"

#include <algorithm>

#include "kernels/read_row.h"

namespace gossamer::kernels::cuda {

Strips upload_strips(Check& check, const std::vector<std::vector<StripRow>>& matrices) {
  const Result<StripShape> shape = strip_shape(matrices.front());
  if (!shape.ok()) {
    check.wrong(shape.error().message);
    return {};
  }
  std::vector<std::byte> packed(shape->bytes() * matrices.size());
  std::vector<Status> statuses(matrices.size());
  check.threads().parallel_for(static_cast<uint32_t>(matrices.size()), [&](uint32_t i, unsigned /*thread*/) {
    statuses[i] = pack_strips(*shape, matrices[i], packed.data() + i * shape->bytes());
  });
  for (const Status& status : statuses)
    if (!status.ok()) check.wrong(status.error().message);
  return {*shape, check.upload(packed)};
}

Rounded::Rounded(std::span<const float> x, uint32_t num_cols, bool to_bf16)
    : cols(num_cols), stride(padded_cols(num_cols)), bf16(to_bf16), bits(x.size() / num_cols * stride, 0) {
  for (size_t i = 0; i < x.size(); ++i)
    bits[i / cols * stride + i % cols] = bf16 ? f32_to_bf16(x[i]) : f32_to_f16(x[i]);
}
Rounded::Rounded(std::vector<uint16_t> written, uint32_t num_cols, bool is_bf16)
    : cols(num_cols), stride(padded_cols(num_cols)), bf16(is_bf16), bits(std::move(written)) {}

std::vector<double> Rounded::row(uint32_t index) const {
  std::vector<double> values(cols);
  for (uint32_t i = 0; i < cols; ++i) {
    const uint16_t at = bits[size_t{index} * stride + i];
    values[i] = bf16 ? bf16_to_f32(at) : f16_to_f32(at);
  }
  return values;
}

std::vector<Dot> dots_of(ThreadPool& threads, const WeightRows& w, const Rounded& x, std::span<const uint32_t> tokens) {
  std::vector<std::vector<double>> rows_of_x;
  for (const uint32_t token : tokens) rows_of_x.push_back(x.row(token));
  std::vector<Dot> dots(tokens.size() * w.rows);
  constexpr uint32_t kChunk = 16;
  threads.parallel_for((w.rows + kChunk - 1) / kChunk, [&](uint32_t chunk, unsigned /*thread*/) {
    std::vector<float> weights(w.cols);
    for (uint32_t r = chunk * kChunk; r < std::min(w.rows, (chunk + 1) * kChunk); ++r) {
      read_row(w, r, weights.data());
      for (size_t t = 0; t < tokens.size(); ++t) {
        Dot dot;
        for (uint32_t i = 0; i < w.cols; ++i) {
          const double term = weights[i] * rows_of_x[t][i];
          dot.sum += term;
          dot.magnitude += std::fabs(term);
        }
        dots[t * w.rows + r] = dot;
      }
    }
  });
  return dots;
}

}  // namespace gossamer::kernels::cuda
