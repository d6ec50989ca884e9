#pragma once

#include <memory>
#include <vector>

#include "kernels/rope_table.h"
#include "model/attention_plan.h"
#include "model/device_graphs.h"
#include "model/device_head.h"
#include "model/device_host_experts.h"
#include "model/device_limits.h"
#include "model/device_weights.h"
#include "model/forward_pass.h"

namespace gossamer {

/// Model::forward() on a GPU: the same batch in, the same answers out. Tokens, positions and block tables go there in
/// one copy; what was asked for comes back; in between the host waits for nothing. A step of few tokens is one graph
/// (device_graphs.h), recorded when it first comes or by warm_up().
class DeviceForward : public ForwardPass {
 public:
  /// Pages beyond those of a cache, for what long chunks of prompts have behind the window.
  static constexpr uint32_t kScratchPages = 128;
  /// Blocks that keep a GPU busy: with fewer, attention is split over positions.
  static constexpr uint32_t kFewBlocks = 512;

  /// Puts the weights on the device in use, or as many experts as the limits leave room for: `weights` and `threads`
  /// outlive what is made then. Errors: shapes or weights that no kernel takes, no memory, limits below what every
  /// token needs.
  static Result<std::unique_ptr<DeviceForward>> make(const ModelConfig& config, const Weights& weights,
                                                     const kernels::RopeParams& rope, ThreadPool& threads,
                                                     const ProgressFn& progress, const DeviceLimits& limits = {});
  /// Waits for the device, which may still read what the host sent it.
  ~DeviceForward() override;
  /// With weights that are there already.
  static Result<std::unique_ptr<DeviceForward>> make_with(const ModelConfig& config, DeviceWeights weights,
                                                          const kernels::RopeParams& rope);

  /// Pages of a cache on the device, and some more in which a long chunk of a prompt keeps what nobody needs later.
  Result<KvMemory> allocate_kv(const kernels::KvLayout& layout, const KvShape& shape,
                               uint32_t num_pages) const override;

  /// See Model::forward(); the batch was checked. Errors also: the device has no memory for a batch of that size, or
  /// failed.
  Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace) override;

  /// How products are added up from now on; without a call, as on every card. Set it before the first token, since it
  /// may change bits. `scales_fold`: of all matrices of MXFP4 (mxfp4_scale_folds()), for kOneRun; a matrix that one run
  /// does not take stays in slices. Errors: the device has no warpgroups and they were asked for by name, or it failed.
  Status choose_sums(DeviceSums choice, const std::function<bool()>& scales_fold);
  /// What came of it: never kAuto.
  DeviceSums sums() const;

  uint64_t free_bytes(const KvShape& shape) const override;
  Status prepare(const StepLimits& limits) override;
  void warm_up(const KvMemory& cache) override;
  std::string memory_text() const override;
  std::string placement() const override;

  bool can_draw() const override { return true; }
  Status draw(std::span<const DrawWish> wishes) override { return head_.draw(wishes, stream_); }
  uint64_t last_step() const override { return head_.last_step(); }
  Status finish_draws(uint64_t step) override { return head_.finish_draws(step, stream_); }
  /// Not where the host computes experts: it looks up embeddings too, for which it must know the tokens.
  bool can_run_ahead() const override { return !host_experts_; }

  /// Whether the host computes some experts: then it waits for the device once in every layer, and a graph ends there.
  bool has_host_experts() const { return host_experts_ != nullptr; }
  const DeviceWeights& weights() const { return weights_; }
  /// Null: all experts are on the device.
  const DeviceHostExperts* host_experts() const { return host_experts_.get(); }

 private:
  /// What a batch needs beside weights and cache. It grows with the batch and is kept.
  struct Workspace {
    uint32_t max_tokens = 0;
    kernels::cuda::DeviceMemory memory;
    float* residual;       // [T, D]
    uint16_t* normed;      // [T, padded D]
    float* qkv;            // [T, (H + 2G) * Dh]
    uint16_t* q;           // [T, H * Dh]
    uint16_t* attended;    // [T, H * Dh]
    float* router_logits;  // [T, E]
    uint32_t* indices;     // [T, A]
    float* weights;        // [T, A]
    uint32_t* counts;      // [E]
    uint32_t* arrived;     // [1] of route_and_plan_few()
    uint32_t* begins;      // [E]
    uint32_t* num_tiles;   // [1]
    kernels::cuda::ExpertTile* tiles;
    uint32_t* token_of_place;  // [T * A]
    uint32_t* place_of_slot;   // [T * A]
    uint16_t* inner;           // [T * A, padded F]
    float* contracted;         // [T * A, D]
  };

  DeviceForward(const ModelConfig& config, DeviceWeights weights, kernels::cuda::DeviceStream stream)
      : config_(config),
        weights_(std::move(weights)),
        stream_(std::move(stream)),
        head_(config.vocab_size, kernels::cuda::padded_cols(config.hidden)) {}

