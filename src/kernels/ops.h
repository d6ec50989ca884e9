#pragma once
/// The op contract: what every backend computes, with shapes. No intrinsics, no threads, no device headers here.
///
/// Shape letters: T tokens in the batch, D hidden (2880), H query heads (64), G KV heads (8), Dh head dimension (64), E
/// experts (32 | 128), A active experts a token (4), F expert width (2880), V vocabulary rows (201088), W sliding
/// window (128). Mind that H*Dh = 4096 is not D. Activations are float32, row-major, rows contiguous.
///
/// Every product is sum_k w[k] * x[k] with w the exact value of the stored weight (all our formats are exact in
/// float32) and x as the backend's Precision says, so at kF32 backends differ in the order of the sum alone. Inside one
/// backend order and rounding depend on the matrix and on x alone, not on T: a row's result has the same bits whether
/// it is computed alone or in a batch.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/dtype.h"
#include "kernels/kv_layout.h"
#include "kernels/top_logits.h"

namespace gossamer::kernels {

/// Rows of stored weights; row r begins at data + r * row_stride_bytes (MXFP4 kSplit: its codes there, its scales at
/// scales + r * scale_stride_bytes). Any alignment.
struct WeightRows {
  Dtype dtype = Dtype::kF32;
  Mxfp4Layout layout = Mxfp4Layout::kSplit;
  uint32_t rows = 0;  // N
  uint32_t cols = 0;  // K; a multiple of 32 for the block types
  const std::byte* data = nullptr;
  uint64_t row_stride_bytes = 0;
  const std::byte* scales = nullptr;
  uint64_t scale_stride_bytes = 0;
  /// As Backend::pack() made it: all of it from `data` on, in an order that only that backend knows. Strides and scales
  /// mean nothing then; dtype and layout are still those of the file.
  bool packed = false;
};

/// The same matrix of every expert: expert e begins expert_stride_bytes further.
struct ExpertRows {
  WeightRows first;  // of expert 0
  uint32_t experts = 0;
  uint64_t expert_stride_bytes = 0;
  uint64_t expert_scale_stride_bytes = 0;

  WeightRows expert(uint32_t e) const {
    WeightRows rows = first;
    rows.data += e * expert_stride_bytes;
    if (rows.scales) rows.scales += e * expert_scale_stride_bytes;
    return rows;
  }
};

/// True where inputs that were rounded for one matrix are right for the other.
inline bool stored_alike(const ExpertRows& a, const ExpertRows& b) {
  return a.first.dtype == b.first.dtype && a.first.layout == b.first.layout;
}

/// out[t] = row tokens[t] of the table, as float32.
struct EmbedArgs {
  WeightRows table;                  // [V, D]
  std::span<const uint32_t> tokens;  // [T], each < V
  float* out;                        // [T, D]
};

/// out[t] = x[t] / sqrt(mean(x[t]^2) + eps) * weight.
struct RmsNormArgs {
  const float* x;       // [T, D]
  const float* weight;  // [D]
  float eps;
  uint32_t num_tokens;  // T
  uint32_t width;       // D
  float* out;           // [T, D]; may be x
};

/// out[t] = x[t] . w^T + bias, or out[t] += that.
struct MatmulArgs {
  WeightRows w;         // [N, K]
  const float* bias;    // [N] or null
  const float* x;       // [T, K]
  uint32_t num_tokens;  // T
  float* out;           // [T, N], row stride out_stride
  uint64_t out_stride;  // elements, >= N
  bool accumulate;      // add to out (the residual stream)
};

/// Rotates pairs (i, i + Dh/2) of each head of x[t] by the angle of positions[t]. cos and sin carry YaRN's attention
/// factor.
struct RopeArgs {
  float* x;  // [T, heads, Dh], token stride in elements
  uint64_t token_stride;
  uint32_t num_tokens, heads, head_dim;
  const uint32_t* positions;  // [T]
  const float* cos;           // [positions, Dh/2]
  const float* sin;
};

/// A run of tokens of one sequence, and where the sequence's keys and values lie in the layer at hand. The tokens of
/// all rows follow one another in q and out.
struct CacheRow {
  /// Block i holds positions 32 i .. 32 i + 31 (kernels/kv_layout.h); may be null where no token of the row looks.
  std::byte* const* blocks;
  uint32_t start;   // position of the first token
  uint32_t length;  // tokens
};

/// Puts keys and values of T tokens where their rows say, as the layout keeps them.
struct StoreKvArgs {
  const float* k;   // [T, G, Dh], rotated
  const float* v;   // [T, G, Dh]
  uint64_t stride;  // elements between tokens, of both
  std::span<const CacheRow> rows;
  KvLayout kv;
};

/// Attention with a sink: softmax over the scores of the visible positions and the head's sink logit, whose own column
/// is then dropped. Query head h reads KV head h / (H / G). A window of W shows the token itself and W - 1 before it; 0
/// shows all. Keys and values are read as the cache keeps them, the tokens of this batch too. The positions are added
/// up in chunks of 256 from position 0 on, whatever the window, the batch or the number of threads: a token's bits
/// depend on its sequence alone.
struct AttentionArgs {
  const float* q;     // [T, H, Dh], rotated
  uint64_t q_stride;  // elements between tokens
  std::span<const CacheRow> rows;
  KvLayout kv;
  const float* sinks;  // [H], not scaled
  uint32_t num_heads;
  uint32_t window;
  float scale;  // 1 / sqrt(Dh), of the scores only
  float* out;   // [T, H, Dh]
};

inline constexpr uint32_t kAttentionChunkTokens = 256;

/// Per token: the A largest logits, largest first (the lower expert among equals), and the softmax over those A alone.
struct RouterArgs {
  const float* logits;  // [T, E]
  uint32_t num_tokens, experts, active;
  uint32_t* indices;  // [T, A]
  float* weights;     // [T, A]
};

/// out[t] += sum over the A experts e of token t, in the router's order, of weight * (down_e . swiglu(gate_e . x, up_e
/// . x)): gate' = min(gate, limit), up' = clamp(up, -limit, limit), swiglu = (up' + 1) * gate' * sigmoid(1.702 gate').
/// Biases are added to gate and up before, to down before its weight is applied.
struct ExpertsArgs {
  const float* x;  // [T, D], normed
  uint32_t num_tokens;
  ExpertRows gate, up, down;         // [E, F, D], [E, F, D], [E, D, F]
  const float *gate_bias, *up_bias;  // [E, F]
  const float* down_bias;            // [E, D]
  uint32_t active;                   // A
  const uint32_t* indices;           // [T, A], each < E
  const float* weights;              // [T, A]
  float limit;
  float* out;  // [T, D]
};

/// What of one row's logits is wanted: all of them, or the best top_k of what is allowed, after their changes.
struct UnembedRow {
  const uint32_t* allowed = nullptr;  // [V / 32] bit v % 32 of word v / 32: token v; null: all
  float* logits = nullptr;            // [V], forbidden ones minus infinity; where top is null
  TopLogits* top = nullptr;
  uint32_t top_k = 0;                         // with top: at least 1
  bool wants_log_sum_exp = false;             // with top
  std::span<const LogitChange> changes = {};  // with top: tokens ascending, each < V
};

/// The product with the vocabulary's matrix, and what follows from it while it is at hand: masks and changes apply
/// before any candidate is dropped. The bits are those of matmul() and of a sort.
struct UnembedArgs {
  WeightRows w;    // [V, D]
  const float* x;  // [rows, D], normed
  std::span<const UnembedRow> rows;
};

inline constexpr float kSwigluAlpha = 1.702f;

}  // namespace gossamer::kernels
