#pragma once
/// The kernels of a step, as host code starts them. Every pointer is device memory; nothing is waited for. Shape
/// letters are those of kernels/ops.h; `padded` widths are padded_cols() of the width, and what is behind it is zero.

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "kernels/cuda/strips.h"
#include "kernels/draw_rule.h"
#include "kernels/kv_layout.h"

struct CUstream_st;

namespace gossamer::kernels::cuda {

using Stream = CUstream_st*;  ///< cudaStream_t

/// Rows of experts' slots [begin, end) that meet the same expert together: the one at that place among the strips.
struct ExpertTile {
  uint32_t expert, begin, end;
};

/// What a product does with its sums, biases added.
enum class Finish : uint8_t { kStore, kAccumulate, kSwiglu };

/// By which instructions products are added up, and in what order. A policy of the whole model, not of a batch: rows
/// that should have the same bits in any company need the same of these, unless a GPU has shown that two agree.
enum class Sums : uint8_t {
  /// mma.sync on every card: kSlices slices, each from zero.
  kInSlices,
  /// The same slices, blocks and order; where many rows meet a strip, by warpgroups of a Hopper card. Whether its bits
  /// are those of kInSlices hangs on how that card rounds: compare_on_hopper() (hopper_agreement.h) tells.
  kInSlicesOnHopper,
  /// One run over all columns with the scales of MXFP4 in the weights, whatever the number of rows: the fastest for
  /// many, with other bits than the two above. Of matrices that can_run_once() admits.
  kInOneRunOnHopper,
};
/// Whether kInOneRunOnHopper takes such a matrix: a scale of Q8_0 is a number of eleven bits, and a code times that is
/// none. `folds`: all scales of MXFP4 are such as mxfp4_scale_folds() admits.
constexpr bool can_run_once(StripFormat format, bool folds) {
  return format != StripFormat::kQ8 && (format != StripFormat::kMxfp4 || folds);
}

/// out[r] = x[r] . w^T + bias for every row r of x, in strips. Rows meet a strip in tiles of tile_rows_for(); the bits
/// are the same in all of them. x is rounded as takes_bf16(shape.format) says.
struct ProductArgs {
  StripShape shape;
  const std::byte* strips;
  const uint16_t* x;  // [rows, padded]
  uint32_t x_stride;  // elements, a multiple of 64
  uint32_t num_rows;  // of x
  Finish finish;
  float* out;           // kStore, kAccumulate: [rows, N], stride out_stride
  uint16_t* out_half;   // kSwiglu: [rows, padded F] in half precision: rows 0 .. 7 of a strip are gate, 8 .. 15 up
  bool to_bf16;         // kSwiglu: in bf16, where the next matrix takes that
  uint64_t out_stride;  // elements
  float swiglu_limit;   // kSwiglu

  /// Of experts: rows of x in groups that each meet strips of their own. Null: one matrix for all.
  const ExpertTile* tiles;    // [at most max_tiles]
  const uint32_t* num_tiles;  // on the device
  uint32_t max_tiles;
  uint32_t tile_rows;        // as the tiles were planned: what tile_rows_for() gave for the same `sums`
  uint64_t expert_bytes;     // from one expert's strips to the next's
  const uint32_t* x_of_row;  // row r reads x[x_of_row[r]]; null: x[r]

