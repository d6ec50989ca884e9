#include "model/packed_weights.h"

#include <algorithm>

#include "base/mmap_file.h"

namespace gossamer {
namespace {

using kernels::ExpertRows;
using kernels::stored_alike;
using kernels::WeightRows;

/// Where rows lie in the file, others between them included.
std::span<const std::byte> file_bytes(const WeightRows& rows) {
  return {rows.data, rows.rows * rows.row_stride_bytes};
}
std::span<const std::byte> file_bytes(const ExpertRows& rows) {
  return {rows.first.data, (rows.experts - 1) * rows.expert_stride_bytes + file_bytes(rows.first).size()};
}

/// The matrices of a layer, and the experts.
template <class Layer, class Dense, class Experts>
void for_each_matrix(Layer& layer, Dense&& dense, Experts&& experts) {
  for (auto* rows : {&layer.q, &layer.k, &layer.v, &layer.o}) dense(*rows);
  // Gate and up meet the same rounded inputs, so they are packed alike or not at all.
  if (!stored_alike(layer.gate, layer.up)) return;
  for (auto* rows : {&layer.gate, &layer.up, &layer.down}) experts(*rows);
}

/// Rows that are rounded to another dtype before they are packed, at a time: whole panels of every backend.
constexpr uint32_t kRoundedRows = 256;

/// Goes from matrix to matrix through the memory of the copies, and points each at its own.
class PackedPlaces {
 public:
  PackedPlaces(const kernels::Backend& backend, DenseDtype dense, const std::byte* memory)
      : backend_(backend), dense_(dense), next_(memory) {}

  void assign(WeightRows& rows) {
    const WeightRows kept = kept_as(rows, dense_);
    if (backend_.packed_bytes(kept) > 0) rows = take(kept);
  }
  void assign(ExpertRows& rows) {
    const uint64_t bytes = backend_.packed_bytes(rows.first);
    if (bytes == 0) return;
    rows.first = take(rows.first);
    next_ += (rows.experts - 1) * bytes;
    rows.expert_stride_bytes = bytes;
    rows.expert_scale_stride_bytes = 0;
  }

 private:
  WeightRows take(const WeightRows& rows) {
    const std::byte* copy = next_;
    next_ += backend_.packed_bytes(rows);
    return backend_.packed_rows(rows, copy);
  }
  const kernels::Backend& backend_;
  const DenseDtype dense_;
  const std::byte* next_;
};

/// Makes the copies, in the same order, and lets go of what they replace.
class Packer {
 public:
  Packer(kernels::Backend& backend, DenseDtype dense, std::byte* memory)
      : backend_(backend), dense_(dense), next_(memory) {}

  void pack(const WeightRows& rows) {
    const WeightRows kept = kept_as(rows, dense_);
    if (backend_.packed_bytes(kept) == 0) return;
    replace(file_bytes(rows));
    kept.dtype == rows.dtype ? copy(rows) : round_and_copy(rows, kept);
  }
  void pack(const ExpertRows& rows) {
    if (backend_.packed_bytes(rows.first) == 0) return;
    replace(file_bytes(rows));
    for (uint32_t e = 0; e < rows.experts; ++e) copy(rows.expert(e));
  }
  /// Nothing that was packed so far is needed in the file any more.
  void let_go() {
    for (const std::span<const std::byte> bytes : replaced_) drop_resident(bytes);
    replaced_.clear();
  }

 private:
  void copy(const WeightRows& rows) {
    backend_.pack(rows, next_);
    next_ += backend_.packed_bytes(rows);
  }
  /// Some rows at a time, so that the rounded matrix is nowhere as a whole but where it is to stay.
  void round_and_copy(const WeightRows& rows, const WeightRows& kept) {
    const uint64_t stride_bytes = row_bytes(kept.dtype, kept.cols);
    std::vector<std::byte> rounded(kRoundedRows * stride_bytes);
    for (uint32_t first = 0; first < rows.rows; first += kRoundedRows) {
      WeightRows part = kept;
      part.rows = std::min(kRoundedRows, rows.rows - first);
      part.data = rounded.data();
      part.row_stride_bytes = stride_bytes;
      write_q8_0(rows, first, part.rows, rounded.data());
      copy(part);
    }
  }
  void replace(std::span<const std::byte> bytes) {
    read_ahead(bytes);
    replaced_.push_back(bytes);
  }

  kernels::Backend& backend_;
  const DenseDtype dense_;
  std::byte* next_;
  std::vector<std::span<const std::byte>> replaced_;
};

}  // namespace

uint64_t packed_bytes(const Weights& weights, const kernels::Backend& backend, DenseDtype dense) {
  uint64_t bytes = backend.packed_bytes(kept_as(weights.lm_head, dense));
  for (const LayerWeights& layer : weights.layers)
    for_each_matrix(
        layer, [&](const WeightRows& rows) { bytes += backend.packed_bytes(kept_as(rows, dense)); },
        [&](const ExpertRows& rows) { bytes += rows.experts * backend.packed_bytes(rows.first); });
  return bytes;
}

void pack_weights(Weights& weights, kernels::Backend& backend, DenseDtype dense, std::byte* memory,
                  const ProgressFn& progress) {
  Packer packer(backend, dense, memory);
  const uint64_t steps = weights.layers.size() + 1;
  uint64_t done = 0;
  const auto finish = [&] {
    packer.let_go();
    if (progress) progress("loading", ++done, steps);
  };
  for (LayerWeights& layer : weights.layers) {
    const auto pack = [&](auto& rows) { packer.pack(rows); };
    for_each_matrix(layer, pack, pack);
    finish();
  }
  // Where the head is the embedding too, rows of it are still looked up in the file.
  packer.pack(weights.lm_head);
  finish();
  use_packed_weights(weights, backend, dense, memory);
}

void use_packed_weights(Weights& weights, const kernels::Backend& backend, DenseDtype dense, const std::byte* memory) {
  PackedPlaces places(backend, dense, memory);
  for (LayerWeights& layer : weights.layers) {
    const auto assign = [&](auto& rows) { places.assign(rows); };
    for_each_matrix(layer, assign, assign);
  }
  places.assign(weights.lm_head);
}

}  // namespace gossamer
