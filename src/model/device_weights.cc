#include "model/device_weights.h"

#include <algorithm>
#include <cstring>

#include "kernels/cuda/pack_strips.h"
#include "kernels/read_row.h"

namespace gossamer {
namespace {

using namespace kernels::cuda;

constexpr uint64_t kAlignment = 256;

/// What is to be on the device in one piece: laid out first, then filled on the host, then copied.
class Piece {
 public:
  uint64_t reserve(uint64_t bytes) {
    const uint64_t at = size_bytes_;
    size_bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return at;
  }
  uint64_t size_bytes() const { return size_bytes_; }
  void begin_filling() { host_.assign(size_bytes_, std::byte{0}); }
  std::byte* host(uint64_t offset) { return host_.data() + offset; }

  Result<DeviceMemory> send(const DeviceStream& stream) const {
    GOS_TRY(DeviceMemory memory, DeviceMemory::allocate(size_bytes_));
    stream.copy_to_device(memory.data(), host_.data(), size_bytes_);
    GOS_TRY_STATUS(stream.synchronize());
    return memory;
  }

 private:
  uint64_t size_bytes_ = 0;
  std::vector<std::byte> host_;
};

/// A matrix of a piece, in strips.
struct Place {
  StripShape shape;
  uint64_t offset = 0;

  DeviceMatrix on(const DeviceMemory& memory) const { return {shape, memory.data() + offset}; }
};

struct Floats {
  uint64_t offset = 0;
  const float* on(const DeviceMemory& memory) const { return memory.as<float>(offset); }
};

using RowsOf = std::function<std::vector<StripRow>(uint32_t expert)>;
constexpr uint32_t kNoExpert[] = {0};  // a matrix that is there once

/// One layer, or what is not of a layer.
class PieceBuilder {
 public:
  Floats add(std::span<const float> values) {
    const Floats place{piece_.reserve(values.size_bytes())};
    fills_.push_back([this, values, place](ThreadPool&) -> Status {
      std::memcpy(piece_.host(place.offset), values.data(), values.size_bytes());
      return {};
    });
    return place;
  }
  /// Rows of these experts in strips, one expert behind the other.
  Result<Place> add(std::span<const uint32_t> experts, RowsOf rows_of) {
    Place place;
    GOS_TRY(place.shape, strip_shape(rows_of(0)));  // the same of all
    place.offset = piece_.reserve(place.shape.bytes() * experts.size());
    fills_.push_back([this, place, experts, rows_of](ThreadPool& threads) -> Status {
      std::vector<Status> outcomes(experts.size());
      threads.parallel_for(static_cast<uint32_t>(experts.size()), [&](uint32_t i, unsigned) {
        outcomes[i] =
            pack_strips(place.shape, rows_of(experts[i]), piece_.host(place.offset + i * place.shape.bytes()));
      });
      for (Status& outcome : outcomes) GOS_TRY_STATUS(std::move(outcome));
      return {};
    });
    return place;
  }
  Floats add_matrix(const kernels::WeightRows& rows) {
    const Floats place{piece_.reserve(uint64_t{rows.rows} * rows.cols * sizeof(float))};
    fills_.push_back([this, rows, place](ThreadPool&) -> Status {
      for (uint32_t row = 0; row < rows.rows; ++row)
        kernels::read_row(rows, row, reinterpret_cast<float*>(piece_.host(place.offset)) + uint64_t{row} * rows.cols);
      return {};
    });
    return place;
  }
  uint64_t add_bytes(const kernels::WeightRows& rows, uint64_t row_bytes) {
    const uint64_t offset = piece_.reserve(rows.rows * row_bytes);
    fills_.push_back([this, rows, row_bytes, offset](ThreadPool&) -> Status {
      for (uint32_t row = 0; row < rows.rows; ++row)
        std::memcpy(piece_.host(offset + row * row_bytes), rows.data + row * rows.row_stride_bytes, row_bytes);
      return {};
    });
    return offset;
  }

  uint64_t size_bytes() const { return piece_.size_bytes(); }
  Result<DeviceMemory> send(ThreadPool& threads, const DeviceStream& stream) {
    piece_.begin_filling();
    for (const auto& fill : fills_) GOS_TRY_STATUS(fill(threads));
    return piece_.send(stream);
  }

 private:
  Piece piece_;
  std::vector<std::function<Status(ThreadPool&)>> fills_;
};

/// Where a layer's weights are in its piece.
struct LayerPlaces {
  Floats attn_norm, sinks, mlp_norm, router, router_bias;
  Place qkv, o, gate_up, down;

