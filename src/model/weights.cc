#include "model/weights.h"

#include "kernels/read_row.h"

namespace gossamer {
namespace {

using kernels::ExpertRows;
using kernels::WeightRows;

WeightRows rows_of(const MatrixView& view) {
  WeightRows rows;
  rows.dtype = view.dtype;
  rows.rows = static_cast<uint32_t>(view.rows);
  rows.cols = static_cast<uint32_t>(view.cols);
  rows.data = view.data;
  rows.row_stride_bytes = row_bytes(view.dtype, view.cols);
  return rows;
}

ExpertRows rows_of(const ExpertMatrixView& view) {
  const bool split = view.dtype == Dtype::kMxfp4 && view.layout == Mxfp4Layout::kSplit;
  const uint64_t blocks = view.cols / kBlockElements;
  const uint64_t stored_row_bytes = split ? blocks * kMxfp4SplitBlockBytes : row_bytes(view.dtype, view.cols);
  ExpertRows rows;
  rows.experts = view.experts;
  rows.expert_stride_bytes = view.stored_rows * stored_row_bytes;
  rows.first.dtype = view.dtype;
  rows.first.layout = view.layout;
  rows.first.rows = static_cast<uint32_t>(view.rows);
  rows.first.cols = static_cast<uint32_t>(view.cols);
  rows.first.data = view.data + view.first_row * stored_row_bytes;
  rows.first.row_stride_bytes = view.row_step * stored_row_bytes;
  if (split) {
    rows.expert_scale_stride_bytes = view.stored_rows * blocks;
    rows.first.scales = view.scales + view.first_row * blocks;
    rows.first.scale_stride_bytes = view.row_step * blocks;
  }
  return rows;
}

std::vector<float> vector_of(const MatrixView& view) {
  const WeightRows rows = rows_of(view);
  std::vector<float> values(view.rows * view.cols);
  for (uint32_t r = 0; r < rows.rows; ++r) kernels::read_row(rows, r, values.data() + r * view.cols);
  return values;
}

std::vector<float> vector_of(const ExpertBiasView& view) {
  WeightRows stored;  // one element a row, so that the interleaving is a stride
  stored.dtype = view.dtype;
  stored.cols = 1;
  stored.data = view.data;
  stored.row_stride_bytes = row_bytes(view.dtype, 1);
  std::vector<float> values;
  values.reserve(view.experts * view.rows);
  for (uint32_t e = 0; e < view.experts; ++e)
    for (uint64_t r = 0; r < view.rows; ++r)
      kernels::read_row(stored, static_cast<uint32_t>(e * view.stored_rows + view.first_row + r * view.row_step),
                        &values.emplace_back());
  return values;
}

LayerWeights make_layer(const LayerTensors& tensors) {
  LayerWeights layer;
  layer.attn_norm = vector_of(tensors.attn_norm);
  layer.q = rows_of(tensors.q);
  layer.k = rows_of(tensors.k);
  layer.v = rows_of(tensors.v);
  layer.q_bias = vector_of(tensors.q_bias);
  layer.k_bias = vector_of(tensors.k_bias);
  layer.v_bias = vector_of(tensors.v_bias);
  layer.sinks = vector_of(tensors.sinks);
  layer.o = rows_of(tensors.o);
  layer.o_bias = vector_of(tensors.o_bias);
  layer.mlp_norm = vector_of(tensors.mlp_norm);
  layer.router = rows_of(tensors.router);
  layer.router_bias = vector_of(tensors.router_bias);
  layer.gate = rows_of(tensors.gate);
  layer.up = rows_of(tensors.up);
  layer.down = rows_of(tensors.down);
  layer.gate_bias = vector_of(tensors.gate_bias);
  layer.up_bias = vector_of(tensors.up_bias);
  layer.down_bias = vector_of(tensors.down_bias);
  return layer;
}

}  // namespace

Weights make_weights(const ModelTensors& tensors) {
  Weights weights;
  weights.embedding = rows_of(tensors.embedding);
  for (const LayerTensors& layer : tensors.layers) weights.layers.push_back(make_layer(layer));
  weights.final_norm = vector_of(tensors.final_norm);
  weights.lm_head = rows_of(tensors.lm_head);
  return weights;
}

}  // namespace gossamer
