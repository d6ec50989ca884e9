/// DeviceWeights::synthetic(): a model of full size that no file and no host ever held.

#include <cmath>

#include "kernels/cuda/synthetic.h"
#include "model/device_weights.h"

namespace gossamer {
namespace {

using namespace kernels::cuda;

constexpr float kSqrt3 = 1.7320508f;  // uniform numbers: their largest, in deviations
constexpr float kLargestBias = 0.125f;
constexpr float kLogitDeviation = 1.2825f;  // of the router, beside which popularity is 1 / rank: pi / sqrt(6)

/// A matrix where it is going to be.
struct MadeMatrix {
  StripShape shape;
  std::byte* strips = nullptr;
  uint32_t copies = 1;  // experts

  void cut(DeviceCutter& cutter) { cutter.cut(strips, shape.bytes() * copies); }
  DeviceMatrix finished() const { return {shape, strips}; }
};

struct MadeLayer {
  MadeMatrix qkv, o, gate_up, down;
  float *attn_norm = nullptr, *sinks = nullptr, *mlp_norm = nullptr, *router = nullptr, *router_bias = nullptr;

  MadeLayer(const ModelConfig& config, StripFormat dense)
      : qkv{{dense, static_cast<uint32_t>(config.q_rows() + 2 * config.kv_rows()), config.hidden,
             RowOrder::kHeadHalves}},
        o{{dense, config.hidden, static_cast<uint32_t>(config.q_rows())}},
        gate_up{
            {StripFormat::kMxfp4, 2 * ((config.intermediate + 7) / 8 * 8), config.hidden}, nullptr, config.num_experts},
        down{{StripFormat::kMxfp4, config.hidden, config.intermediate}, nullptr, config.num_experts} {}

  uint64_t cut(const ModelConfig& config, std::byte* memory) {
    DeviceCutter cutter(memory);
    for (MadeMatrix* matrix : {&qkv, &o, &gate_up, &down}) matrix->cut(cutter);
    cutter.cut(attn_norm, config.hidden);
    cutter.cut(sinks, config.num_heads);
    cutter.cut(mlp_norm, config.hidden);
    cutter.cut(router, uint64_t{config.num_experts} * config.hidden);
    cutter.cut(router_bias, config.num_experts);
    return cutter.used();
  }
  DeviceLayer finished() const {
    return {attn_norm,   qkv.finished(),     sinks,          o.finished(), mlp_norm, router,
            router_bias, gate_up.finished(), down.finished()};
  }
};

/// What is not of a layer.
struct MadeEnds {
  MadeMatrix lm_head;
  uint16_t* embedding = nullptr;
  float* final_norm = nullptr;

  MadeEnds(const ModelConfig& config, StripFormat dense) : lm_head{{dense, config.vocab_size, config.hidden}} {}

  uint64_t cut(const ModelConfig& config, std::byte* memory) {
    DeviceCutter cutter(memory);
    lm_head.cut(cutter);
    cutter.cut(embedding, uint64_t{config.vocab_size} * config.hidden);
    cutter.cut(final_norm, config.hidden);
    return cutter.used();
  }
};

/// Fills tensors in order, each with numbers of its own.
class Maker {
 public:
  Maker(uint64_t seed, const DeviceStream& stream) : seed_(seed), stream_(stream) {}

  /// Products of numbers near 1 stay near 1.
  void fill(const MadeMatrix& matrix, float largest_bias) {
    const float deviation = 1.f / std::sqrt(static_cast<float>(matrix.shape.cols));
    make_up_strips({matrix.shape, matrix.strips, matrix.copies, next(), deviation, largest_bias}, stream_.get());
  }
  void fill(float* out, uint64_t count, float centre, float spread) {
    make_up_floats({out, count, next(), centre, spread}, stream_.get());
  }
  void fill_bf16(void* out, uint64_t count, float spread) {
    make_up_bf16({out, count, next(), 0, spread}, stream_.get());
  }

 private:
  SyntheticName next() { return {seed_, next_tensor_++}; }

  uint64_t seed_;
  const DeviceStream& stream_;
  uint32_t next_tensor_ = 0;
};

/// The logarithm of how popular each expert is, as the router's biases.
std::vector<float> popularity(const ModelConfig& config, SyntheticModel::Router router, uint32_t layer) {
  std::vector<float> biases(config.num_experts, 0.f);
  if (router == SyntheticModel::Router::kZipf)
    for (uint32_t expert = 0; expert < config.num_experts; ++expert)
      biases[expert] = -std::log(1.f + static_cast<float>((expert + 5 * layer) % config.num_experts));
  return biases;
}

}  // namespace

Result<DeviceWeights> DeviceWeights::synthetic(const ModelConfig& config, const SyntheticModel& model,
                                               const ProgressFn& progress) {
  GOS_TRY(const DeviceStream stream, DeviceStream::create());
  DeviceWeights out;
  Maker maker(model.seed, stream);
  const uint64_t num_steps = config.num_layers + 1;
  for (uint32_t index = 0; index < config.num_layers; ++index) {
    MadeLayer layer(config, model.dense);
    GOS_TRY(DeviceMemory memory, DeviceMemory::allocate(layer.cut(config, nullptr)));
    layer.cut(config, memory.data());
    for (const MadeMatrix* matrix : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down})
      maker.fill(*matrix, kLargestBias);
    maker.fill(layer.attn_norm, config.hidden, 1, 0.25f);
    maker.fill(layer.sinks, config.num_heads, 0, 2);
    maker.fill(layer.mlp_norm, config.hidden, 1, 0.25f);
    maker.fill(layer.router, uint64_t{config.num_experts} * config.hidden, 0,
               kLogitDeviation * kSqrt3 / std::sqrt(static_cast<float>(config.hidden)));
    const std::vector<float> biases = popularity(config, model.router, index);
    stream.copy_to_device(layer.router_bias, biases.data(), biases.size() * sizeof(float));
    GOS_TRY_STATUS(stream.synchronize());
    out.layers_.push_back(layer.finished());
    out.memory_.push_back(std::move(memory));
    if (progress) progress("making weights", out.layers_.size(), num_steps);
  }

  MadeEnds ends(config, model.dense);
  GOS_TRY(DeviceMemory memory, DeviceMemory::allocate(ends.cut(config, nullptr)));
  ends.cut(config, memory.data());
  maker.fill(ends.lm_head, 0);
  maker.fill_bf16(ends.embedding, uint64_t{config.vocab_size} * config.hidden, kSqrt3);
  maker.fill(ends.final_norm, config.hidden, 1, 0.25f);
  GOS_TRY_STATUS(stream.synchronize());
  out.lm_head_ = ends.lm_head.finished();
  out.embedding_ = reinterpret_cast<const std::byte*>(ends.embedding);
  out.embedding_row_bytes_ = uint64_t{config.hidden} * sizeof(uint16_t);
  out.embedding_dtype_ = Dtype::kBf16;
  out.final_norm_ = ends.final_norm;
  out.memory_.push_back(std::move(memory));
  if (progress) progress("making weights", num_steps, num_steps);
  return out;
}

uint64_t DeviceWeights::synthetic_bytes(const ModelConfig& config, const SyntheticModel& model) {
  return config.num_layers * MadeLayer(config, model.dense).cut(config, nullptr) +
         MadeEnds(config, model.dense).cut(config, nullptr);
}

}  // namespace gossamer