  DeviceLayer on(const DeviceMemory& memory) const {
    return {attn_norm.on(memory), qkv.on(memory),         sinks.on(memory),   o.on(memory),   mlp_norm.on(memory),
            router.on(memory),    router_bias.on(memory), gate_up.on(memory), down.on(memory)};
  }
};

Result<LayerPlaces> add_layer(const LayerWeights& w, std::span<const uint32_t> experts, PieceBuilder& builder) {
  LayerPlaces places;
  places.attn_norm = builder.add(w.attn_norm);
  GOS_TRY(places.qkv, builder.add(kNoExpert, [&w](uint32_t) {
    const BiasedRows matrices[] = {{&w.q, w.q_bias.data()}, {&w.k, w.k_bias.data()}, {&w.v, w.v_bias.data()}};
    return halves_of_heads(rows_below_each_other(matrices));
  }));
  places.qkv.shape.order = RowOrder::kHeadHalves;
  places.sinks = builder.add(w.sinks);
  GOS_TRY(places.o, builder.add(kNoExpert, [&w](uint32_t) {
    const BiasedRows matrix{&w.o, w.o_bias.data()};
    return rows_below_each_other({&matrix, 1});
  }));
  places.mlp_norm = builder.add(w.mlp_norm);
  places.router = builder.add_matrix(w.router);
  places.router_bias = builder.add(w.router_bias);
  // Rows of strips point at the matrix they are of, so every expert's stands somewhere while the piece is built.
  const auto experts_of = [](const kernels::ExpertRows& all) {
    auto each = std::make_shared<std::vector<kernels::WeightRows>>();
    for (uint32_t e = 0; e < all.experts; ++e) each->push_back(all.expert(e));
    return each;
  };
  const uint32_t units = w.gate.first.rows, outputs = w.down.first.rows;
  GOS_TRY(places.gate_up,
          builder.add(experts, [&w, units, gate = experts_of(w.gate), up = experts_of(w.up)](uint32_t e) {
            return rows_side_by_side({&(*gate)[e], w.gate_bias.data() + uint64_t{e} * units},
                                     {&(*up)[e], w.up_bias.data() + uint64_t{e} * units});
          }));
  GOS_TRY(places.down, builder.add(experts, [&w, outputs, down = experts_of(w.down)](uint32_t e) {
    const BiasedRows matrix{&(*down)[e], w.down_bias.data() + uint64_t{e} * outputs};
    return rows_below_each_other({&matrix, 1});
  }));
  return places;
}

uint64_t row_bytes_of(const kernels::WeightRows& rows) {
  return row_bytes(rows.dtype, rows.cols);
}

/// Where what is of no layer is in its piece.
struct OtherPlaces {
  uint64_t embedding = 0;  // where there is one
  Floats final_norm;
  Place lm_head;
};

Result<OtherPlaces> add_others(const Weights& weights, bool with_embedding, PieceBuilder& builder) {
  OtherPlaces places;
  if (with_embedding) places.embedding = builder.add_bytes(weights.embedding, row_bytes_of(weights.embedding));
  places.final_norm = builder.add(weights.final_norm);
  GOS_TRY(places.lm_head, builder.add(kNoExpert, [&weights](uint32_t) {
    const BiasedRows matrix{&weights.lm_head, nullptr};
    return rows_below_each_other({&matrix, 1});
  }));
  return places;
}

}  // namespace

Result<DeviceWeightSizes> DeviceWeights::sizes(const Weights& weights) {
  DeviceWeightSizes sizes;
  for (const LayerWeights& layer : weights.layers) {
    PieceBuilder builder;
    GOS_TRY(const LayerPlaces places, add_layer(layer, {}, builder));
    sizes.expert_bytes.push_back(places.gate_up.shape.bytes() + places.down.shape.bytes());
    sizes.dense_bytes += builder.size_bytes() + 2 * kAlignment;  // behind the experts of either matrix
  }
  PieceBuilder builder;
  GOS_TRY([[maybe_unused]] const OtherPlaces places, add_others(weights, false, builder));
  sizes.dense_bytes += builder.size_bytes();
  sizes.embedding_bytes = weights.embedding.rows * row_bytes_of(weights.embedding) + kAlignment;
  return sizes;
}

Result<DeviceWeights> DeviceWeights::upload(const ModelConfig& config, const Weights& weights, ThreadPool& threads,
                                            const ProgressFn& progress, const ExpertPlacement& placement) {
  GOS_TRY(const DeviceStream stream, DeviceStream::create());
  DeviceWeights out;
  const uint64_t num_steps = weights.layers.size() + 1;
  for (const LayerWeights& layer : weights.layers) {
    PieceBuilder builder;
    const auto index = static_cast<uint32_t>(out.layers_.size());
    GOS_TRY(const LayerPlaces places, add_layer(layer, placement.on_device(index), builder));
    GOS_TRY(DeviceMemory memory, builder.send(threads, stream));
    out.layers_.push_back(places.on(memory));
    out.memory_.push_back(std::move(memory));
    if (progress) progress("loading", out.layers_.size(), num_steps);
  }
  PieceBuilder builder;
  const bool with_embedding = placement.num_on_host() == 0;
  GOS_TRY(const OtherPlaces places, add_others(weights, with_embedding, builder));
  out.embedding_dtype_ = weights.embedding.dtype;
  out.embedding_row_bytes_ = row_bytes(weights.embedding.dtype, config.hidden);
  GOS_TRY(DeviceMemory memory, builder.send(threads, stream));
  if (with_embedding) out.embedding_ = memory.data() + places.embedding;
  out.final_norm_ = places.final_norm.on(memory);
  out.lm_head_ = places.lm_head.on(memory);
  out.memory_.push_back(std::move(memory));
  if (progress) progress("loading", num_steps, num_steps);
  return out;
}

uint64_t DeviceWeights::size_bytes() const {
  uint64_t bytes = 0;
  for (const DeviceMemory& memory : memory_) bytes += memory.size_bytes();
  return bytes;
}

}  // namespace gossamer
