#include "model/device_host_experts.h"

#include <algorithm>

#include "model/device_weights.h"

namespace gossamer {

using namespace kernels::cuda;

Result<PlacedExperts> place_experts(const ModelConfig& config, const Weights& weights, const DeviceLimits& limits,
                                    uint64_t room_bytes) {
  GOS_TRY(const DeviceWeightSizes sizes, DeviceWeights::sizes(weights));
  if (sizes.all_bytes(config.num_experts) <= room_bytes)
    return PlacedExperts{ExpertPlacement::all_on_device(config.num_layers, config.num_experts), {}};
  if (sizes.dense_bytes > room_bytes)
    return make_error(ErrorCode::kIo,
                      "the weights that every token reads take {:.3g} GB on a GPU, and beside steps and a short "
                      "conversation there are {:.3g} GB for weights; allow more with --gpu-memory-utilization or "
                      "--gpu-memory, end what else runs there, or compute with --device cpu",
                      static_cast<double>(sizes.dense_bytes) / 1e9, static_cast<double>(room_bytes) / 1e9);
  KeptExpertUse kept = read_expert_use(limits.use, config.num_layers, config.num_experts);
  const uint64_t room = room_bytes - sizes.dense_bytes;
  const auto choose = [&](uint64_t budget) { return ExpertPlacement::choose(kept.use, sizes.expert_bytes, budget); };
  ExpertPlacement placement = choose(room);
  // All experts, but not the embedding: some experts go then, for the plain path has all its weights on the device.
  if (placement.num_on_host() == 0) placement = choose(room - std::min(room, sizes.embedding_bytes));
  return PlacedExperts{std::move(placement), std::move(kept)};
}

DeviceHostExperts::DeviceHostExperts(const ModelConfig& config, PlacedExperts placed,
                                     std::unique_ptr<HostExperts> experts, ExpertUseFile file)
    : placement_(std::move(placed.placement)),
      experts_(std::move(experts)),
      use_(std::move(placed.kept.use)),
      file_(std::move(file)),
      hidden_(config.hidden),
      active_(config.experts_per_token),
      num_experts_(config.num_experts),
      found_damage_(placed.kept.damaged) {
  use_.forget_old();
}

/// The host's kernels round all rows alike, however many there are: a token has the same bits in any company.
Result<std::unique_ptr<DeviceHostExperts>> DeviceHostExperts::make(const ModelConfig& config, const Weights& weights,
                                                                   PlacedExperts placed, const DeviceLimits& limits,
                                                                   ThreadPool& threads, const ProgressFn& progress) {
  GOS_TRY(auto backend, kernels::make_backend(limits.host_backend, threads, kernels::Precision::kExact));
  auto experts = std::make_unique<HostExperts>(weights, placed.placement, config.swiglu_limit, std::move(backend),
                                               threads, limits.pack_host_experts, progress);
  std::unique_ptr<DeviceHostExperts> made(
      new DeviceHostExperts(config, std::move(placed), std::move(experts), limits.use));
  GOS_TRY(made->asked_event_, DeviceEvent::create());
  GOS_TRY_STATUS(made->send_orders());
  return made;
}

std::string DeviceHostExperts::in_words(uint64_t device_bytes) const {
  const uint64_t here = placement_.num_on_device(), there = placement_.num_on_host();
  std::string words = fmt::format(
      "{} of {} experts are in the GPU's memory, whose weights take {:.3g} GB; {} are in the host's, {:.3g} GB", here,
      here + there, static_cast<double>(device_bytes) / 1e9, there, static_cast<double>(experts_->size_bytes()) / 1e9);
  if (found_damage_) words += fmt::format("; {} is damaged, so the use of experts is counted anew", file_.path);
  return words;
}

Status DeviceHostExperts::send_orders() {
  std::vector<uint32_t> orders;
  for (uint32_t layer = 0; layer < placement_.num_layers(); ++layer)
    orders.insert(orders.end(), placement_.order(layer).begin(), placement_.order(layer).end());
  const uint64_t bytes = orders.size() * sizeof(uint32_t);
  GOS_TRY(orders_, DeviceMemory::allocate(bytes));
  GOS_TRY(const DeviceStream stream, DeviceStream::create());
  stream.copy_to_device(orders_.data(), orders.data(), bytes);
  return stream.synchronize();
}

/// Counts that cannot be written are lost: the next start knows as much as this one did.
DeviceHostExperts::~DeviceHostExperts() {
  if (has_counted_ && !file_.path.empty()) (void)write_expert_use(file_, use_).ok();
}

Status DeviceHostExperts::reserve(uint32_t num_tokens) {
  if (num_tokens <= max_tokens_) return {};
  const uint64_t slots = uint64_t{num_tokens} * active_;
  const auto cut_questions = [&](std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(choices_, slots);
    cutter.cut(normed_, uint64_t{num_tokens} * padded_cols(hidden_));
    cutter.cut(told_, 1);
    return cutter.used();
  };
  const auto cut_answers = [&](std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(answer_rows_, slots * hidden_);
    cutter.cut(first_place_, 1);
    return cutter.used();
  };
  max_tokens_ = 0;
  questions_ = PinnedMemory();
  answers_ = PinnedMemory();
  GOS_TRY(questions_, PinnedMemory::allocate(cut_questions(nullptr)));
  GOS_TRY(answers_, PinnedMemory::allocate(cut_answers(nullptr)));
  cut_questions(questions_.data());
  cut_answers(answers_.data());
  max_tokens_ = num_tokens;
  return {};
}

void DeviceHostExperts::ask(const DeviceStream& stream, const HostExperts::Rows& normed, const uint32_t* choices,
                            uint32_t num_tokens) {
  num_tokens_ = num_tokens;
  asked_ = normed;
  stream.copy_to_host(choices_, choices, uint64_t{num_tokens} * active_ * sizeof(uint32_t));
  stream.copy_to_host(normed_, normed.data, uint64_t{num_tokens} * normed.stride * sizeof(uint16_t));
  asked_event_.record(stream);
}

Status DeviceHostExperts::answer(const DeviceStream& stream, uint32_t layer, float* contracted) {
  GOS_TRY_STATUS(asked_event_.synchronize());
  const uint64_t num_rows = compute(layer, asked_, num_tokens_), slots = uint64_t{num_tokens_} * active_;
  if (num_rows > 0)
    stream.copy_to_device(contracted + (slots - num_rows) * hidden_, answer_rows_, num_rows * hidden_ * sizeof(float));
  return {};
}

void DeviceHostExperts::tell(const DeviceStream& stream, const HostExperts::Rows& normed, const uint32_t* choices,
                             uint32_t num_tokens) {
  tell_host({normed.data, choices, num_tokens, normed.stride, num_tokens * active_, normed_, choices_, told_},
            stream.get());
}

void DeviceHostExperts::expect() {
  lower_flag(told_);
}

Status DeviceHostExperts::answer_told(const DeviceStream& stream, uint32_t layer, const HostExperts::Rows& normed,
                                      uint32_t num_tokens) {
  GOS_TRY_STATUS(wait_for_flag(told_, stream));
  *first_place_ = num_tokens * active_ - compute(layer, normed, num_tokens);
  return {};
}

uint32_t DeviceHostExperts::compute(uint32_t layer, const HostExperts::Rows& normed, uint32_t num_tokens) {
  const std::span<const uint32_t> choices(choices_, uint64_t{num_tokens} * active_);
  use_.count(layer, choices);
  has_counted_ = true;
  return experts_->compute(layer, {normed_, normed.stride, normed.dtype}, choices, active_, answer_rows_);
}

}  // namespace gossamer
