#include "base/new_file.h"

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>

#include "base/mmap_file.h"

namespace gossamer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class NewFileTest : public ::testing::Test {
 protected:
  ~NewFileTest() override { fs::remove_all(folder_); }
  size_t num_files() const {
    return fs::exists(folder_) ? static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})) : 0;
  }
  const std::string folder_ = ::testing::TempDir() + "gossamer_new_file", path_ = folder_ + "/deep/er";
};

TEST_F(NewFileTest, AppearsWhenItIsCommitted) {
  auto file = NewFile::create(path_, 5);
  ASSERT_TRUE(file.ok()) << file.error().message;
  std::memcpy(file->data(), "hello", 5);
  EXPECT_FALSE(fs::exists(path_));
  const auto mapping = file->mapping();
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(read_file(path_, 100).value(), "hello");
  file = NewFile::create(path_, 3);  // the mapping of the first outlives it, and the second takes its place
  std::memcpy(file->data(), "new", 3);
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(read_file(path_, 100).value(), "new");
  EXPECT_EQ(std::memcmp(mapping.get(), "hello", 5), 0);
}

TEST_F(NewFileTest, LeavesNothingWhereItIsNot) {
  {
    auto file = NewFile::create(folder_ + "/file", 5);
  }
  EXPECT_EQ(num_files(), 0u);
}

TEST_F(NewFileTest, SaysWhyItCannotBe) {
  const auto too_large = NewFile::create(folder_ + "/file", 1ull << 60);
  ASSERT_FALSE(too_large.ok());
  EXPECT_THAT(too_large.error().message, HasSubstr("needs 1152921504.61 GB of disk"));
  EXPECT_THAT(too_large.error().message, HasSubstr("GB are free there"));
  const auto in_a_file = NewFile::create("/proc/version/file", 5);
  ASSERT_FALSE(in_a_file.ok());
  EXPECT_THAT(in_a_file.error().message, HasSubstr("cannot write /proc/version/file"));
  EXPECT_EQ(num_files(), 0u);
}

}  // namespace
}  // namespace gossamer
