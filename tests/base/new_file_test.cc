#include "base/new_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/mmap_file.h"

namespace gossamer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf, ::testing::Contains, ::testing::ElementsAre, ::testing::HasSubstr, ::testing::Ne,
    ::testing::StartsWith;
using Until = NewFile::Until;

class NewFileTest : public ::testing::Test {
 protected:
  ~NewFileTest() override { fs::remove_all(folder_); }
  size_t num_files() const {
    return fs::exists(folder_) ? static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})) : 0;
  }
  /// In a process of its own, which is killed before the file is whole.
  void begin_and_be_killed(Until until_committed) const {
    const pid_t child = ::fork();
    if (child == 0) {
      auto file = NewFile::create(path_, 5, until_committed);
      if (file.ok()) std::memcpy(file->data(), "hel", 3);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  /// What stands beside `path_` and it itself.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(fs::path(path_).parent_path()))
      found.push_back(entry.path().filename());
    return found;
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

TEST_F(NewFileTest, HasNoNameBeforeItIsWholeWhereThatCanBe) {
  {
    const auto file = NewFile::create(path_, 5);
  }
  const int nameless = ::open(fs::path(path_).parent_path().c_str(), O_TMPFILE | O_RDWR, 0600);
  const size_t expected_names = nameless < 0 ? 1 : 0;
  if (nameless >= 0) ::close(nameless);
  {
    const auto file = NewFile::create(path_, 5);
    EXPECT_EQ(names().size(), expected_names);
  }
  begin_and_be_killed(Until::kNamelessIfPossible);
  EXPECT_EQ(names().size(), expected_names);
}

TEST_F(NewFileTest, OfATemporaryNameIsTheSame) {
  for (const char* text : {"hello", "again"}) {
    auto file = NewFile::create(path_, 5, Until::kNamed);
    ASSERT_TRUE(file.ok()) << file.error().message;
    std::memcpy(file->data(), text, 5);
    EXPECT_THAT(names(), Contains(StartsWith("er.new-")));
    ASSERT_TRUE(file->commit().ok());
    EXPECT_THAT(names(), ElementsAre("er"));
    EXPECT_EQ(read_file(path_, 100).value(), text);
  }
}

TEST_F(NewFileTest, TakesAwayWhatTheDeadHaveLeftAndNothingElse) {
  begin_and_be_killed(Until::kNamed);
  ASSERT_THAT(names(), ElementsAre(StartsWith("er.new-")));
  const std::string abandoned = names().at(0);
  auto living = NewFile::create(path_, 5, Until::kNamed);
  EXPECT_THAT(names(), ElementsAre(AllOf(StartsWith("er.new-"), Ne(abandoned))));
  std::memcpy(living->data(), "hello", 5);
  {
    const auto other = NewFile::create(path_, 5, Until::kNamed);
    EXPECT_EQ(names().size(), 2u);
  }
  ASSERT_TRUE(living->commit().ok());
  EXPECT_EQ(read_file(path_, 100).value(), "hello");
  EXPECT_THAT(names(), ElementsAre("er"));
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
