#include "cli/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/mmap_file.h"
#include "checkpoint/safetensors.h"

namespace gossamer::cli {
namespace {

class SafetensorsWriterTest : public ::testing::Test {
 protected:
  SafetensorsWriterTest() { std::filesystem::create_directories(folder_); }
  ~SafetensorsWriterTest() override { std::filesystem::remove_all(folder_); }
  const std::string folder_ = ::testing::TempDir() + "gossamer_writer_test";
  const std::string path_ = folder_ + "/out.safetensors";
};

TEST_F(SafetensorsWriterTest, OurOwnReaderReadsIt) {
  auto writer = SafetensorsWriter::create(path_, {{"a \"quoted\" name", {2, 3}}, {"empty", {0, 3}}, {"ü", {1}}});
  ASSERT_TRUE(writer.ok());
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7};
  writer->append(std::span(values).first(4));
  writer->append(std::span(values).subspan(4));
  ASSERT_TRUE(writer->finish().ok());

  const auto file = MmapFile::open(path_);
  ASSERT_TRUE(file.ok());
  const auto tensors = parse_safetensors(file->bytes(), path_);
  ASSERT_TRUE(tensors.ok()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 3u);
  std::vector<float> read;
  for (const SafetensorsTensor& tensor : *tensors) {
    EXPECT_EQ(tensor.dtype, "F32");
    EXPECT_EQ(tensor.begin % sizeof(float), 0u);
    const size_t old_size = read.size();
    read.resize(old_size + tensor.size_bytes / sizeof(float));
    if (tensor.size_bytes > 0)
      std::memcpy(read.data() + old_size, file->bytes().data() + tensor.begin, tensor.size_bytes);
    if (tensor.name == "a \"quoted\" name") {
      EXPECT_THAT(tensor.shape, ::testing::ElementsAre(2, 3));
    }
  }
  EXPECT_EQ(read, values);
}

TEST_F(SafetensorsWriterTest, AnUnfinishedFileLeavesNothing) {
  {
    auto writer = SafetensorsWriter::create(path_, {{"x", {1}}});
    ASSERT_TRUE(writer.ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(SafetensorsWriterTest, APlaceThatCannotBeWrittenIsAnError) {
  EXPECT_FALSE(SafetensorsWriter::create("/no/such/folder/x", {}).ok());
}

}  // namespace
}  // namespace gossamer::cli
