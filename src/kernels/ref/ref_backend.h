#pragma once

#include "kernels/backend.h"

namespace gossamer::kernels {

/// The judge: plain loops, one thread, sums in double. Takes every shape; never optimised.
class RefBackend : public Backend {
 public:
  std::string_view name() const override { return "ref"; }
  void embed(const EmbedArgs& args) override;
  void rmsnorm(const RmsNormArgs& args) override;
  void matmul(const MatmulArgs& args) override;
  void rope(const RopeArgs& args) override;
  void store_kv(const StoreKvArgs& args) override;
  void attention(const AttentionArgs& args) override;
  void router(const RouterArgs& args) override;
  void experts(const ExpertsArgs& args) override;
  void unembed(const UnembedArgs& args) override;
};

namespace ref {

/// gate and up as they come from the matrices, biases added; float32 in, float32 out, double inside.
float swiglu(float gate, float up, float limit);

/// What RefBackend::rope() does, for whoever wants a part of the tokens.
void rope(const RopeArgs& args);

/// x . (row `row` of w) in double; `scratch` holds w.cols floats.
double dot_row(const WeightRows& w, uint32_t row, const float* x, float* scratch);

}  // namespace ref
}  // namespace gossamer::kernels
