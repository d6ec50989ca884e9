#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "kernels/ops.h"

namespace gossamer::kernels {

enum class Op : uint8_t { kEmbed, kRmsNorm, kMatmul, kRope, kStoreKv, kAttention, kRouter, kExperts, kUnembed };
inline constexpr size_t kNumOps = 9;
std::string_view op_name(Op op);

/// How often an op ran: by the backend's own kernel, or by the plain loops of kernels/ref because the shape is none it
/// takes.
struct OpCounts {
  uint64_t native = 0;
  uint64_t fallback = 0;
  uint64_t rounded = 0;  // of the native ones: with rounded activations
};

/// How finely activations enter products. kF32: as they are. kExact: a backend may round them to 15 bits, the same way
/// for every token in every batch, so that a token's bits do not depend on its company. kDefault: as kExact where few
/// tokens meet a matrix, and in 8 bits, or in bf16 on AMX, where many do and arithmetic is what takes the time. In
/// both, what meets a bf16 cache is rounded to bf16 where the processor has products of bf16.
enum class Precision : uint8_t { kF32, kExact, kDefault };
std::string_view precision_name(Precision precision);  ///< "f32", "exact", "default"

/// Operations a second that all threads together can do, by kind of product; 0: not known.
struct ArithmeticLimits {
  double float_flops = 0;
  double rounded_flops = 0;  ///< with activations as coarse as kDefault has them; those of 15 bits take twice as long
};

/// One way of computing all ops. Not shared between threads that compute at the same time (it keeps scratch memory).
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  ///< "ref", "avx2", "avx512", "avx512bf16", "amx"
  /// The order of bytes in its KV cache; caches of one id can be read by any backend that gives the same.
  virtual std::string_view kv_layout_id() const { return KvLayout::kLayoutId; }

  /// Bytes of a copy of `w` in the order in which this backend reads it fastest; 0 where the file's order serves as
  /// well. Products have the same bits either way.
  virtual uint64_t packed_bytes(const WeightRows& /*w*/) const { return 0; }
  /// Makes that copy at `out` (packed_bytes(w) that are not 0, aligned to 64).
  virtual void pack(const WeightRows& /*w*/, std::byte* /*out*/) {}
  /// The rows that stand for w once a copy is at `copy`: for matmul() and experts(), not for embed().
  virtual WeightRows packed_rows(const WeightRows& w, const std::byte* /*copy*/) const { return w; }
  /// The order of bytes in such copies: what was packed by one backend serves all that give the same.
  virtual std::string packed_layout_id() const { return ""; }

  /// Takes some tenths of a second.
  virtual ArithmeticLimits measure_arithmetic() { return {}; }

  virtual void embed(const EmbedArgs& args) = 0;
  virtual void rmsnorm(const RmsNormArgs& args) = 0;
  virtual void matmul(const MatmulArgs& args) = 0;
  /// Products of the same x and tokens with several matrices, one after the other in `products`: the same bits as
  /// matmul() of each gives, and perhaps less waiting.
  virtual void matmul_together(std::span<const MatmulArgs> products) {
    for (const MatmulArgs& product : products) matmul(product);
  }
  virtual void rope(const RopeArgs& args) = 0;
  virtual void store_kv(const StoreKvArgs& args) = 0;
  virtual void attention(const AttentionArgs& args) = 0;
  virtual void router(const RouterArgs& args) = 0;
  virtual void experts(const ExpertsArgs& args) = 0;
  virtual void unembed(const UnembedArgs& args) = 0;

  /// Since the backend was made. Tests assert with it which kernel ran.
  const OpCounts& counts(Op op) const { return counts_[static_cast<size_t>(op)]; }

 protected:
  void count(Op op, bool native, bool rounded = false) {
    OpCounts& counts = counts_[static_cast<size_t>(op)];
    ++(native ? counts.native : counts.fallback);
    counts.rounded += rounded;
  }

 private:
  std::array<OpCounts, kNumOps> counts_{};
};

/// Names of the backends this machine can run, best first; "ref" is always the last.
std::vector<std::string_view> available_backends();

/// The backend of that name; an empty name takes $GOSSAMER_ISA, and without it the best one. `threads` outlives the
/// backend. Errors: no such backend, or this machine cannot run it (the sentence lists those it can).
Result<std::unique_ptr<Backend>> make_backend(std::string_view name, ThreadPool& threads,
                                              Precision precision = Precision::kDefault);

}  // namespace gossamer::kernels
