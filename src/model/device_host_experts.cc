#include "model/device_host_experts.h"

namespace gossamer {

using namespace kernels::cuda;

DeviceHostExperts::DeviceHostExperts(ExpertPlacement placement, std::unique_ptr<HostExperts> experts, ExpertUse use,
                                     ExpertUseFile file, uint32_t hidden, uint32_t active)
    : placement_(std::move(placement)),
      experts_(std::move(experts)),
      use_(std::move(use)),
      file_(std::move(file)),
      hidden_(hidden),
      active_(active),
      num_experts_(use_.num_experts()) {}

Result<std::unique_ptr<DeviceHostExperts>> DeviceHostExperts::make(ExpertPlacement placement,
                                                                   std::unique_ptr<HostExperts> experts, ExpertUse use,
                                                                   ExpertUseFile file, uint32_t hidden,
                                                                   uint32_t active) {
  std::unique_ptr<DeviceHostExperts> made(
      new DeviceHostExperts(std::move(placement), std::move(experts), std::move(use), std::move(file), hidden, active));
  GOS_TRY(made->asked_event_, DeviceEvent::create());
  GOS_TRY_STATUS(made->send_orders());
  return made;
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
  const auto cut_all = [&](std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(choices_, slots);
    cutter.cut(normed_, uint64_t{num_tokens} * padded_cols(hidden_));
    return cutter.used();
  };
  max_tokens_ = 0;
  questions_ = PinnedMemory();
  answers_ = PinnedMemory();
  GOS_TRY(questions_, PinnedMemory::allocate(cut_all(nullptr)));
  GOS_TRY(answers_, PinnedMemory::allocate(slots * hidden_ * sizeof(float)));
  cut_all(questions_.data());
  max_tokens_ = num_tokens;
  return {};
}

void DeviceHostExperts::ask(const DeviceStream& stream, const HostExperts::Rows& normed, const uint32_t* choices,
                            uint32_t num_tokens) {
  num_tokens_ = num_tokens;
  rows_ = {normed_, normed.stride, normed.dtype};
  stream.copy_to_host(choices_, choices, uint64_t{num_tokens} * active_ * sizeof(uint32_t));
  stream.copy_to_host(normed_, normed.data, uint64_t{num_tokens} * normed.stride * sizeof(uint16_t));
  asked_event_.record(stream);
}

Status DeviceHostExperts::answer(const DeviceStream& stream, uint32_t layer, float* contracted) {
  GOS_TRY_STATUS(asked_event_.synchronize());
  const std::span<const uint32_t> choices(choices_, uint64_t{num_tokens_} * active_);
  use_.count(layer, choices);
  has_counted_ = true;
  auto* rows = reinterpret_cast<float*>(answers_.data());
  const uint32_t num_rows = experts_->compute(layer, rows_, choices, active_, rows);
  if (num_rows > 0)
    stream.copy_to_device(contracted + (choices.size() - num_rows) * hidden_, rows,
                          uint64_t{num_rows} * hidden_ * sizeof(float));
  return {};
}

}  // namespace gossamer
