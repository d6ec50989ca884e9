/// What a layer waits for whose experts the host computes, if it computed them in no time: a graph is started, its
/// kernels read an answer of the host's and write the next question, and the host sees that.

#include <algorithm>

#include "kernels/cuda/roof.h"
#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {
namespace {

// One token of gpt-oss with all of its experts on the host.
constexpr uint32_t kWidth = 2880, kActive = 4;

/// Memory on both sides. Every exchange adds one to every number of the residual row: four rows of ones, a quarter of
/// each.
class Exchange {
 public:
  static Result<Exchange> make(const DeviceStream& stream) {
    Exchange made;
    GOS_TRY(made.device_, DeviceMemory::allocate(made.cut_device(nullptr)));
    GOS_TRY(made.questions_, PinnedMemory::allocate(made.cut_questions(nullptr)));
    GOS_TRY(made.answers_, PinnedMemory::allocate(made.cut_answers(nullptr)));
    made.cut_device(made.device_.data());
    made.cut_questions(made.questions_.data());
    made.cut_answers(made.answers_.data());
    std::fill_n(made.rows_, kActive * kWidth, 1.f);
    *made.first_place_ = 0;
    const uint32_t places[kActive] = {0, 1, 2, 3};
    const float quarters[kActive] = {0.25f, 0.25f, 0.25f, 0.25f};
    stream.fill(made.device_.data(), 0, made.device_.size_bytes());
    stream.copy_to_device(made.places_, places, sizeof places);
    stream.copy_to_device(made.weights_, quarters, sizeof quarters);
    GOS_TRY_STATUS(stream.synchronize());
    GOS_TRY(made.graph_, DeviceGraph::record(stream, [&] {
              combine_with_host({made.contracted_, made.places_, made.weights_, 1, kActive, kWidth, made.residual_},
                                {made.rows_, made.first_place_}, stream.get());
              tell_host({made.normed_, made.places_, 1, kWidth, kActive, made.told_normed_, made.choices_, made.flag_},
                        stream.get());
            }));
    return Result<Exchange>(std::move(made));
  }

  Status run(const DeviceStream& stream) const {
    lower_flag(flag_);
    graph_.launch(stream);
    return wait_for_flag(flag_, stream);
  }

  /// Errors: an answer was not read.
  Status check(const DeviceStream& stream, uint32_t num_exchanges) const {
    std::vector<float> sums(kWidth);
    stream.copy_to_host(sums.data(), residual_, kWidth * sizeof(float));
    GOS_TRY_STATUS(stream.synchronize());
    for (const float sum : sums)
      if (sum != static_cast<float>(num_exchanges))
        return make_error(ErrorCode::kIo, "{} exchanges with the host added up to {}", num_exchanges, sum);
    return {};
  }

 private:
  uint64_t cut_device(std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(contracted_, kActive * kWidth);
    cutter.cut(places_, kActive);
    cutter.cut(weights_, kActive);
    cutter.cut(residual_, kWidth);
    cutter.cut(normed_, kWidth);
    return cutter.used();
  }
  uint64_t cut_questions(std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(told_normed_, kWidth);
    cutter.cut(choices_, kActive);
    cutter.cut(flag_, 1);
    return cutter.used();
  }
  uint64_t cut_answers(std::byte* memory) {
    DeviceCutter cutter(memory);
    cutter.cut(rows_, kActive * kWidth);
    cutter.cut(first_place_, 1);
    return cutter.used();
  }

  DeviceMemory device_;
  PinnedMemory questions_, answers_;
  DeviceGraph graph_;
  float *contracted_ = nullptr, *weights_ = nullptr, *residual_ = nullptr, *rows_ = nullptr;
  uint16_t *normed_ = nullptr, *told_normed_ = nullptr;
  uint32_t *places_ = nullptr, *choices_ = nullptr, *flag_ = nullptr, *first_place_ = nullptr;
};

}  // namespace

Result<Roof> measure_exchange(const RoofOptions& options, const DeviceStream& stream) {
  GOS_TRY(const Exchange exchange, Exchange::make(stream));
  const uint32_t num_exchanges = std::max(options.num_launches / 10, 1u);
  Status failed;
  GOS_TRY(const RunTimes times, time_runs(stream, options.num_runs, [&] {
            for (uint32_t i = 0; i < num_exchanges && failed.ok(); ++i) failed = exchange.run(stream);
          }));
  GOS_TRY_STATUS(std::move(failed));
  GOS_TRY_STATUS(exchange.check(stream, (options.num_runs + 1) * num_exchanges));
  return Roof{"exchange with the host, in a graph",
              times.median_us / num_exchanges,
              "us",
              times.spread,
              static_cast<double>(num_exchanges),
              times.median_us,
              ""};
}

}  // namespace gossamer::kernels::cuda
