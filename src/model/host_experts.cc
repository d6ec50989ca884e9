#include "model/host_experts.h"

#include <algorithm>

#include "base/free_memory.h"
#include "base/mmap_file.h"
#include "kernels/read_row.h"

namespace gossamer {
namespace {

using kernels::ExpertRows;
using kernels::WeightRows;

constexpr uint64_t kLeftFreeBytes = 1ull << 30;  // after the copy, for everything else

uint64_t stored_bytes(const WeightRows& rows) {
  return rows.rows * row_bytes(rows.dtype, rows.cols);
}

/// Where the experts' rows are in the file, those of others between them included.
std::span<const std::byte> file_bytes(const ExpertRows& rows) {
  return {rows.first.data,
          (rows.experts - 1) * rows.expert_stride_bytes + rows.first.rows * rows.first.row_stride_bytes};
}
std::span<const std::byte> file_bytes(const WeightRows& rows) {
  return {rows.data, rows.rows * rows.row_stride_bytes};
}

}  // namespace

HostExperts::HostExperts(const Weights& weights, const ExpertPlacement& placement, float swiglu_limit,
                         std::unique_ptr<kernels::Backend> backend, ThreadPool& threads, bool may_pack,
                         const ProgressFn& progress)
    : swiglu_limit_(swiglu_limit), backend_(std::move(backend)), threads_(threads) {
  const auto num_layers = static_cast<uint32_t>(weights.layers.size());
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < num_layers; ++i) bytes += packed_bytes(weights.layers[i], placement.on_host(i).size());
  std::byte* memory = nullptr;
  if (may_pack && bytes > 0 && bytes + kLeftFreeBytes <= free_memory_bytes())
    if (auto allocated = BigMemory::allocate(bytes, "the experts in host memory"); allocated.ok()) {
      packed_ = std::move(*allocated);
      memory = packed_.data();
    }
  for (uint32_t i = 0; i < num_layers; ++i) {
    const LayerWeights& layer = weights.layers[i];
    const std::span<const uint32_t> experts = placement.on_host(i);
    const uint64_t of_layer = packed_bytes(layer, experts.size());
    layers_.push_back(memory && of_layer > 0 ? packed(layer, experts, memory) : in_file(layer, experts));
    const uint64_t of_expert =
        stored_bytes(layer.gate.first) + stored_bytes(layer.up.first) + stored_bytes(layer.down.first);
    size_bytes_ += memory && of_layer > 0 ? of_layer : experts.size() * of_expert;
    if (progress) progress("loading", i + 1, num_layers);
  }
}

uint64_t HostExperts::packed_bytes(const LayerWeights& weights, uint64_t num_experts) const {
  // Gate and up meet the same rounded inputs, so they are packed alike or not at all.
  if (!kernels::stored_alike(weights.gate, weights.up)) return 0;
  uint64_t bytes = 0;
  for (const ExpertRows* rows : {&weights.gate, &weights.up, &weights.down}) {
    const uint64_t of_matrix = backend_->packed_bytes(rows->first);
    if (of_matrix == 0) return 0;
    bytes += of_matrix;
  }
  return bytes * num_experts;
}

HostExperts::Layer HostExperts::in_file(const LayerWeights& weights, std::span<const uint32_t> experts) {
  Layer layer{weights.gate,
              weights.up,
              weights.down,
              weights.gate_bias.data(),
              weights.up_bias.data(),
              weights.down_bias.data(),
              {},
              {}};
  layer.number_of.assign(weights.gate.experts, kNotHere);
  for (const uint32_t expert : experts) layer.number_of[expert] = expert;
  return layer;
}