  Sums sums;  // other than kInSlices: only where has_warpgroups() (runtime.h)
};
void product(const ProductArgs& args, Stream stream);

/// Rows that meet a strip at once: 8 for few rows, 64 for many; on Hopper up to 256, where a quarter of a tile's rows
/// at most are likely to be missing. `num_rows`: of x, or of an expert on average.
constexpr uint32_t tile_rows_for(uint32_t num_rows, Sums sums = Sums::kInSlices) {
  if (num_rows <= 32 && sums != Sums::kInOneRunOnHopper) return 8;
  if (sums == Sums::kInSlices || num_rows <= 96) return 64;
  return num_rows <= 192 || sums == Sums::kInSlicesOnHopper ? 128 : 256;
}

/// out[t] = row tokens[t] of the table [V, D] (BF16, F16, F32 or Q8_0 as in the file), as float32.
struct EmbedOp {
  const std::byte* table;
  uint64_t row_stride_bytes;
  Dtype dtype;
  const uint32_t* tokens;  // [T]
  uint32_t num_tokens, width;
  float* out;  // [T, D]
};
void embed(const EmbedOp& args, Stream stream);

/// out[i] = x[rows[i]] / sqrt(mean of squares + eps) * weight, rounded to bf16 or to half precision.
struct NormOp {
  const float* x;        // [., D]
  const uint32_t* rows;  // [num_rows]; null: all in order
  const float* weight;   // [D]
  float eps;
  uint32_t num_rows, width, padded;
  bool to_bf16;
  uint16_t* out;  // [num_rows, padded]
};
void rmsnorm(const NormOp& args, Stream stream);

/// Where the rows of a batch have their keys and values, for every token.
struct BatchPlaces {
  const uint32_t* positions;    // [T]
  const uint32_t* table_begin;  // [T] where the block table of the token's sequence begins in `pages`
  const uint32_t* pages;        // tables of one group of layers, one behind the other
};
/// The pages of a cache in the layer at hand.
struct CacheOp {
  std::byte* memory;  // of the layer: page p's block is at memory + p * page_bytes
  uint64_t page_bytes;
  KvDtype dtype;  // kBf16 or kInt8
  uint32_t kv_heads;
};

/// Rotates queries and keys, stores keys and values in the cache, and gives the queries in bf16.
struct RopeStoreOp {
  const float* qkv;  // [T, (H + 2G) * 64]
  uint32_t num_tokens, num_heads;
  BatchPlaces places;
  const float* cos;  // [positions, 32]
  const float* sin;
  CacheOp cache;
  uint16_t* q;  // [T, H * 64] bf16
};
void rope_store(const RopeStoreOp& args, Stream stream);

/// Norm, product with the matrix of queries, keys and values, rotation and the way into the cache in one kernel, for
/// few tokens and a cache in bf16: the same bits as rmsnorm(), product() and rope_store() one after the other.
struct QkvOp {
  const float* x;            // [T, D]
  const float* norm_weight;  // [D]
  float eps;
  uint32_t num_tokens;  // at most kFewTokens
  StripShape shape;     // [(H + 2G) * 64, D], RowOrder::kHeadHalves
  const std::byte* strips;
  uint32_t num_heads;
  BatchPlaces places;
  const float* cos;  // [positions, 32]
  const float* sin;
  CacheOp cache;
  uint16_t* q;  // [T, H * 64] bf16
};
void qkv_of_few(const QkvOp& args, Stream stream);
/// With more, every block of qkv_of_few() would norm more rows than it has time for.
inline constexpr uint32_t kFewTokens = 4;

/// Attention with a sink, as AttentionArgs of kernels/ops.h: chunks of 256 positions counted from 0, each alone, added
/// up in order. Where `partial` is not null every chunk is a block of its own, for few tokens with much behind them;
/// the bits are the same.
struct AttendOp {
  const uint16_t* q;  // [T, H * 64] bf16
  uint32_t num_tokens, num_heads;
  const uint32_t* tokens;  // [num_tokens] which of the batch's are attended; null: the first
  BatchPlaces places;
  CacheOp cache;
  const float* sinks;   // [H]
  uint32_t window;      // 0: none
  float scale;          // 1 / sqrt(64)
  uint32_t max_chunks;  // with partial: chunks of the longest sequence (of those that its window shows)
  float* partial;       // [num_tokens, G, max_chunks, kPartialFloats]
  uint16_t* out;        // [T, H * 64] bf16 (F16 where to_f16)
  bool to_f16;          // o_proj's weights are not bf16
};
inline constexpr uint32_t kPartialFloats = 8 * (64 + 2);
void attend(const AttendOp& args, Stream stream);

/// Tokens of one sequence that follow each other.
struct AttendTile {
  uint32_t first, count;
};
inline constexpr uint32_t kFewTileTokens = 8, kManyTileTokens = 16;
/// The same for tiles of tokens, which read each page once together; the bits are those of attend(). Tiles run in
/// their order: those with the most behind them come first. Of `args`, num_tokens and tokens are not looked at, and
/// partial is [num_tiles * tile_tokens, G, max_chunks, kPartialFloats].
struct AttendTilesOp {
  AttendOp args;
  const AttendTile* tiles;
  uint32_t num_tiles;
  uint32_t tile_tokens;  // kFewTileTokens or kManyTileTokens: the most of a tile
};
void attend_tiles(const AttendTilesOp& op, Stream stream);

/// Norm, router and choice of experts in one: logits in float32, the best `active` of them (the lower expert among
/// equals) with the softmax over those; counts how many tokens chose each expert, and gives the normed row for the
/// experts.
struct RouteOp {
  const float* x;            // [T, D]
  const float* norm_weight;  // [D]
  float eps;
  uint32_t num_tokens, width, padded;
  const float* router;  // [E, D]
  const float* bias;    // [E]
  uint32_t experts, active;
  uint16_t* normed;  // [T, padded] half precision (bf16 where to_bf16)
  bool to_bf16;
  float* logits;      // [T, E]; null: not wanted
  uint32_t* indices;  // [T, A]
  float* weights;     // [T, A]
  uint32_t* counts;   // [E], zero before; added to
};
void route(const RouteOp& args, Stream stream);

/// Slots of experts: choice c of token t is slot t * A + c. Puts them in the order of experts, and within one in order.
/// Where some experts are not on the device they come last: tiles name places in the order, as strips are packed, and
/// nobody computes the slots of the last `num_on_host`.
struct PlanOp {
  const uint32_t* indices;  // [slots]
  uint32_t num_slots, experts, active;
  uint32_t tile_rows;
  uint32_t* counts;                 // [E]; zero again afterwards
  uint32_t* begins;                 // [E] of each place in the order
  ExpertTile* tiles;                // [max_tiles(num_slots, experts, tile_rows)]
  uint32_t* num_tiles;              // [1]
  uint32_t* token_of_place;         // [slots]
  uint32_t* place_of_slot;          // [slots]
  const uint32_t* order = nullptr;  // [E] a permutation; null: as they are numbered
  uint32_t num_on_host = 0;
};
void plan_experts(const PlanOp& args, Stream stream);

/// route() and plan_experts() with tiles of 8 rows in one kernel: by the block that comes last. At most 8 tokens and 32
/// slots; neither counts nor begins are touched. `arrived`: zero before and afterwards.
void route_and_plan_few(const RouteOp& route, const PlanOp& plan, uint32_t* arrived, Stream stream);
constexpr bool takes_few_slots(uint32_t num_tokens, uint32_t num_slots) {
  return num_tokens <= 8 && num_slots <= 32;
}

constexpr uint32_t max_expert_tiles(uint32_t num_slots, uint32_t experts, uint32_t tile_rows) {
  return (experts < num_slots ? experts : num_slots) + num_slots / tile_rows;
}

/// residual[t] += sum over the choices of t, in order, of weight * contracted[place].
struct CombineOp {
  const float* contracted;        // [slots, D]
  const uint32_t* place_of_slot;  // [slots]
  const float* weights;           // [slots]
  uint32_t num_tokens, active, width;
  float* residual;  // [T, D]
};
void combine_experts(const CombineOp& args, Stream stream);

/// Normed rows and the router's choices for the host, in its pinned memory, and a word beside them that is 1 once both
/// are there: wait_for_flag().
struct TellHostOp {
  const uint16_t* normed;   // [T, stride]
  const uint32_t* choices;  // [slots]
  uint32_t num_tokens, stride, num_slots;
  uint16_t* host_normed;   // [T, stride]
  uint32_t* host_choices;  // [slots]
  uint32_t* flag;
};
void tell_host(const TellHostOp& args, Stream stream);

/// What the host gave, in its pinned memory and complete before the kernel was started: the rows of all places from
/// the first one on.
struct HostRows {
  const float* rows;            // [slots - first, D]
  const uint32_t* first_place;  // [1]
};
/// combine_experts() where the last places are the host's.
void combine_with_host(const CombineOp& args, const HostRows& host, Stream stream);

/// residual[t] += sum over the choices of t, in order, of weight * (inner[place] . down^T + bias) in one kernel, for at
/// most kFewTokens tokens: the same bits as product() and combine_experts().
struct ContractOp {
  StripShape shape;  // of one expert [D, F]
  const std::byte* strips;
  uint64_t expert_bytes;
  const uint16_t* inner;  // [slots, inner_stride]
  uint32_t inner_stride;
  const uint32_t* indices;        // [T, A]
  const uint32_t* place_of_slot;  // [slots]
  const float* weights;           // [T, A]
  uint32_t num_tokens, active;    // active: at most kMostActive
  float* residual;                // [T, D]
};
inline constexpr uint32_t kMostActive = 4;
void contract_few(const ContractOp& args, Stream stream);

/// What of a row's logits is wanted; see UnembedRow of kernels/ops.h.
struct ChoiceRow {
  uint32_t mask;          // of the masks [V / 32 rounded up] each; ~0: all are allowed
  uint32_t first_change;  // of the changes
  uint32_t num_changes;
  uint32_t k;  // 0: all logits, masked, stay where they are
  uint32_t wants_log_sum_exp;
};
struct LogitChangeOp {
  uint32_t token;
  float bias, repetition, penalty;
};
struct DeviceCandidate {
  uint32_t token;
  float logit;
};
/// Masks, log-sum-exp, changes, then the best k of each row of logits.
struct ChooseOp {
  float* logits;  // [rows, V]; changed in place
  uint32_t num_rows, vocab;
  const ChoiceRow* rows;  // [rows]
  const uint32_t* masks;
  const LogitChangeOp* changes;
  uint32_t max_k;         // at most kMostCandidates
  DeviceCandidate* best;  // [rows, max_k], in order; fewer where fewer are allowed
  uint32_t* num_best;     // [rows]
  double* log_sum_exp;    // [rows], where wanted
  float* largest;         // [rows] of all allowed logits, unchanged; where log_sum_exp is wanted
};
inline constexpr uint32_t kMostCandidates = 1024;
void choose(const ChooseOp& args, Stream stream);

/// A row of logits from which a token is drawn.
struct DrawRow {
  uint32_t row;           // of the logits
  uint32_t mask;          // of the masks; ~0: nothing more is forbidden
  uint32_t first_change;  // of the changes
  uint32_t num_changes;   // tokens ascending
  DrawRule rule;
};
struct DrawnToken {
  uint32_t token;      // ~0: none is allowed
  float logit;         // before it was changed
  double masked_mass;  // with a mask: see sampling/masked_mass.h
};
/// What one block knows of its slice of a row.
struct DrawSlice {
  uint64_t best;  // key of the largest logit, masked and changed, and the complement of its lowest token
  double forbidden, all;
};
/// The last token that may be drawn, as candidates are ordered; what comes behind it may not.
struct DrawCut {
  uint32_t key, token;
};
/// Masks and changes, then one token of each row: the one that Sampler chooses from the same logits.
struct DrawOp {
  float* logits;         // [., V]; masked and changed in place
  const float* largest;  // [.] before masks and changes; of rows with a mask
  const DrawRow* rows;   // [num_rows]
  uint32_t num_rows, vocab;
  bool any_top_k;     // in any of the rows
  bool any_unranked;  // !is_greedy() && !is_ranked(), likewise
  const uint32_t* masks;
  const LogitChangeOp* changes;
  // By row of the logits, but for `own`.
  float* own;         // [changes] what the changed ones were
  DrawSlice* slices;  // [., draw_slices(V)]
  DrawCut* cuts;      // [.]
  float* sums;        // [., kDrawSums, draw_stretches(V)]
  DrawnToken* drawn;  // [.]
};
inline constexpr uint32_t kNoToken = ~0u;
inline constexpr uint32_t kDrawSliceTokens = 4096;
inline constexpr uint32_t kDrawSums = 1 + kDrawLevels;
constexpr uint32_t draw_slices(uint32_t vocab) {
  return (vocab + kDrawSliceTokens - 1) / kDrawSliceTokens;
}
constexpr uint32_t draw_stretches(uint32_t vocab) {
  return (vocab + kDrawStretch - 1) / kDrawStretch;
}
void draw(const DrawOp& args, Stream stream);

/// Tokens that were drawn take the places that the host has kept for them: kIsDrawn with the row that each is of. Where
/// none was allowed it is token 0, and nobody will want what follows.
struct TakeDrawnOp {
  uint32_t* tokens;  // [T]; changed in place
  uint32_t num_tokens, vocab;
  const DrawnToken* drawn;  // [rows]
};
inline constexpr uint32_t kIsDrawn = 1u << 31;
void take_drawn(const TakeDrawnOp& args, Stream stream);

}  // namespace gossamer::kernels::cuda
