/// Weights in the backend's own order: private, or in a file that later loads map.

#include "engine/loaded_model.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <set>
#include <thread>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "model/packed_cache.h"
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

  std::unique_ptr<LoadedModel> load(bool keep, const ProgressFn& progress = {}) const {
    LoadOptions options = options_at(kernels::Precision::kExact);
    options.keep_packed = keep;
    auto loaded = LoadedModel::load(model_.path(), options, progress);
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

  /// A process of its own that loads the model and does `at_work` when a part of the copy is made, the rest not.
  template <class AtWork>
  pid_t begin_to_load(AtWork at_work) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    load(true, [&](std::string_view stage, uint64_t done, uint64_t total) {
      if (stage == "loading" && done < total) at_work();
    });
    ::_exit(0);
  }
  static bool was_killed(pid_t child) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status);
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
  EXPECT_EQ(files().size(), 1u) << "those of the model as it was made room";
}

TEST_F(KeptWeights, OfOtherModelsStay) {
  load(true);
  const testing::TempFolder other;
  fs::copy(model_.path(), other.path(), fs::copy_options::recursive);
  LoadOptions options = options_at(kernels::Precision::kExact);
  options.keep_packed = true;
  ASSERT_TRUE(LoadedModel::load(other.path(), options).ok());
  EXPECT_EQ(files().size(), 2u);
  ASSERT_TRUE(LoadedModel::load(other / "../" + fs::path(other.path()).filename().string(), options).ok());
  EXPECT_EQ(files().size(), 2u) << "it is the same model by another way";
}

TEST_F(KeptWeights, OfAnAbortedLoadTakeNoDisk) {
  ASSERT_TRUE(was_killed(begin_to_load([] { ::kill(::getpid(), SIGKILL); })));
  for (const fs::path& file : files()) EXPECT_EQ(fs::file_size(file), 0u) << file;
  const auto want = logits(*load(false));
  EXPECT_EQ(logits(*load(true)), want);
  EXPECT_EQ(files().size(), 1u);
}

/// Two that begin at once: the first is held up until the second waits for it.
TEST_F(KeptWeights, AreMadeOnce) {
  std::atomic<bool> begun = false, may_go_on = false;
  std::vector<float> of_first;
  std::thread first([&] {
    const auto loaded = load(true, [&](std::string_view stage, uint64_t, uint64_t) {
      if (stage != "loading") return;
      begun = true;
      begun.notify_all();
      may_go_on.wait(false);
    });
    of_first = logits(*loaded);
  });
  begun.wait(false);
  const auto let_the_first_go_on = [&] {
    may_go_on = true;
    may_go_on.notify_all();
  };
  bool waited = false;
  std::set<uint64_t> totals;
  const auto second = load(true, [&](std::string_view stage, uint64_t, uint64_t total) {
    if (stage.starts_with("another process makes")) {
      waited = true;
      let_the_first_go_on();
    } else if (stage == "loading") {
      totals.insert(total);
    }
  });
  let_the_first_go_on();
  first.join();
  EXPECT_TRUE(waited);
  EXPECT_EQ(totals, std::set<uint64_t>{1}) << "it read the one part of the file, and packed no layers";
  EXPECT_EQ(logits(*second), of_first);
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(KeptWeights, AreNotWaitedForWhenTheirMakerIsDead) {
  int begun[2];
  ASSERT_EQ(::pipe(begun), 0);
  const pid_t child = begin_to_load([&] {
    if (::write(begun[1], "x", 1) == 1) ::pause();
  });
  char byte;
  ASSERT_EQ(::read(begun[0], &byte, 1), 1);
  bool killed = false;
  const auto loaded = load(true, [&](std::string_view stage, uint64_t, uint64_t) {
    if (!stage.starts_with("another process makes") || killed) return;
    ::kill(child, SIGKILL);
    killed = was_killed(child);
  });
  EXPECT_TRUE(killed) << "nobody waited";
  if (!killed) ::kill(child, SIGKILL);
  EXPECT_EQ(logits(*loaded), logits(*load(false)));
  EXPECT_EQ(files().size(), 1u);
  ::close(begun[0]);
  ::close(begun[1]);
}

/// Where no sample is taken, and with the time of change set back.
TEST(SourceDigest, NoticesAWeightThatChangesInPlace) {
  const testing::TempFolder model;
  ModelConfig config = testing::tiny_config();
  config.vocab_size = 20000;  // so that most of the file is not read
  testing::write_hugging_face(model.path(), config, 1);
  const auto digest = [&] { return source_digest(Checkpoint::open(model.path()).value()); };
  const std::string before = digest();
  EXPECT_EQ(digest(), before);

  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the clock of some filesystems is coarse
  const std::string path = Checkpoint::open(model.path())->files().at(0).path();
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  const int fd = ::open(path.c_str(), O_RDWR);
  const off_t between_samples = info.st_size / 64 * 40 + info.st_size / 128;
  char byte;
  ASSERT_EQ(::pread(fd, &byte, 1, between_samples), 1);
  byte = static_cast<char>(byte ^ 1);
  ASSERT_EQ(::pwrite(fd, &byte, 1, between_samples), 1);
  const timespec times[] = {info.st_atim, info.st_mtim};
  ASSERT_EQ(::futimens(fd, times), 0);
  ::close(fd);
  EXPECT_NE(digest(), before);
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
