#include "checkpoint/model_facts.h"

#include <algorithm>
#include <map>

namespace gossamer {
namespace {

/// Adds views up to a TensorGroup.
class GroupCounter {
 public:
  GroupCounter& add(const MatrixView& view) { return add(view.dtype, view.rows * view.cols, view.size_bytes()); }
  GroupCounter& add(const ExpertMatrixView& view) {
    const uint64_t rows = view.experts * view.rows;
    return add(view.dtype, rows * view.cols, rows * row_bytes(view.dtype, view.cols));
  }
  GroupCounter& add(const ExpertBiasView& view) {
    const uint64_t count = view.experts * view.rows;
    return add(view.dtype, count, row_bytes(view.dtype, count));
  }

  TensorGroup finish(std::string_view name) const {
    TensorGroup group;
    group.name = name;
    group.parameters = parameters_;
    for (const auto& [dtype, bytes] : bytes_) {
      group.size_bytes += bytes;
      group.dtypes.push_back(dtype);
    }
    std::ranges::sort(group.dtypes, std::ranges::greater(),
                      [&](Dtype dtype) { return std::pair(bytes_.at(dtype), dtype); });
    return group;
  }

 private:
  GroupCounter& add(Dtype dtype, uint64_t parameters, uint64_t bytes) {
    parameters_ += parameters;
    bytes_[dtype] += bytes;
    return *this;
  }

  uint64_t parameters_ = 0;
  std::map<Dtype, uint64_t> bytes_;
};

}  // namespace

ModelFacts compute_facts(const Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  const ModelTensors& tensors = checkpoint.tensors();
  GroupCounter embedding, attention, router, experts, head, norms;
  embedding.add(tensors.embedding);
  head.add(tensors.lm_head);
  norms.add(tensors.final_norm);
  for (const LayerTensors& t : tensors.layers) {
    attention.add(t.q).add(t.k).add(t.v).add(t.q_bias).add(t.k_bias).add(t.v_bias).add(t.sinks).add(t.o).add(t.o_bias);
    router.add(t.router).add(t.router_bias);
    experts.add(t.gate).add(t.up).add(t.down).add(t.gate_bias).add(t.up_bias).add(t.down_bias);
    norms.add(t.attn_norm).add(t.mlp_norm);
  }

  ModelFacts facts;
  facts.groups = {embedding.finish("embedding"), attention.finish("attention"), router.finish("router"),
                  experts.finish("experts"),     head.finish("head"),           norms.finish("norms")};
  for (const TensorGroup& group : facts.groups) {
    facts.total_parameters += group.parameters;
    facts.weight_bytes += group.size_bytes;
    if (group.name == "experts") {
      facts.active_parameters += group.parameters / config.num_experts * config.experts_per_token;
    } else if (group.name != "embedding") {
      facts.active_parameters += group.parameters;
    }
  }
  for (const MmapFile& file : checkpoint.files()) facts.file_bytes += file.size_bytes();
  facts.kv_bytes_per_token = uint64_t{2} * config.num_layers * config.num_kv_heads * config.head_dim * sizeof(float);
  return facts;
}

uint64_t memory_needed(const ModelFacts& facts, uint64_t num_tokens) {
  return facts.weight_bytes + num_tokens * facts.kv_bytes_per_token;
}

}  // namespace gossamer
