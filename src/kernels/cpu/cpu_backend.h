#pragma once

#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/expert_plan.h"
#include "kernels/ref/ref_backend.h"

namespace gossamer::kernels {

/// All ops on the threads of a pool, with the inner loops of one instruction set. Shapes those do not take go to
/// RefBackend.
class CpuBackend : public Backend {
 public:
  /// `threads` outlives the backend.
  CpuBackend(const IsaKernels& isa, ThreadPool& threads);

  std::string_view name() const override { return isa_.name; }
  void embed(const EmbedArgs& args) override;
  void rmsnorm(const RmsNormArgs& args) override;
  void matmul(const MatmulArgs& args) override;
  void rope(const RopeArgs& args) override;
  void attention(const AttentionArgs& args) override;
  void router(const RouterArgs& args) override;
  void experts(const ExpertsArgs& args) override;

 private:
  /// Scratch of one thread, at least `floats` long.
  float* scratch(unsigned thread, uint64_t floats);
  void expand_experts(const ExpertsArgs& args);    // gate, up and SwiGLU -> inner_
  void contract_experts(const ExpertsArgs& args);  // down -> contracted_

  const IsaKernels& isa_;
  ThreadPool& threads_;
  RefBackend ref_;
  std::vector<std::vector<float>> scratch_;
  // Of experts(): one row a slot (token, choice), slots in the order of the plan's groups.
  ExpertPlan plan_;
  std::vector<float> inner_;              // [T * A, F]
  std::vector<float> contracted_;         // [T * A, D]
  std::vector<const float*> input_rows_;  // [T * A]
  std::vector<float*> output_rows_;
};

}  // namespace gossamer::kernels
