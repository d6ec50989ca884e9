/// Weights in the backend's own order: private, or in a file that later loads map.

#include "engine/loaded_model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "model/solo_sequence.h"

namespace gossamer {
namespace {

namespace fs = std::filesystem;

class KeptWeights : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("GOSSAMER_HOME", home_.path().c_str(), 1);
    write_model(1);
    if (load(false)->model->packed_bytes() == 0) GTEST_SKIP() << "this machine's backend reads the file's own order";
  }
  void TearDown() override { unsetenv("GOSSAMER_HOME"); }

  static LoadOptions options_at(kernels::Precision precision) {
    LoadOptions options;
    options.num_threads = 2;
    options.need_tokenizer = false;
    options.precision = precision;
    return options;
  }
  void write_model(uint32_t seed) { testing::write_hugging_face(model_.path(), testing::tiny_config(), seed); }

  std::unique_ptr<LoadedModel> load(bool keep) {
    LoadOptions options = options_at(kernels::Precision::kExact);
    options.keep_packed = keep;
    auto loaded = LoadedModel::load(model_.path(), options);
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    return std::move(loaded).value();
  }

  static std::vector<float> logits(LoadedModel& loaded) {
    SoloSequence sequence = SoloSequence::make(*loaded.model, kernels::KvDtype::kF32, 8).value();
    Batch batch{{1, 2, 3, 4, 5}, {sequence.next_row(5)}};
    batch.rows[0].logit_offsets = {4};
    const auto result = loaded.model->forward(batch).value();
    return {result.begin(), result.end()};
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    if (fs::exists(home_ / "packed"))
      for (const auto& entry : fs::directory_iterator(home_ / "packed")) found.push_back(entry.path());
    return found;
  }

  testing::TempFolder home_, model_;
};

TEST_F(KeptWeights, GiveTheSameBitsAsPrivateOnes) {
  const auto want = logits(*load(false));
  EXPECT_TRUE(files().empty()) << "nobody asked for a file";
  EXPECT_EQ(logits(*load(true)), want) << "while it is made";
  ASSERT_EQ(files().size(), 1u);
  const auto written = fs::last_write_time(files()[0]);
  EXPECT_EQ(logits(*load(true)), want) << "from the file";
  EXPECT_EQ(fs::last_write_time(files()[0]), written) << "it was taken as it is";
}

TEST_F(KeptWeights, AreMadeAgainWhereABitIsNotWhatItWas) {
  const auto want = logits(*load(true));
  const fs::path file = files().at(0);
  const uint64_t size = fs::file_size(file);
  for (const uint64_t offset : {uint64_t{30}, uint64_t{4096}, size / 2, size - 1}) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const char changed = static_cast<char>(stream.get() ^ 1);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(changed);
    stream.close();
    EXPECT_EQ(logits(*load(true)), want) << "byte " << offset;
  }
  fs::resize_file(file, size / 2);
  EXPECT_EQ(logits(*load(true)), want) << "cut short";
  EXPECT_EQ(fs::file_size(file), size);
}

TEST_F(KeptWeights, AreThoseOfTheModelThatIsThereNow) {
  const auto before = logits(*load(true));
  write_model(2);
  const auto after = logits(*load(true));
  EXPECT_NE(before, after);
  EXPECT_EQ(after, logits(*load(false)));
  EXPECT_EQ(files().size(), 2u);
}

/// The tiny model's dense matrices are BF16.
TEST_F(KeptWeights, OfDenseMatricesInInt8AreOthers) {
  LoadOptions options = options_at(kernels::Precision::kExact);
  options.dense_dtype = DenseDtype::kInt8;
  auto in_int8 = LoadedModel::load(model_.path(), options);
  ASSERT_TRUE(in_int8.ok()) << in_int8.error().message;
  const auto want = logits(**in_int8), stored = logits(*load(true));
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) worst = std::max<double>(worst, std::fabs(want[i] - stored[i]));
  EXPECT_GT(worst, 0);
  EXPECT_LT(worst, 0.5);
  options.keep_packed = true;
  for (int time = 0; time < 2; ++time) EXPECT_EQ(logits(**LoadedModel::load(model_.path(), options)), want);
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(KeptWeights, WhatCannotBeInt8IsSaid) {
  LoadOptions options = options_at(kernels::Precision::kF32);
  options.dense_dtype = DenseDtype::kInt8;
  EXPECT_THAT(LoadedModel::load(model_.path(), options).error().message, ::testing::HasSubstr("computes in f32"));
  options.precision = kernels::Precision::kExact;
  options.pack_weights = false;
  EXPECT_THAT(LoadedModel::load(model_.path(), options).error().message, ::testing::HasSubstr("--no-repack"));
}

TEST_F(KeptWeights, NeedAFolder) {
  setenv("GOSSAMER_HOME", "/proc/version", 1);
  LoadOptions options = options_at(kernels::Precision::kExact);
  options.keep_packed = true;
  const auto loaded = LoadedModel::load(model_.path(), options);
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message, ::testing::HasSubstr("cannot write /proc/version/packed"));
}

}  // namespace
}  // namespace gossamer
