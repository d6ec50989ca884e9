#pragma once

#include <map>

#include "kernels/backend.h"

namespace gossamer::kernels {

/// Computes with another backend and notes what each op did: how long it took, and the bytes and operations it could
/// not do without. For measurements; a model with it in between computes the same.
class MeasuredBackend : public Backend {
 public:
  /// Ops of one kind and size. rows and cols are those of the matrix (of several together, all rows); attention has its
  /// window instead of them, and the other ops nothing.
  struct Stage {
    Op op;
    uint32_t rows = 0, cols = 0;
    uint32_t window = 0;
    auto operator<=>(const Stage&) const = default;
  };
  struct Work {
    uint64_t calls = 0;
    double seconds = 0;
    double bytes = 0;        ///< weights, once for each call, and the cache; activations stay in the processor's caches
    double float_flops = 0;  ///< a multiplication and an addition are two
    /// Of products with rounded activations. Attention in bf16 is among them, though avx512bf16 does half as many of
    /// its products at a time as of those in whole numbers: its share of the limit looks smaller than it is.
    double rounded_flops = 0;
  };
  using Ledger = std::map<Stage, Work>;

  explicit MeasuredBackend(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}

  const Ledger& ledger() const { return ledger_; }
  void clear() { ledger_.clear(); }

  std::string_view name() const override { return backend_->name(); }
  std::string_view kv_layout_id() const override { return backend_->kv_layout_id(); }
  uint64_t packed_bytes(const WeightRows& w) const override { return backend_->packed_bytes(w); }
  void pack(const WeightRows& w, std::byte* out) override { backend_->pack(w, out); }
  WeightRows packed_rows(const WeightRows& w, const std::byte* copy) const override {
    return backend_->packed_rows(w, copy);
  }
  std::string packed_layout_id() const override { return backend_->packed_layout_id(); }
  ArithmeticLimits measure_arithmetic() override { return backend_->measure_arithmetic(); }
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
  template <class Compute>
  void measure(const Stage& stage, double bytes, double flops, Compute&& compute);

  std::unique_ptr<Backend> backend_;
  Ledger ledger_;
};

}  // namespace gossamer::kernels
