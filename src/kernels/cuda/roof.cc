#include "kernels/cuda/roof.h"

#include <algorithm>
#include <random>

#include "base/dtype.h"
#include "kernels/cuda/launch_settings.h"
#include "kernels/cuda/roof_kernels.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint64_t kMmaFlops = 2 * 16 * 8 * 16;
constexpr uint32_t kWarpsOfBlock = kRoofThreads / 32;

/// Everything on the device that the figures need.
struct Bench {
  const RoofOptions& options;
  DeviceStream stream;
  DeviceMemory buffer, sums;
  uint32_t most_blocks;

  /// Of so many blocks a processor.
  uint32_t blocks(uint32_t of_processor) const { return of_processor * options.device.num_processors; }
};

constexpr uint32_t kMostBlocksOfProcessor = 8;

Result<Bench> prepare(const RoofOptions& options) {
  GOS_TRY(DeviceStream stream, DeviceStream::create());
  const uint64_t bytes = std::min(options.buffer_bytes, free_device_bytes() / 2) / 256 * 256;
  const uint32_t most_blocks = kMostBlocksOfProcessor * options.device.num_processors;
  GOS_TRY(DeviceMemory buffer, DeviceMemory::allocate(bytes));
  GOS_TRY(DeviceMemory sums, DeviceMemory::allocate(uint64_t{most_blocks} * kRoofThreads * 4 * sizeof(float)));
  Bench bench{options, std::move(stream), std::move(buffer), std::move(sums), most_blocks};
  roof_fill(bench.buffer.data(), bytes, bench.stream.get());
  GOS_TRY_STATUS(bench.stream.synchronize());
  return Result<Bench>(std::move(bench));
}

/// The sum of the first words of what roof_fill() wrote.
uint32_t sum_of_words(uint64_t num_bytes) {
  const uint64_t n = num_bytes / 4;
  return static_cast<uint32_t>(n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n) * kRoofFactor;
}

/// Whether all of it was read: by what the threads added up.
Status check_sum(const Bench& bench, const RoofMemory& memory, const std::string& name) {
  std::vector<uint32_t> sums(size_t{memory.num_blocks} * kRoofThreads);
  bench.stream.copy_to_host(sums.data(), memory.out, sums.size() * sizeof(uint32_t));
  GOS_TRY_STATUS(bench.stream.synchronize());
  uint32_t sum = 0;
  for (const uint32_t of_thread : sums) sum += of_thread;
  if (sum == sum_of_words(memory.num_bytes)) return {};
  return make_error(ErrorCode::kIo,
                    "\"{}\" did not read what it was to read: the sum of {} bytes is {:#x} where {:#x} is right", name,
                    memory.num_bytes, sum, sum_of_words(memory.num_bytes));
}

/// A figure of work a second: bytes or operations.
Roof rate_of(std::string name, std::string unit, double unit_size, double work, const RunTimes& times,
             std::string how) {
  return {std::move(name),
          work / (times.median_us * 1e-6) / unit_size,
          std::move(unit),
          times.spread,
          work,
          times.median_us,
          std::move(how)};
}

/// The fastest of several grids.
template <class Measure>
Result<Roof> best_grid(const Bench& bench, std::initializer_list<uint32_t> of_processor, Measure&& measure) {
  std::optional<Roof> best;
  for (const uint32_t blocks : of_processor) {
    GOS_TRY(Roof roof, measure(bench.blocks(blocks)));
    roof.how = fmt::format("{} {} of {} threads a processor", blocks, blocks == 1 ? "block" : "blocks", kRoofThreads);
    if (!best || roof.value > best->value) best = std::move(roof);
  }
  return Result<Roof>(std::move(*best));
}

Result<Roof> measure_read(const Bench& bench, RoofRead how, const std::string& name) {
  return best_grid(bench, {1, 2, 4, 8}, [&](uint32_t num_blocks) -> Result<Roof> {
    const uint64_t granule = roof_granule(how, num_blocks);
    RoofMemory memory{bench.buffer.data(), bench.buffer.size_bytes() / granule * granule, num_blocks,
                      bench.sums.as<uint32_t>()};
    bench.stream.fill(memory.out, 0, uint64_t{num_blocks} * kRoofThreads * sizeof(uint32_t));
    GOS_TRY(const RunTimes times,
            time_runs(bench.stream, bench.options.num_runs, [&] { roof_read(how, memory, bench.stream.get()); }));
    GOS_TRY_STATUS(check_sum(bench, memory, name));
    return rate_of(name, "GB/s", 1e9, static_cast<double>(memory.num_bytes), times, "");
  });
}

/// One half of the buffer to the other; what is there afterwards is read and added up.
Result<Roof> measure_copy(const Bench& bench) {
  const std::string name = "copy, loads of 16 bytes";
  return best_grid(bench, {1, 2, 4, 8}, [&](uint32_t num_blocks) -> Result<Roof> {
    const uint64_t granule = roof_granule(RoofRead::kLoads, num_blocks);
    const uint64_t bytes = bench.buffer.size_bytes() / 2 / granule * granule;
    std::byte* to = bench.buffer.data() + bench.buffer.size_bytes() / 2 / 256 * 256;
    RoofMemory memory{bench.buffer.data(), bytes, num_blocks, bench.sums.as<uint32_t>()};
    bench.stream.fill(to, 0, bytes);
    GOS_TRY(const RunTimes times,
            time_runs(bench.stream, bench.options.num_runs, [&] { roof_copy(memory, to, bench.stream.get()); }));
    memory.from = to;
    roof_read(RoofRead::kLoads, memory, bench.stream.get());
    GOS_TRY_STATUS(check_sum(bench, memory, name));
    return rate_of(name, "GB/s", 1e9, 2 * static_cast<double>(bytes), times, "");
  });
}

