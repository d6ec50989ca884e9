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
  CpuBackend(const IsaKernels& isa, ThreadPool& threads, Precision precision);

  std::string_view name() const override { return isa_.name; }
  uint64_t packed_bytes(const WeightRows& w) const override;
  void pack(const WeightRows& w, std::byte* out) override;
  WeightRows packed_rows(const WeightRows& w, const std::byte* copy) const override;
  std::string packed_layout_id() const override;
  ArithmeticLimits measure_arithmetic() override;
  void embed(const EmbedArgs& args) override;
  void rmsnorm(const RmsNormArgs& args) override;
  void matmul(const MatmulArgs& args) override;
  void matmul_together(std::span<const MatmulArgs> products) override;
  void rope(const RopeArgs& args) override;
  void store_kv(const StoreKvArgs& args) override;
  void attention(const AttentionArgs& args) override;
  void router(const RouterArgs& args) override;
  void experts(const ExpertsArgs& args) override;
  void unembed(const UnembedArgs& args) override;

 private:
  double most_flops(float (*peak)(uint64_t rounds), double flops_of_round);
  /// Scratch of one thread, at least `floats` long.
  float* scratch(unsigned thread, uint64_t floats);
  bool takes_integers(const WeightRows& w) const;
  /// Of the inputs of a product in whole numbers.
  uint32_t input_bits(uint32_t num_inputs) const;
  /// Gate and up share their rounded inputs, so both or none.
  bool expands_in_integers(const ExpertsArgs& args) const;
  /// Rounds num_rows rows of x for products with matrices like w; what an earlier call gave is gone.
  void quantize(const WeightRows& w, const float* x, uint32_t num_rows);
  /// Whether `num_inputs` meet the matrix in tiles.
  bool takes_tiles(const WeightRows& w, uint32_t num_inputs) const;
  /// Rounds rows to bf16 for tiles of matrices like w; what an earlier call gave is gone.
  void to_bf16(const WeightRows& w, std::span<const float* const> rows);
  /// What computes a product; kPlain: the loops of kernels/ref.
  enum class Product : uint8_t { kPlain, kFloat, kIntegers, kTiles };
  Product product_with(const WeightRows& w, uint32_t num_inputs) const;
  /// Points at the rows of x [num_inputs, w.cols], rounded as that product wants them, for gemm_args().
  void prepare_inputs(Product product, const WeightRows& w, const float* x, uint32_t num_inputs);
  /// A product of w with the inputs that were prepared; without bias, outputs and accumulate.
  GemmArgs gemm_args(Product product, const WeightRows& w, uint32_t num_inputs) const;
  uint64_t gemm_scratch_floats(const WeightRows& w) const;
  /// In tiles where args.bf16_x is not null, in integers where args.quantized is not.
  void gemm(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, float* scratch) const;
  uint32_t largest_group() const;
  void expand_experts(const ExpertsArgs& args);    // gate, up and SwiGLU -> inner_
  void contract_experts(const ExpertsArgs& args);  // down -> contracted_

  /// Some tokens of one row and one KV head, and the chunks of positions that any of them sees.
  struct AttentionUnit {
    uint32_t first_token, num_tokens;  // in the batch
    uint32_t kv_head;
    uint32_t begin_chunk, end_chunk;
  };
  struct TokenPlace {
    const CacheRow* row;
    uint32_t position;
  };
  bool rounds_attention(const KvLayout& kv) const;
  void locate_tokens(std::span<const CacheRow> rows);
  void list_attention_units(const AttentionArgs& args);
  AttendArgs attend_args(const AttentionArgs& args, const AttentionUnit& unit, uint32_t token, uint32_t chunk,
                         float* scores) const;
  void attend_unit(const AttentionArgs& args, const AttentionUnit& unit, unsigned thread);
  void attend_split(const AttentionArgs& args, uint64_t num_unit_chunks);

  const IsaKernels& isa_;
  ThreadPool& threads_;
  const Precision precision_;
  const uint32_t chunk_rows_;
  RefBackend ref_;
  std::vector<std::vector<float>> scratch_;
  std::vector<std::byte> quantized_memory_;
  std::vector<QuantizedRow> quantized_;  // what quantize() made
  std::vector<std::byte> bf16_;          // what to_bf16() made
  // Of unembed().
  std::vector<TopCollector> collectors_;  // [threads, rows]
  std::vector<ExpSum> exp_sums_;          // [rows, stretches of the vocabulary]
  // Of store_kv() and attention().
  std::vector<TokenPlace> tokens_;  // [T]
  std::vector<AttentionUnit> units_;
  std::vector<float> states_;  // of split attention
  // Of experts(): one row a slot (token, choice), slots in the order of the plan's groups.
  ExpertPlan plan_;
  std::vector<float> inner_;              // [T * A, F]
  std::vector<float> contracted_;         // [T * A, D]
  std::vector<const float*> input_rows_;  // [T * A]
  std::vector<QuantizedRow> quantized_slots_;
  std::vector<float*> output_rows_;
};

}  // namespace gossamer::kernels
