/// What `gossamer gpu selftest` and `gossamer gpu roof` print and report, on the device there is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "cli/gpu_model_check.h"
#include "cli/gpu_roof.h"
#include "cli/gpu_selftest.h"

namespace gossamer::cli {
namespace {

using kernels::cuda::CheckOptions;
using ::testing::HasSubstr;

class GpuChecks : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto devices = kernels::cuda::list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
    out_ = open_memstream(&text_, &size_);
  }
  void TearDown() override {
    if (out_) std::fclose(out_);
    std::free(text_);
  }
  std::string printed() {
    std::fflush(out_);
    return {text_, size_};
  }

  std::FILE* out_ = nullptr;

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
};

/// Two layers, both kinds of files: as on the CPU, and the same bits in any company.
TEST_F(GpuChecks, ModelsAreThoseOfTheCpu) {
  const auto outcomes = check_models({1, true, ""}, {});
  EXPECT_EQ(outcomes.size(), 6u);
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome.passed) << outcome.name << ": " << outcome.detail;
    RecordProperty(outcome.name, outcome.detail);
    std::printf("%s: %s\n", outcome.name.c_str(), outcome.detail.c_str());
  }
}

TEST_F(GpuChecks, SelftestTellsEveryCheck) {
  const auto part = gpu_selftest({1, true, "embedding"}, out_);
  ASSERT_TRUE(part.ok()) << part.error().message;
  EXPECT_TRUE(part->ok);
  EXPECT_EQ(part->json.at("checks").to_number<int>(), 1);
  EXPECT_EQ(part->json.at("failed").to_number<int>(), 0);
  const json::object& result = part->json.at("results").as_array().at(0).as_object();
  EXPECT_EQ(result.at("name"), "embedding");
  EXPECT_TRUE(result.at("passed").as_bool());
  EXPECT_THAT(printed(), HasSubstr("embedding  "));
  EXPECT_THAT(printed(), HasSubstr("passed  "));
  EXPECT_THAT(printed(), HasSubstr("1 of 1 checks passed"));
}

/// A device that takes the process along leaves what was found until then.
TEST_F(GpuChecks, SelftestKeepsWhatItFoundAfterEachCheck) {
  std::vector<json::object> kept;
  const auto part = gpu_selftest({1, true, "products, "}, out_, [&](json::object so_far) { kept.push_back(so_far); });
  ASSERT_TRUE(part.ok()) << part.error().message;
  const json::array& results = part->json.at("results").as_array();
  ASSERT_GT(results.size(), 1u);
  ASSERT_EQ(kept.size(), results.size());
  for (size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].at("unfinished"), results[i].at("name"));
    EXPECT_EQ(kept[i].at("results").as_array().size(), i + 1);
  }
  EXPECT_FALSE(part->json.contains("unfinished"));
}

/// By warpgroups last: a kernel that waits for ever ends what follows.
TEST_F(GpuChecks, ModelsByWarpgroupsAreThoseOfTheCpu) {
  if (!kernels::cuda::has_warpgroups()) GTEST_SKIP() << "no warpgroups here";
  const auto outcomes = check_models({1, true, ""}, {}, DeviceSums::kHopper);
  ASSERT_EQ(outcomes.size(), 2u);
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome.passed) << outcome.name << ": " << outcome.detail;
    EXPECT_THAT(outcome.name, HasSubstr("by warpgroups, as on the CPU"));
  }
  const auto names = kernels::cuda::check_names();
  EXPECT_THAT(names.back(), HasSubstr("warpgroups"));
  EXPECT_THAT(names.front(), Not(HasSubstr("warpgroups")));
}

TEST_F(GpuChecks, SelftestWithoutAMatchNamesTheChecks) {
  const auto part = gpu_selftest({1, true, "no such check"}, out_);
  ASSERT_FALSE(part.ok());
  EXPECT_THAT(part.error().message, HasSubstr("no such check"));
  EXPECT_THAT(part.error().message, HasSubstr("attention, int8"));
}

TEST_F(GpuChecks, RoofsHaveTheNumbersThatOthersTakeSharesOf) {
  kernels::cuda::RoofOptions options;
  options.device = kernels::cuda::device_in_use().value();
  options.buffer_bytes = 1 << 20;
  options.num_runs = 2;
  options.mma_rounds = 2;
  options.num_launches = 3;
  const auto part = gpu_roof(options, out_);
  ASSERT_TRUE(part.ok()) << part.error().message;
  EXPECT_TRUE(part->ok);
  for (const char* key :
       {"read_gb_per_s", "copy_gb_per_s", "f16_mma_tflop_per_s", "bf16_mma_tflop_per_s", "launch_us"}) {
    ASSERT_TRUE(part->json.contains(key)) << key;
    EXPECT_GT(part->json.at(key).to_number<double>(), 0) << key;
  }
  double best = 0;
  for (const json::value& roof : part->json.at("roofs").as_array()) {
    const std::string name(roof.at("name").as_string());
    EXPECT_THAT(printed(), HasSubstr(name));
    if (name.starts_with("read")) best = std::max(best, roof.at("value").to_number<double>());
  }
  EXPECT_EQ(part->json.at("read_gb_per_s").to_number<double>(), best);
}

}  // namespace
}  // namespace gossamer::cli
