/// An engine whose model computes on a device: what it takes of the device's memory, and that it takes it at the start.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "engine/event_queue.h"
#include "kernels/cuda/runtime.h"
#include "model/device_forward.h"
#include "support/golden_file.h"

namespace gossamer::testing {
namespace {

using kernels::cuda::DeviceMemory;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kMb = 1'000'000;

class DeviceEngineMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
    const auto devices = kernels::cuda::list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
    ASSERT_TRUE(kernels::cuda::use_device(devices->front().index).ok());
    LoadOptions options;
    options.num_threads = 2;
    options.need_tokenizer = false;
    options.pack_weights = false;  // the device takes them as they are in the file
    auto loaded = LoadedModel::load(oracle_folder() + "/models/t64", options);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    loaded_ = std::move(*loaded);
    most_bytes_ = DeviceMemory::bytes_in_use() + 120 * kMb;
    auto device =
        DeviceForward::make(loaded_->model->config(), loaded_->model->weights(), loaded_->model->rope_params(),
                            *loaded_->threads, {}, {.most_bytes = most_bytes_});
    ASSERT_TRUE(device.ok()) << device.error().message;
    loaded_->model->compute_on(std::move(*device));
    options_.limits.max_rows = 4;
    options_.limits.max_step_tokens = 32;
    options_.limits.max_sequence_tokens = 600;
  }

  EngineOptions options_;
  std::unique_ptr<LoadedModel> loaded_;
  uint64_t most_bytes_ = 0;
};

TEST_F(DeviceEngineMemory, TakesItsBudgetAtTheStartAndNothingLater) {
  auto engine = Engine::start(*loaded_, options_);
  ASSERT_TRUE(engine.ok()) << engine.error().message;
  EXPECT_LE(DeviceMemory::bytes_in_use(), most_bytes_);
  EXPECT_GT(DeviceMemory::bytes_in_use(), most_bytes_ - 20 * kMb);
  EXPECT_GT((*engine)->kv_bytes(), 50 * kMb);
  // 4 buckets of tokens by one, two and eight chunks of attention.
  EXPECT_THAT((*engine)->capacity(), AllOf(HasSubstr("beside it on the GPU"), HasSubstr("GB for 12 graphs"),
                                           HasSubstr("0.12 GB may be used")));
  const auto answer = [&](uint32_t count) {
    EventQueue events;
    for (uint32_t i = 0; i < count; ++i) {
      EngineRequest request;
      request.prompt = {1 + i};  // one token: every step is one of answers
      request.max_tokens = 6;
      ASSERT_TRUE((*engine)->submit(request, events.sink()).ok());
    }
    for (uint32_t ends = 0; ends < count;) {
      const EngineEvent event = events.next();
      if (event.kind != EngineEvent::Kind::kEnd) continue;
      EXPECT_EQ(event.finish, FinishReason::kLength) << event.error;
      ++ends;
    }
  };
  answer(4);  // the head's memory is as large as a step wanted it
  const uint64_t allocations = DeviceMemory::num_allocations();
  answer(1);
  answer(3);
  EXPECT_EQ(DeviceMemory::num_allocations(), allocations);
  EXPECT_THAT((*engine)->capacity(), HasSubstr("GB for 12 graphs")) << "all were there";
}

TEST_F(DeviceEngineMemory, RefusesACacheThatDoesNotFitWithBothSizes) {
  options_.kv_bytes = 500 * kMb;
  const auto engine = Engine::start(*loaded_, options_);
  ASSERT_FALSE(engine.ok());
  EXPECT_THAT(engine.error().message,
              AllOf(HasSubstr("a KV cache of 0.50 GB does not fit on the GPU"), HasSubstr("GB are left for it beside"),
                    HasSubstr("--gpu-memory-utilization"), HasSubstr("--kv-memory")));
}

}  // namespace
}  // namespace gossamer::testing
