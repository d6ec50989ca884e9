#include "model/device.h"

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

}  // namespace gossamer
