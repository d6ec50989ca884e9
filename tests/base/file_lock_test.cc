#include "base/file_lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

namespace gossamer {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class FileLockTest : public ::testing::Test {
 protected:
  ~FileLockTest() override { fs::remove_all(folder_); }
  const std::string folder_ = ::testing::TempDir() + "gossamer_file_lock", path_ = folder_ + "/deep/lock";
};

void nothing(seconds) {}

TEST_F(FileLockTest, OneHasItAtATime) {
  std::atomic<int> holders = 0, taken = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&] {
      for (int time = 0; time < 3; ++time) {
        const auto lock = FileLock::take(path_, nothing);
        ASSERT_TRUE(lock.ok()) << lock.error().message;
        EXPECT_EQ(++holders, 1);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        --holders;
        ++taken;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 9);
  EXPECT_FALSE(fs::exists(path_)) << "the file is there only while somebody holds it";
}

TEST_F(FileLockTest, WhoWaitsHearsOfIt) {
  auto first = std::make_unique<FileLock>(FileLock::take(path_, nothing).value());
  int told = 0;
  const auto second = FileLock::take(path_, [&](seconds waited) {
    EXPECT_LT(waited, seconds(60));
    if (++told == 2) first.reset();
  });
  EXPECT_TRUE(second.ok());
  EXPECT_EQ(told, 2);
}

TEST_F(FileLockTest, TheDeadHoldNothing) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FileLock::take(path_, nothing);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(fs::exists(path_)) << "the child had it";
  {
    const auto lock = FileLock::take(path_, [](seconds) { ADD_FAILURE() << "waits for the dead"; });
    EXPECT_TRUE(lock.ok());
  }
  EXPECT_FALSE(fs::exists(path_));
}

/// Who opened the file before its last holder removed it has locked what nobody else will find.
TEST_F(FileLockTest, AFileThatIsRemovedHasNoName) {
  fs::create_directories(folder_);
  const std::string path = folder_ + "/file";
  const int first = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  EXPECT_TRUE(is_name_of(path, first));
  fs::remove(path);
  EXPECT_FALSE(is_name_of(path, first));
  const int second = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  EXPECT_FALSE(is_name_of(path, first));
  EXPECT_TRUE(is_name_of(path, second));
  EXPECT_FALSE(is_locked_elsewhere(first));
  EXPECT_FALSE(is_locked_elsewhere(second)) << "they are two files";
  ::close(first);
  ::close(second);
}

TEST_F(FileLockTest, SaysWhyItCannotBeTaken) {
  const auto lock = FileLock::take("/proc/version/lock", nothing);
  ASSERT_FALSE(lock.ok());
  EXPECT_THAT(lock.error().message, ::testing::HasSubstr("cannot write /proc/version/lock"));
}

}  // namespace
}  // namespace gossamer
