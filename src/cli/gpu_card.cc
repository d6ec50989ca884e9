#include "cli/gpu_card.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/choose_device.h"
#include "model/device.h"
#include "model/device_weights.h"

namespace gossamer::cli {
namespace {

constexpr uint32_t kLanesOfMultiprocessor = 128;
constexpr double kWarpgroupFlopsOfClock = 4096;              // of a multiprocessor: 989 TFLOP/s of an H100 at 1.83 GHz
constexpr uint64_t kBesideWeightsBytes = uint64_t{1} << 30;  // a step's own memory, and the context of the driver

double number_of(const json::value* object, std::string_view key) {
  const json::value* value = object ? find_member(*object, key) : nullptr;
  return value && value->is_number() ? value->to_number<double>() : 0;
}

/// Bytes of a token's keys and values in bf16: half of the layers keep all of them.
uint64_t token_bytes(const ModelConfig& config) {
  return config.num_layers / 2 *
         kernels::KvLayout{kernels::KvDtype::kBf16, config.num_kv_heads, config.head_dim}.token_bytes();
}

}  // namespace

Result<GpuCard> GpuCard::open(int index, std::FILE* out) {
  const auto named = index == DeviceChoice::kFirst ? std::nullopt : std::optional(index);
  GOS_TRY(const kernels::cuda::DeviceInfo info, kernels::cuda::choose_device(named));
  GOS_TRY(const kernels::cuda::DeviceFacts facts, kernels::cuda::facts_of(info.index));
  return GpuCard{info, facts, out};
}

json::object GpuCard::to_json() const {
  return {{"name", info.name},
          {"capability", fmt::format("{}.{}", info.capability / 10, info.capability % 10)},
          {"processors", info.num_processors},
          {"memory_bytes", info.total_bytes},
          {"free_bytes", info.free_bytes},
          {"l2_bytes", facts.l2_bytes},
          {"driver", fmt::format("{}.{}", facts.driver / 1000, facts.driver % 1000 / 10)},
          {"runtime", fmt::format("{}.{}", facts.runtime / 1000, facts.runtime % 1000 / 10)},
          {"clock_mhz", facts.clock_hz / 1e6},
          {"memory_clock_mhz", facts.memory_clock_hz / 1e6},
          {"datasheet_gb_per_s", facts.memory_bytes_per_s() / 1e9}};
}

DeviceRoof GpuCard::roof(const json::value* measured) const {
  DeviceRoof roof{number_of(measured, "read_gb_per_s") * 1e9, number_of(measured, "bf16_mma_tflop_per_s") * 1e12,
                  info.num_processors * kLanesOfMultiprocessor * facts.clock_hz};
  // Warpgroups multiply faster than mma.sync, which is what was measured: no figure may pass the roof for that.
  if (info.capability == 90)
    roof.flops_per_s = std::max(roof.flops_per_s, info.num_processors * kWarpgroupFlopsOfClock * facts.clock_hz);
  if (const double launch_us = number_of(measured, "launch_us"); launch_us > 0) roof.launch_seconds = launch_us * 1e-6;
  return roof;
}

std::string describe(const kernels::cuda::DeviceInfo& info) {
  std::string line =
      fmt::format("{}: {}, capability {}.{}, {} multiprocessors, {:.1f} GB, {:.1f} free", info.index, info.name,
                  info.capability / 10, info.capability % 10, info.num_processors,
                  static_cast<double>(info.total_bytes) / 1e9, static_cast<double>(info.free_bytes) / 1e9);
  for (const char* name : {"20b", "120b"}) {
    const ModelConfig& config = synthetic::find_preset(name)->config;
    const uint64_t weights = DeviceWeights::synthetic_bytes(config, {}), needed = weights + kBesideWeightsBytes;
    line +=
        info.free_bytes < needed
            ? fmt::format("; {} fits in part ({:.1f} GB of weights; experts stay in the host's memory)", name,
                          static_cast<double>(weights) / 1e9)
            : fmt::format("; {} fits ({:.1f} GB) with {}k tokens of cache", name, static_cast<double>(weights) / 1e9,
                          (info.free_bytes - needed) / token_bytes(config) / 1000);
  }
  return line;
}

}  // namespace gossamer::cli
