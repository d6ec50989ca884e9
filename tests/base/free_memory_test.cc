#include "base/free_memory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace gossamer {
namespace {

/// A folder in which proc and sys say what a test wants.
class FreeMemory : public ::testing::Test {
 protected:
  FreeMemory() {
    std::filesystem::remove_all(root_);
    write("proc/meminfo", "MemTotal:       24000000 kB\nMemFree:         1000 kB\nMemAvailable:   16000000 kB\n");
  }
  ~FreeMemory() override { std::filesystem::remove_all(root_); }

  void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  uint64_t bytes() const { return free_memory_bytes(root_); }

  std::filesystem::path root_ = ::testing::TempDir() + "gossamer_free_memory";
};

TEST_F(FreeMemory, IsWhatTheSystemHas) {
  EXPECT_EQ(bytes(), 16'000'000ull * 1024);
  write("proc/self/cgroup", "0::/user.slice\n");
  write("sys/fs/cgroup/user.slice/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/memory.current", "123456\n");
  EXPECT_EQ(bytes(), 16'000'000ull * 1024) << "a group without a limit";
  EXPECT_GT(free_memory_bytes(), 0u) << "this machine";
}

TEST_F(FreeMemory, IsNotKnownWhereTheSystemDoesNotSay) {
  std::filesystem::remove_all(root_);
  EXPECT_EQ(bytes(), 0u);
}

TEST_F(FreeMemory, IsBoundedByTheLimitsOfAllGroupsAbove) {
  write("proc/self/cgroup", "0::/a.slice/b.service\n");
  write("sys/fs/cgroup/a.slice/memory.max", "9000000000\n");
  write("sys/fs/cgroup/a.slice/memory.current", "3000000000\n");
  EXPECT_EQ(bytes(), 6'000'000'000u);
  write("sys/fs/cgroup/a.slice/b.service/memory.max", "4000000000\n");
  write("sys/fs/cgroup/a.slice/b.service/memory.current", "1500000000\n");
  EXPECT_EQ(bytes(), 2'500'000'000u);
  write("sys/fs/cgroup/a.slice/b.service/memory.stat",
        "anon 100\nfile 7\nactive_file 200000000\ninactive_file 300000000\n");
  EXPECT_EQ(bytes(), 3'000'000'000u) << "pages of files can be dropped";
  write("sys/fs/cgroup/a.slice/b.service/memory.current", "5000000000\n");
  EXPECT_EQ(bytes(), 1u) << "nothing left, which is not the same as not known";
}

/// Inside a container the path of the group is often the host's, and the mount is the container's own.
TEST_F(FreeMemory, IsBoundedByTheLimitOfTheContainer) {
  write("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8000000000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000000\n");
  write("sys/fs/cgroup/memory/memory.stat",
        "active_file 1\ntotal_active_file 400000000\ntotal_inactive_file 500000000\n");
  EXPECT_EQ(bytes(), 7'900'000'000u);
  write("proc/self/cgroup", "0::/../outside\n");
  write("sys/fs/cgroup/memory.max", "2000000000\n");
  write("sys/fs/cgroup/memory.current", "500000000\n");
  EXPECT_EQ(bytes(), 1'500'000'000u);
}

}  // namespace
}  // namespace gossamer
