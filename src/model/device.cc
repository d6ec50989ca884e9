#include "model/device.h"

#include <algorithm>
#include <charconv>

namespace gossamer {

Result<DeviceChoice> DeviceChoice::parse(std::string_view text) {
  using Kind = DeviceChoice::Kind;
  if (text == "auto") return DeviceChoice{Kind::kAuto, 0};
  if (text == "cpu") return DeviceChoice{Kind::kCpu, 0};
  if (text == "cuda" || text == "gpu") return DeviceChoice{Kind::kCuda, 0};
  constexpr std::string_view kPrefix = "cuda:";
  int index = 0;
  if (text.starts_with(kPrefix)) {
    const auto [end, error] = std::from_chars(text.data() + kPrefix.size(), text.data() + text.size(), index);
    if (error == std::errc() && end == text.data() + text.size() && index >= 0) return DeviceChoice{Kind::kCuda, index};
  }
  return make_error(ErrorCode::kInvalidInput, "the device is \"{}\"; it can be auto, cpu, cuda or cuda:N", text);
}

Result<uint64_t> DeviceBudget::most_bytes(uint64_t total_bytes, uint64_t free_bytes) const {
  const auto gb = [](uint64_t count) { return static_cast<double>(count) / 1e9; };
  if (bytes == 0) return std::min(static_cast<uint64_t>(share * static_cast<double>(total_bytes)), free_bytes);
  if (bytes > total_bytes)
    return make_error(ErrorCode::kInvalidInput,
                      "{:.1f} GB of the GPU's memory were asked for, and it has {:.1f}; name less with --gpu-memory",
                      gb(bytes), gb(total_bytes));
  if (bytes > free_bytes)
    return make_error(ErrorCode::kBusy,
                      "{:.1f} GB of the GPU's memory were asked for, and {:.1f} of its {:.1f} GB are free; end what "
                      "else runs there, or name less with --gpu-memory",
                      gb(bytes), gb(free_bytes), gb(total_bytes));
  return bytes;
}

}  // namespace gossamer
