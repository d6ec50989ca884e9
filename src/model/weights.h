#pragma once

#include <vector>

#include "checkpoint/checkpoint.h"
#include "kernels/ops.h"

namespace gossamer {

/// One layer as the kernels want it: matrices stay in the mapped file, vectors (norms, biases, sinks) are float32
/// copies.
struct LayerWeights {
  std::vector<float> attn_norm;  // [D]
  kernels::WeightRows q, k, v;   // [H*Dh, D], [G*Dh, D], [G*Dh, D]
  std::vector<float> q_bias, k_bias, v_bias;
  std::vector<float> sinks;               // [H]
  kernels::WeightRows o;                  // [D, H*Dh]
  std::vector<float> o_bias;              // [D]
  std::vector<float> mlp_norm;            // [D]
  kernels::WeightRows router;             // [E, D]
  std::vector<float> router_bias;         // [E]
  kernels::ExpertRows gate, up, down;     // [E, F, D], [E, F, D], [E, D, F]
  std::vector<float> gate_bias, up_bias;  // [E, F]
  std::vector<float> down_bias;           // [E, D]
};

struct Weights {
  kernels::WeightRows embedding;  // [V, D]
  std::vector<LayerWeights> layers;
  std::vector<float> final_norm;  // [D]
  kernels::WeightRows lm_head;    // [V, D]
};

/// Views of `tensors`, whose mapped files must outlive them.
Weights make_weights(const ModelTensors& tensors);

}  // namespace gossamer