  /// Cuts the workspace of so many tokens; gives its bytes.
  static uint64_t cut_workspace(const ModelConfig& config, uint64_t num_tokens, std::byte* memory, Workspace& work);
  /// What has to fit beside weights, where little is there: steps of the usual size and a short conversation.
  static uint64_t beside_weights_bytes(const ModelConfig& config);
  /// What weights may take of the memory that may be used, so that steps and a short conversation have room too.
  static uint64_t weight_room_bytes(const ModelConfig& config, uint64_t most_bytes);
  /// Of what may be used, what nobody has yet.
  uint64_t room_bytes() const;
  /// What so many graphs are expected to take.
  uint64_t graph_bytes(uint64_t num_graphs) const;
  /// Memory for such steps and for all that came before. Where it moves, graphs are forgotten.
  Status reserve(const StepLimits& wanted);
  Status take_memory(const StepLimits& limits);
  uint64_t partial_bytes(uint64_t num_tokens, uint32_t num_chunks) const;
  /// Sizes of the step in work, and where its inputs are: all that a graph knows of it beside the cache.
  void shape_step(uint32_t num_tokens, uint32_t num_chunks, bool is_graph);
  StepKey key_of(const KvMemory& cache) const;
  Status send_batch(const Batch& batch, bool is_graph);
  /// Writes the batch's tokens where they are sent from, and kIsDrawn for those that are being drawn.
  Status write_tokens(const Batch& batch, uint32_t* words) const;
  /// Embedding and all layers of a step that is graphs; where none can be made, kernel by kernel.
  Status start_segments(const KvMemory& cache);
  /// Null: none can be made.
  const DeviceGraphs::Segments* graphs_of(const KvMemory& cache);
  uint32_t num_segments() const;
  /// What one graph holds: all of the step, or where the host computes experts, what is between two of its answers.
  void start_segment(const KvMemory& cache, uint32_t segment);
  /// Embedding and all layers of any other step.
  Status start_layers(const KvMemory& cache);
  /// The same, with what is to be seen of it on the way.
  Status watch_layers(const Batch& batch, ForwardTrace* trace);
  void embed_tokens();
  /// out [num_rows, padded D] = rows of the residual stream, normed and rounded as `matrix` takes them: those that
  /// `rows` (on the device) names, or where it is null, all in order.
  void norm_for(const DeviceMatrix& matrix, const float* weight, const uint32_t* rows, uint32_t num_rows,
                uint16_t* out);
  /// out [num_rows, N] = or += x [num_rows, x_stride] . matrix^T + bias.
  void multiply(const DeviceMatrix& matrix, const uint16_t* x, uint32_t x_stride, uint32_t num_rows,
                kernels::cuda::Finish finish, float* out);
  /// Of a product with this matrix; of the two of experts, which share their tiles.
  kernels::cuda::Sums sums_for(const DeviceMatrix& matrix) const;
  kernels::cuda::Sums sums_of_experts(uint32_t layer) const;
  /// Whether kernels for few tokens compute the step: they add up in slices.
  bool is_few() const;
  void attention_layer(const KvMemory& cache, uint32_t layer);
  /// `args` as for all tokens one by one.
  void attend_as_planned(const kernels::cuda::AttendOp& args);
  uint64_t add_attention_plan(const Batch& batch, uint64_t num_words);
  void project_qkv(uint32_t layer, const kernels::cuda::CacheOp& cache);
  Status experts_layer(uint32_t layer);
  /// Up to what the device's experts gave, in work_.contracted; the host is asked for its own.
  void start_experts(uint32_t layer);
  kernels::cuda::PlanOp route_and_plan(uint32_t layer);
  kernels::cuda::ProductArgs expand_experts(uint32_t layer);
  void contract_experts(uint32_t layer, const kernels::cuda::ProductArgs& expand);
  /// Whether the second matrix of experts is multiplied and summed over choices in one kernel.
  bool contracts_few() const;
  void contract_few(uint32_t layer, const kernels::cuda::ProductArgs& expand);
  kernels::cuda::CombineOp combine_op() const;
  /// What the experts of a layer on the host are asked with.
  HostExperts::Rows normed_rows(uint32_t layer) const;
  Status take_trace(ForwardTrace& trace, uint32_t layer, bool after_attention);
  Status fill_taps(const Batch& batch, uint32_t layer);
  Result<std::span<const float>> unembed(const Batch& batch);

  ModelConfig config_;
  DeviceWeights weights_;
  kernels::cuda::DeviceStream stream_;
  std::unique_ptr<DeviceHostExperts> host_experts_;
  kernels::WeightRows host_embedding_;  // with host_experts_: the view of the checkpoint
  std::vector<float> embedded_;
  kernels::cuda::DeviceMemory rope_;  // cos, then sin, [context, Dh / 2]
  std::vector<uint32_t> layer_of_group_;
  uint64_t most_bytes_ = ~0ull;
  kernels::cuda::Sums sums_ = kernels::cuda::Sums::kInSlices;
  bool scales_fold_ = false;  // of all matrices, where somebody wanted to know

  // Memory of steps. It grows where it must, and not after prepare().
  StepLimits limits_{0, 0, 0};
  Workspace work_{};
  kernels::cuda::PinnedMemory host_words_;  // what send_batch() sends: tokens, positions, two table_begins, tables
  kernels::cuda::DeviceEvent words_sent_;   // when host_words_ may be written again
  kernels::cuda::DeviceMemory words_;
  kernels::cuda::DeviceMemory partial_;  // of attention that is split
  DeviceGraphs graphs_;
  std::vector<std::pair<uint32_t, uint32_t>> warm_steps_;  // tokens and chunks of those that warm_up() records
  uint64_t graph_bytes_taken_ = 0;                         // by warm_up(), as the device says

  // Of the batch in work.
  uint32_t num_tokens_ = 0;                    // with those that fill up a bucket
  uint32_t max_chunks_[2] = {1, 1};            // full, sliding; 1: attention is not split
  const uint32_t* tokens_ = nullptr;           // in words_
  kernels::cuda::BatchPlaces places_[2] = {};  // full, sliding
  bool is_graph_ = false;
  AttentionPlan plan_;                 // where it is none
  const uint32_t* singles_ = nullptr;  // plan_.singles on the device
  const kernels::cuda::AttendTile* tiles_ = nullptr;
  DeviceHead head_;
};

}  // namespace gossamer