/// Small whole numbers, so that every sum is exact: what comes out is known.
struct MmaOperands {
  std::vector<uint32_t> a, b;   // [32 lanes][4], [32][2]
  std::vector<float> products;  // [32 lanes][4]: what one instruction adds
};
MmaOperands mma_operands(bool bf16) {
  std::mt19937 rng(1);
  float a[16][16], b[8][16];
  const auto number = [&] { return static_cast<float>(static_cast<int>(rng() % 15) - 7); };
  for (auto& row : a)
    for (float& value : row) value = number();
  for (auto& row : b)
    for (float& value : row) value = number();
  const auto pair = [&](const float* at) {
    const auto bits = [&](float value) { return uint32_t{bf16 ? f32_to_bf16(value) : f32_to_f16(value)}; };
    return bits(at[0]) | bits(at[1]) << 16;
  };
  MmaOperands out;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t group = lane / 4, at = lane % 4 * 2;
    for (uint32_t i = 0; i < 4; ++i) out.a.push_back(pair(&a[group + i % 2 * 8][at + i / 2 * 8]));
    for (uint32_t i = 0; i < 2; ++i) out.b.push_back(pair(&b[group][at + i * 8]));
    for (uint32_t i = 0; i < 4; ++i) {
      float sum = 0;
      for (uint32_t k = 0; k < 16; ++k) sum += a[group + i / 2 * 8][k] * b[at + i % 2][k];
      out.products.push_back(sum);
    }
  }
  return out;
}

Result<Roof> measure_mma(const Bench& bench, bool bf16) {
  const std::string name = fmt::format("mma.sync, {} with float32 sums", bf16 ? "bf16" : "f16");
  const MmaOperands operands = mma_operands(bf16);
  GOS_TRY(const DeviceMemory memory, DeviceMemory::allocate(32 * 6 * sizeof(uint32_t)));
  bench.stream.copy_to_device(memory.data(), operands.a.data(), 32 * 4 * sizeof(uint32_t));
  bench.stream.copy_to_device(memory.data() + 32 * 4 * sizeof(uint32_t), operands.b.data(), 32 * 2 * sizeof(uint32_t));
  return best_grid(bench, {1, 2, 4}, [&](uint32_t num_blocks) -> Result<Roof> {
    const RoofMma args{memory.as<uint32_t>(),
                       memory.as<uint32_t>(32 * 4 * sizeof(uint32_t)),
                       bf16,
                       bench.options.mma_rounds,
                       num_blocks,
                       bench.sums.as<float>()};
    std::vector<float> out(size_t{num_blocks} * kRoofThreads * 4);
    bench.stream.fill(args.out, 0xff, out.size() * sizeof(float));
    GOS_TRY(const RunTimes times,
            time_runs(bench.stream, bench.options.num_runs, [&] { roof_mma(args, bench.stream.get()); }));
    bench.stream.copy_to_host(out.data(), args.out, out.size() * sizeof(float));
    GOS_TRY_STATUS(bench.stream.synchronize());
    const float instructions = static_cast<float>(args.rounds) * kRoofMmaSums;
    for (size_t i = 0; i < out.size(); ++i)
      if (out[i] != operands.products[i % (32 * 4)] * instructions)
        return make_error(ErrorCode::kIo, "\"{}\" computed {} where {} is right", name, out[i],
                          operands.products[i % (32 * 4)] * instructions);
    const double flops = static_cast<double>(kMmaFlops) * instructions * num_blocks * kWarpsOfBlock;
    return rate_of(name, "TFLOP/s", 1e12, flops, times, "");
  });
}

}  // namespace

Result<RunTimes> time_runs(const DeviceStream& stream, uint32_t num_runs, const std::function<void()>& work) {
  GOS_TRY(DeviceTimer timer, DeviceTimer::create());
  std::vector<double> all;
  for (uint32_t run = 0; run <= num_runs; ++run) {
    timer.start(stream);
    work();
    timer.stop(stream);
    GOS_TRY(const double us, timer.microseconds());
    if (run > 0) all.push_back(us);
  }
  std::sort(all.begin(), all.end());
  const double median = all[all.size() / 2];
  const double between = all[all.size() * 3 / 4] - all[all.size() / 4];
  return RunTimes{median, median > 0 ? between / median : 0};
}

Result<Roofs> measure_roofs(const RoofOptions& options, const std::function<void(const Roof&)>& told) {
  Roofs roofs;
  const auto add = [&](Result<Roof> roof) {
    if (!roof.ok()) return roofs.failures.push_back(roof.error().message);
    if (told) told(*roof);
    roofs.figures.push_back(std::move(*roof));
  };
  GOS_TRY(const Bench bench, prepare(options));
  add(measure_read(bench, RoofRead::kLoads, "read, loads of 16 bytes"));
  add(measure_read(bench, RoofRead::kAsync, "read, asynchronous copies of 16 bytes"));
  if (launches_overlap()) add(measure_read(bench, RoofRead::kBulk, "read, bulk copies of 24 KiB"));
  for (const bool bf16 : {false, true}) add(measure_mma(bench, bf16));
  add(measure_copy(bench));  // the last that uses the buffer: it is no longer what roof_fill() wrote
  if (Result<std::vector<Roof>> launches = measure_launches(options, bench.stream); launches.ok())
    for (Roof& roof : *launches) add(std::move(roof));
  else
    roofs.failures.push_back(launches.error().message);
  add(measure_exchange(options, bench.stream));
  return roofs;
}

}  // namespace gossamer::kernels::cuda
