#include "model/device.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace gossamer {

Result<DeviceChoice> DeviceChoice::parse(std::string_view text) {
  using Kind = DeviceChoice::Kind;
  if (text == "auto") return DeviceChoice{Kind::kAuto};
  if (text == "cpu") return DeviceChoice{Kind::kCpu};
  if (text == "cuda" || text == "gpu") return DeviceChoice{Kind::kCuda};
  constexpr std::string_view kPrefix = "cuda:";
  const std::string_view number = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : text;
  int index = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
  if (error == std::errc() && end == number.data() + number.size() && index >= 0)
    return DeviceChoice{Kind::kCuda, index};
  return make_error(ErrorCode::kInvalidInput,
                    "the device is \"{}\"; it can be auto, cpu, cuda, or cuda:N with the number of a GPU", text);
}

namespace {
constexpr std::string_view kSumsNames[] = {"auto", "portable", "hopper", "one-run"};  // as DeviceSums
}  // namespace

Result<DeviceSums> parse_device_sums(std::string_view text) {
  const auto found = std::find(std::begin(kSumsNames), std::end(kSumsNames), text);
  if (found != std::end(kSumsNames)) return static_cast<DeviceSums>(found - std::begin(kSumsNames));
  return make_error(ErrorCode::kInvalidInput,
                    "products on a GPU cannot be added up by \"{}\"; it can be auto, portable, hopper or one-run",
                    text);
}

std::string_view device_sums_name(DeviceSums sums) {
  return kSumsNames[static_cast<size_t>(sums)];
}

namespace {
/// What is left where less is free than the share asks for: graphs and the driver take of it, and other programs that
/// are there already do not stand still.
constexpr uint64_t kDriverBytes = uint64_t{512} << 20;
}  // namespace

Result<uint64_t> DeviceBudget::most_bytes(uint64_t total_bytes, uint64_t free_bytes) const {
  const auto gb = [](uint64_t count) { return static_cast<double>(count) / 1e9; };
  if (bytes == 0)
    return std::min(static_cast<uint64_t>(share * static_cast<double>(total_bytes)),
                    free_bytes - std::min(free_bytes, kDriverBytes));
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