HostExperts::Layer HostExperts::packed(const LayerWeights& weights, std::span<const uint32_t> experts,
                                       std::byte*& memory) {
  Layer layer{};
  layer.number_of.assign(weights.gate.experts, kNotHere);
  for (uint32_t number = 0; number < experts.size(); ++number) layer.number_of[experts[number]] = number;
  const auto pack = [&](const ExpertRows& all) {
    ExpertRows copies = all;
    copies.first = backend_->packed_rows(all.first, memory);
    copies.experts = static_cast<uint32_t>(experts.size());
    copies.expert_stride_bytes = backend_->packed_bytes(all.first);
    copies.expert_scale_stride_bytes = 0;
    for (const uint32_t expert : experts) {
      const WeightRows rows = all.expert(expert);
      read_ahead(file_bytes(rows));
      backend_->pack(rows, memory);
      memory += copies.expert_stride_bytes;
    }
    return copies;
  };
  layer.gate = pack(weights.gate);
  layer.up = pack(weights.up);
  layer.down = pack(weights.down);
  // All experts: those of the device were copied there before.
  for (const ExpertRows* rows : {&weights.gate, &weights.up, &weights.down}) drop_resident(file_bytes(*rows));

  const struct {
    const std::vector<float>& of_all;
    const float*& of_those_here;
    uint32_t width;
  } biases[] = {{weights.gate_bias, layer.gate_bias, weights.gate.first.rows},
                {weights.up_bias, layer.up_bias, weights.up.first.rows},
                {weights.down_bias, layer.down_bias, weights.down.first.rows}};
  for (const auto& bias : biases)
    for (const uint32_t expert : experts) {
      const float* of_expert = bias.of_all.data() + uint64_t{expert} * bias.width;
      layer.biases.insert(layer.biases.end(), of_expert, of_expert + bias.width);
    }
  const float* next = layer.biases.data();  // it stays there when the layer is moved
  for (const auto& bias : biases) {
    bias.of_those_here = next;
    next += experts.size() * bias.width;
  }
  return layer;
}

void HostExperts::plan(const Layer& layer, std::span<const uint32_t> choices) {
  slots_.clear();
  numbers_.clear();
  for (uint32_t slot = 0; slot < choices.size(); ++slot) {
    const uint32_t number = layer.number_of[choices[slot]];
    if (number == kNotHere) continue;
    slots_.push_back(slot);
    numbers_.push_back(number);
  }
  kernels::plan_experts(numbers_, layer.gate.experts, plan_);
  of_row_.clear();
  for (const uint32_t i : plan_.slots) of_row_.push_back(numbers_[i]);
}

uint32_t HostExperts::compute(uint32_t layer, const Rows& x, std::span<const uint32_t> choices, uint32_t active,
                              float* out) {
  const Layer& w = layers_[layer];
  plan(w, choices);
  const auto num_rows = static_cast<uint32_t>(of_row_.size());
  if (num_rows == 0) return 0;
  const uint32_t hidden = w.gate.first.cols;
  x_.resize(uint64_t{num_rows} * hidden);
  if (no_weights_.size() < num_rows) no_weights_.resize(num_rows, 1.f);
  WeightRows sent;
  sent.dtype = x.dtype;
  sent.cols = hidden;
  sent.data = reinterpret_cast<const std::byte*>(x.data);
  sent.row_stride_bytes = uint64_t{x.stride} * sizeof(uint16_t);
  threads_.parallel_for(num_rows, [&](uint32_t row, unsigned) {
    kernels::read_row(sent, slots_[plan_.slots[row]] / active, x_.data() + uint64_t{row} * hidden);
    std::fill_n(out + uint64_t{row} * hidden, hidden, 0.f);
  });
  // Every row is a token of its own with one choice of weight 1, so that what comes out is that expert's part alone.
  kernels::ExpertsArgs args{};
  args.x = x_.data();
  args.num_tokens = num_rows;
  args.gate = w.gate;
  args.up = w.up;
  args.down = w.down;
  args.gate_bias = w.gate_bias;
  args.up_bias = w.up_bias;
  args.down_bias = w.down_bias;
  args.active = 1;
  args.indices = of_row_.data();
  args.weights = no_weights_.data();
  args.limit = swiglu_limit_;
  args.out = out;
  backend_->experts(args);
  return num_rows;
}

}  // namespace gossamer
