/// The published models in full size, with holes for weights: names, shapes, sizes and the facts that people know.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstdlib>

#include "checkpoint/checkpoint.h"
#include "checkpoint/model_facts.h"
#include "checkpoint/summary.h"
#include "checkpoint/temp_folder.h"

namespace gossamer::testing {
namespace {

struct Published {
  const char* model;
  uint64_t parameters, active_parameters;  // the model card: 20.91 and 3.61, 116.83 and 5.13 thousand millions
  uint64_t safetensors_bytes;              // "total_size" of the published index
  uint64_t safetensors_tensors, gguf_tensors;
};

void PrintTo(const Published& published, std::ostream* out) {
  *out << published.model;
}

class SparseTest : public ::testing::TestWithParam<Published> {
 protected:
  /// Runs the tool; false where this machine cannot (no python3, no sparse files).
  bool make(const std::string& out, const std::string& form, int parts = 1) {
    const std::string command =
        fmt::format("python3 '{}/tools/sparse_checkpoint.py' '{}' --model {} --form {} --parts {} 2>/dev/null",
                    GOSSAMER_SOURCE_DIR, out, GetParam().model, form, parts);
    const int status = std::system(command.c_str());
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  void expect_published(const std::string& path, CheckpointFormat format) {
    const auto checkpoint = Checkpoint::open(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    const ModelFacts facts = compute_facts(*checkpoint);
    EXPECT_EQ(checkpoint->format(), format);
    EXPECT_EQ(facts.total_parameters, GetParam().parameters);
    EXPECT_EQ(facts.active_parameters, GetParam().active_parameters);
    if (format != CheckpointFormat::kGguf) {
      EXPECT_EQ(facts.weight_bytes, GetParam().safetensors_bytes);
    }
    const bool small = std::string(GetParam().model) == "20b";
    EXPECT_NE(show_text(*checkpoint).find(small ? "20.9 B total, 3.6 B active" : "116.8 B total, 5.1 B active"),
              std::string::npos);
    const auto tokenizer = checkpoint->load_tokenizer();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    EXPECT_EQ((*tokenizer)->head_rows(), 201088u);
  }

  TempFolder folder_;
};

TEST_P(SparseTest, SafetensorsOpen) {
  if (!make(folder_ / "m", "safetensors")) GTEST_SKIP() << "needs python3 and a file system with sparse files";
  expect_published(folder_ / "m", CheckpointFormat::kHuggingFace);
  EXPECT_EQ(Checkpoint::open(folder_ / "m")->stored_tensors().size(), GetParam().safetensors_tensors);
}

TEST_P(SparseTest, OriginalOpens) {
  if (!make(folder_ / "m", "original")) GTEST_SKIP() << "needs python3 and a file system with sparse files";
  expect_published(folder_ / "m", CheckpointFormat::kOriginal);
}

TEST_P(SparseTest, GgufOpens) {
  if (!make(folder_ / "m.gguf", "gguf")) GTEST_SKIP() << "needs python3 and a file system with sparse files";
  expect_published(folder_ / "m.gguf", CheckpointFormat::kGguf);
  EXPECT_EQ(Checkpoint::open(folder_ / "m.gguf")->stored_tensors().size(), GetParam().gguf_tensors);
}

TEST_P(SparseTest, SplitGgufOpens) {
  if (!make(folder_ / "m.gguf", "gguf", 3)) GTEST_SKIP() << "needs python3 and a file system with sparse files";
  expect_published(folder_ / "m-00001-of-00003.gguf", CheckpointFormat::kGguf);
}

TEST_P(SparseTest, OpeningReadsHeadersOnly) {
  if (!make(folder_ / "m.gguf", "gguf")) GTEST_SKIP() << "needs python3 and a file system with sparse files";
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  ASSERT_TRUE(Checkpoint::open(folder_ / "m.gguf").ok());
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt, 2000);  // pages of 4 KB
}

std::string model_name(const ::testing::TestParamInfo<Published>& info) {
  return std::string("Of") + info.param.model;
}

INSTANTIATE_TEST_SUITE_P(Models, SparseTest,
                         ::testing::Values(Published{"20b", 20914757184, 3608307264, 13761264768, 459, 459},
                                           Published{"120b", 116829156672, 5132849472, 65248815744, 687, 687}),
                         model_name);

}  // namespace
}  // namespace gossamer::testing
