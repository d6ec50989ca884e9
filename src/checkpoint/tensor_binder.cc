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

MatrixView row_range(const MatrixView& matrix, uint64_t first, uint64_t count) {
  if (!matrix.data) return {};
  MatrixView range = matrix;
  range.rows = count;
  range.data = matrix.data + first * row_bytes(matrix.dtype, matrix.cols);
  return range;
}

MatrixView element_range(const MatrixView& vector, uint64_t first, uint64_t count) {
  if (!vector.data) return {};
  MatrixView range = vector;
  range.cols = count;
  range.data = vector.data + row_bytes(vector.dtype, first);
  return range;
}

}  // namespace gossamer
