#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "checkpoint/checkpoint.h"
#include "checkpoint/tensor_table.h"

namespace gossamer {

/// Takes tensors out of a table by name and checks dtype and shape against what the config demands. The first fault is
/// kept and every later call returns an empty view, so that the list of a layout's tensors reads as a list; ask
/// status() at the end.
class TensorBinder {
 public:
  /// `config_source` says in errors where the expected shapes come from ("/models/x/config.json", "its metadata").
  TensorBinder(const TensorTable& table, std::string config_source)
      : table_(table), config_source_(std::move(config_source)) {}

  bool has(std::string_view name) const { return table_.find(name) != nullptr; }

  /// A matrix [rows, cols] in F32, F16, BF16 or Q8_0; a vector is [1, count] in F32, F16 or BF16.
  MatrixView matrix(std::string_view name, uint64_t rows, uint64_t cols);
  MatrixView vector(std::string_view name, uint64_t count);

  /// Experts in two tensors: codes `blocks` [experts, rows, cols/32, 16] and `scales` [experts, rows, cols/32], both
  /// U8.
  ExpertMatrixView split_experts(std::string_view blocks, std::string_view scales, uint32_t experts, uint64_t rows,
                                 uint64_t cols);
  /// Experts in one tensor [experts, rows, cols]: ggml's MXFP4, Q8_0, BF16, F16 or F32.
  ExpertMatrixView experts(std::string_view name, uint32_t experts, uint64_t rows, uint64_t cols);
  /// [experts, rows] in F32, F16 or BF16.
  ExpertBiasView expert_bias(std::string_view name, uint32_t experts, uint64_t rows);

  /// The first fault, if there was one.
  const Status& status() const { return status_; }
  void fail(Error error) {
    if (status_.ok()) status_ = std::move(error);
  }

 private:
  const TableTensor* take(std::string_view name, std::initializer_list<Dtype> dtypes, std::vector<uint64_t> shape);

  const TensorTable& table_;
  std::string config_source_;
  Status status_;
};

/// Sets q, k and v of a layer to their parts of one matrix [(H + 2 G) * Dh, D] and one bias: rows of q, then k, then v.
void split_qkv(const MatrixView& matrix, const MatrixView& bias, const ModelConfig& config, LayerTensors& layer);

/// Sets gate and up of a layer to the even and the odd rows of one tensor [E, 2 F, D] and one bias [E, 2 F].
void split_gate_up(const ExpertMatrixView& matrix, const ExpertBiasView& bias, LayerTensors& layer);

}  // namespace gossamer
