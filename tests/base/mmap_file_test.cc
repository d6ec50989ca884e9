#include "base/mmap_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace gossamer {
namespace {

std::string temporary(const char* name) {
  return ::testing::TempDir() + name;
}

TEST(MmapFile, MapsWhatWasWrittenAndCopiesShareIt) {
  const std::string path = temporary("gossamer_mmap_file");
  std::ofstream(path) << "hello";
  MmapFile copy;
  {
    auto file = MmapFile::open(path);
    ASSERT_TRUE(file.ok()) << file.error().message;
    copy = *file;
  }
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(copy.bytes().data()), copy.size_bytes()), "hello");
  EXPECT_EQ(read_file(path, 5).value(), "hello");
  EXPECT_NE(read_file(path, 4).error().message.find("5 bytes, more than the 4"), std::string::npos);
  std::filesystem::remove(path);
}

TEST(MmapFile, EmptyFilesMapToNothing) {
  const std::string path = temporary("gossamer_empty_file");
  std::ofstream(path).flush();
  EXPECT_EQ(MmapFile::open(path)->size_bytes(), 0u);
  std::filesystem::remove(path);
}

TEST(MmapFile, WhatIsNoFileIsAnError) {
  const auto missing = MmapFile::open("/nonexistent/model.gguf");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("/nonexistent/model.gguf"), std::string::npos);
  EXPECT_NE(MmapFile::open(::testing::TempDir()).error().message.find("not a regular file"), std::string::npos);
}

}  // namespace
}  // namespace gossamer
