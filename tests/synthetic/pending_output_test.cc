#include "synthetic/pending_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"

namespace gossamer::synthetic {
namespace {

using gossamer::testing::TempFolder;
using gossamer::testing::write_file;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// The sentence with which `path` is refused; empty where it is taken.
std::string refusal(const std::string& path, OutputKind kind, bool force) {
  const auto output = PendingOutput::create(path, kind, force);
  return output.ok() ? "" : output.error().message;
}

TEST(PendingOutput, AFileGetsItsNameWhenItIsComplete) {
  const TempFolder folder;
  auto output = PendingOutput::create(folder / "m.gguf", OutputKind::kFile, false);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->part_path(), folder / "m.gguf.part");
  write_file(output->part_path(), "new");
  EXPECT_FALSE(fs::exists(folder / "m.gguf"));
  ASSERT_TRUE(output->publish().ok());
  EXPECT_EQ(fs::file_size(folder / "m.gguf"), 3u);
  EXPECT_FALSE(fs::exists(folder / "m.gguf.part"));
}

TEST(PendingOutput, WhatIsGivenUpLeavesNothing) {
  const TempFolder folder;
  {
    auto file = PendingOutput::create(folder / "m.gguf", OutputKind::kFile, false);
    auto model = PendingOutput::create(folder / "m", OutputKind::kFolder, false);
    ASSERT_TRUE(file.ok() && model.ok());
    write_file(file->part_path(), "x");
    write_file(model->part_path() + "/config.json", "{}");
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PendingOutput, WhatIsThereIsReplacedOnlyWhereThatIsWished) {
  const TempFolder folder;
  write_file(folder / "m.gguf", "old");
  EXPECT_THAT(refusal(folder / "m.gguf", OutputKind::kFile, false), HasSubstr("--force"));
  auto file = PendingOutput::create(folder / "m.gguf", OutputKind::kFile, true);
  ASSERT_TRUE(file.ok());
  write_file(file->part_path(), "newer");
  ASSERT_TRUE(file->publish().ok());
  EXPECT_EQ(fs::file_size(folder / "m.gguf"), 5u);

  fs::create_directory(folder / "m");
  write_file(folder / "m/config.json", "{}");
  write_file(folder / "m/model-00000-of-00001.safetensors", "");
  EXPECT_THAT(refusal(folder / "m", OutputKind::kFolder, false), HasSubstr("--force"));
  auto model = PendingOutput::create(folder / "m", OutputKind::kFolder, true);
  ASSERT_TRUE(model.ok());
  write_file(model->part_path() + "/tokenizer.json", "{}");
  ASSERT_TRUE(model->publish().ok());
  EXPECT_TRUE(fs::exists(folder / "m/tokenizer.json"));
  EXPECT_FALSE(fs::exists(folder / "m/config.json"));
}

TEST(PendingOutput, WhatIsNoModelIsNeverReplaced) {
  const TempFolder folder;
  fs::create_directories(folder / "home/config.json");
  fs::create_directory(folder / "thesis");
  write_file(folder / "thesis/chapter1.tex", "");
  write_file(folder / "file", "");
  EXPECT_THAT(refusal(folder / "thesis", OutputKind::kFolder, true), HasSubstr("chapter1.tex"));
  EXPECT_THAT(refusal(folder / "home", OutputKind::kFolder, true), HasSubstr("config.json"));
  EXPECT_THAT(refusal(folder / "file", OutputKind::kFolder, true), HasSubstr("is a file"));
  EXPECT_THAT(refusal(folder / "thesis", OutputKind::kFile, true), HasSubstr("is a folder"));
  EXPECT_THAT(refusal("/dev/null", OutputKind::kFile, true), HasSubstr("no ordinary file"));
  fs::create_directory(folder / "m.part");
  write_file(folder / "m.part/chapter2.tex", "");
  EXPECT_THAT(refusal(folder / "m", OutputKind::kFolder, true), HasSubstr("chapter2.tex"));
  EXPECT_TRUE(fs::exists(folder / "m.part/chapter2.tex"));
}

TEST(PendingOutput, WhatAnEarlierRunLeftIsRemoved) {
  const TempFolder folder;
  write_file(folder / "m.gguf.part", "half a model");
  fs::create_directory(folder / "m.part");
  write_file(folder / "m.part/model.safetensors", "half a model");
  fs::create_directory(folder / "m");  // empty: may be filled
  EXPECT_EQ(refusal(folder / "m.gguf", OutputKind::kFile, false), "");
  EXPECT_EQ(refusal(folder / "m", OutputKind::kFolder, false), "");
  EXPECT_FALSE(fs::exists(folder / "m.gguf.part"));
  EXPECT_FALSE(fs::exists(folder / "m.part"));
}

TEST(PendingOutput, AFolderThatIsNotThereIsNamed) {
  EXPECT_THAT(refusal("/no/such/m.gguf", OutputKind::kFile, false), HasSubstr("/no/such"));
}

TEST(FreeSpace, BothValuesAreSaid) {
  EXPECT_TRUE(check_free_space("m.gguf", 100, 100).ok());
  const Status status = check_free_space("m.gguf", 12'100'000'000, 5'200'000'000);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message,
            "m.gguf needs 12.1 GB, but 5.2 GB are free on its disk: make room, or write it to another disk");
  EXPECT_GT(free_space_bytes("m.gguf"), 0u);
}

}  // namespace
}  // namespace gossamer::synthetic
