#include "cli/history_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace gossamer::cli {
namespace {

class HistoryFileTest : public ::testing::Test {
 protected:
  HistoryFileTest() { std::filesystem::remove_all(folder_); }
  ~HistoryFileTest() override { std::filesystem::remove_all(folder_); }
  const std::string folder_ = ::testing::TempDir() + "gossamer_history_test";
  const std::string path_ = folder_ + "/state/history";
};

TEST_F(HistoryFileTest, RemembersInOrderForTheUserAlone) {
  const HistoryFile file(path_);
  EXPECT_THAT(file.load(), ::testing::IsEmpty());
  file.append("first");
  file.append("second ✓");
  EXPECT_THAT(file.load(), ::testing::ElementsAre("first", "second ✓"));
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(HistoryFileTest, KeepsTheNewest) {
  const HistoryFile file(path_);
  for (size_t i = 0; i < HistoryFile::kKeptLines + 5; ++i) file.append(std::to_string(i));
  const auto lines = file.load();
  EXPECT_EQ(lines.size(), HistoryFile::kKeptLines);
  EXPECT_EQ(lines.front(), "5");
  EXPECT_EQ(lines.back(), std::to_string(HistoryFile::kKeptLines + 4));
}

TEST_F(HistoryFileTest, DoesWithoutAPlaceToWrite) {
  const HistoryFile file("/proc/no/such/place");
  file.append("lost");
  EXPECT_THAT(file.load(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace gossamer::cli
