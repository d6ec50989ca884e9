#include "checkpoint/tensor_binder.h"

#include <algorithm>

#include "checkpoint/shape.h"

namespace gossamer {
namespace {

std::string dtype_list(std::initializer_list<Dtype> dtypes) {
  std::vector<std::string_view> names;
  for (Dtype dtype : dtypes) names.push_back(dtype_name(dtype));
  return fmt::format("{}", fmt::join(names, ", "));
}

/// "/models/x.gguf has", "the 3 files /models/x/model-00000-of-00002.safetensors and so on have".
std::string files_have(const TensorTable& table) {
  const std::string& first = table.files().front().path();
  if (table.files().size() == 1) return fmt::format("{} has", first);
  return fmt::format("the {} files {} and so on have", table.files().size(), first);
}

/// Rows [first, first + count) of a matrix.
MatrixView row_range(MatrixView matrix, uint64_t first, uint64_t count) {
  matrix.data += first * row_bytes(matrix.dtype, matrix.cols);
  matrix.rows = count;
  return matrix;
}

/// Elements [first, first + count) of a vector.
MatrixView element_range(MatrixView vector, uint64_t first, uint64_t count) {
  vector.data += row_bytes(vector.dtype, first);
  vector.cols = count;
  return vector;
}

template <class View>
View every_second_row(View interleaved, uint64_t first) {
  interleaved.rows /= 2;
  interleaved.first_row = first;
  interleaved.row_step = 2;
  return interleaved;
}

}  // namespace

const TableTensor* TensorBinder::take(std::string_view name, std::initializer_list<Dtype> dtypes,
                                      std::vector<uint64_t> shape) {
  if (!status_.ok()) return nullptr;
  const TableTensor* tensor = table_.find(name);
  if (!tensor) {
    fail(make_error(ErrorCode::kInvalidInput, "{} no tensor {}, which should be {} by {}", files_have(table_), name,
                    shape_text(shape), config_source_));
    return nullptr;
  }
  const std::string& path = table_.path_of(*tensor);
  if (!tensor->dtype || std::ranges::find(dtypes, *tensor->dtype) == dtypes.end()) {
    fail(make_error(ErrorCode::kUnsupported, "{}: tensor {} is stored as {}, but gossamer computes with {} there", path,
                    name, tensor->dtype_name, dtype_list(dtypes)));
    return nullptr;
  }
  if (tensor->shape != shape) {
    fail(make_error(ErrorCode::kInvalidInput, "{}: tensor {} has the shape {}, but should be {} by {}", path, name,
                    shape_text(tensor->shape), shape_text(shape), config_source_));
    return nullptr;
  }
  return tensor;
}

MatrixView TensorBinder::matrix(std::string_view name, uint64_t rows, uint64_t cols) {
  const TableTensor* tensor = take(name, {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kQ8_0}, {rows, cols});
  if (!tensor) return {};
  return {.dtype = *tensor->dtype, .rows = rows, .cols = cols, .data = tensor->data};
}

MatrixView TensorBinder::vector(std::string_view name, uint64_t count) {
  const TableTensor* tensor = take(name, {Dtype::kF32, Dtype::kF16, Dtype::kBf16}, {count});
  if (!tensor) return {};
  return {.dtype = *tensor->dtype, .rows = 1, .cols = count, .data = tensor->data};
}

ExpertMatrixView TensorBinder::split_experts(std::string_view blocks, std::string_view scales, uint32_t experts,
                                             uint64_t rows, uint64_t cols) {
  const uint64_t blocks_per_row = cols / kBlockElements;
  const TableTensor* codes = take(blocks, {Dtype::kU8}, {experts, rows, blocks_per_row, kMxfp4SplitBlockBytes});
  const TableTensor* exponents = take(scales, {Dtype::kU8}, {experts, rows, blocks_per_row});
  if (!codes || !exponents) return {};
  return {.dtype = Dtype::kMxfp4,
          .layout = Mxfp4Layout::kSplit,
          .experts = experts,
          .rows = rows,
          .cols = cols,
          .stored_rows = rows,
          .data = codes->data,
          .scales = exponents->data};
}

ExpertMatrixView TensorBinder::experts(std::string_view name, uint32_t experts, uint64_t rows, uint64_t cols) {
  const TableTensor* tensor =
      take(name, {Dtype::kMxfp4, Dtype::kQ8_0, Dtype::kBf16, Dtype::kF16, Dtype::kF32}, {experts, rows, cols});
  if (!tensor) return {};
  return {.dtype = *tensor->dtype,
          .layout = Mxfp4Layout::kGgml,
          .experts = experts,
          .rows = rows,
          .cols = cols,
          .stored_rows = rows,
          .data = tensor->data};
}

ExpertBiasView TensorBinder::expert_bias(std::string_view name, uint32_t experts, uint64_t rows) {
  const TableTensor* tensor = take(name, {Dtype::kF32, Dtype::kF16, Dtype::kBf16}, {experts, rows});
  if (!tensor) return {};
  return {.dtype = *tensor->dtype, .experts = experts, .rows = rows, .stored_rows = rows, .data = tensor->data};
}

void split_qkv(const MatrixView& matrix, const MatrixView& bias, const ModelConfig& config, LayerTensors& layer) {
  if (!matrix.data || !bias.data) return;
  const uint64_t q_rows = config.q_rows(), kv_rows = config.kv_rows();
  layer.q = row_range(matrix, 0, q_rows);
  layer.k = row_range(matrix, q_rows, kv_rows);
  layer.v = row_range(matrix, q_rows + kv_rows, kv_rows);
  layer.q_bias = element_range(bias, 0, q_rows);
  layer.k_bias = element_range(bias, q_rows, kv_rows);
  layer.v_bias = element_range(bias, q_rows + kv_rows, kv_rows);
}

void split_gate_up(const ExpertMatrixView& matrix, const ExpertBiasView& bias, LayerTensors& layer) {
  layer.gate = every_second_row(matrix, 0);
  layer.up = every_second_row(matrix, 1);
  layer.gate_bias = every_second_row(bias, 0);
  layer.up_bias = every_second_row(bias, 1);
}

}  // namespace gossamer
