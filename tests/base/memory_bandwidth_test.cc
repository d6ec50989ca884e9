#include "base/memory_bandwidth.h"

#include <gtest/gtest.h>

#include <fstream>

namespace gossamer {
namespace {

constexpr uint64_t kMiB = 1ull << 20;

TEST(BandwidthTest, TakesHalfOfWhatIsFreeAtMost) {
  EXPECT_EQ(bandwidth_test_bytes(64'000 * kMiB), 2048 * kMiB);
  EXPECT_EQ(bandwidth_test_bytes(4096 * kMiB), 2048 * kMiB);
  EXPECT_EQ(bandwidth_test_bytes(1000 * kMiB), 500 * kMiB);
}

TEST(BandwidthTest, IsLeftOutWhereLittleIsFree) {
  EXPECT_EQ(bandwidth_test_bytes(300 * kMiB), 0u);
  EXPECT_EQ(bandwidth_test_bytes(0), 0u) << "the system does not say";
  ThreadPool threads(2);
  EXPECT_EQ(read_bandwidth(threads, 0, 3), 0);
  EXPECT_GT(read_bandwidth(threads, kMiB, 1), 0);
}

/// A folder in which sys describes processors.
class LastCaches : public ::testing::Test {
 protected:
  LastCaches() { std::filesystem::remove_all(root_); }
  ~LastCaches() override { std::filesystem::remove_all(root_); }

  void write(int cpu, int index, int level, const std::string& type, const std::string& size, const std::string& cpus) {
    const std::filesystem::path folder =
        root_ / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu)) / "cache" / ("index" + std::to_string(index));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "level") << level << "\n";
    std::ofstream(folder / "type") << type << "\n";
    std::ofstream(folder / "size") << size << "\n";
    std::ofstream(folder / "shared_cpu_list") << cpus << "\n";
  }

  std::filesystem::path root_ = ::testing::TempDir() + "gossamer_last_caches";
};

TEST_F(LastCaches, CountOnceHoweverManyShareThem) {
  for (int cpu = 0; cpu < 4; ++cpu) {
    write(cpu, 0, 1, "Data", "32K", std::to_string(cpu));
    write(cpu, 1, 2, "Unified", "512K", std::to_string(cpu));
    write(cpu, 2, 3, "Unified", "32768K", cpu < 2 ? "0-1" : "2-3");
  }
  EXPECT_EQ(last_cache_bytes(root_), 64 * kMiB);
}

TEST_F(LastCaches, HoldDataAndAreTheLastThatThereAre) {
  write(0, 0, 1, "Data", "48K", "0");
  write(0, 1, 2, "Unified", "1024K", "0-1");
  write(0, 2, 3, "Instruction", "4096K", "0-1");
  EXPECT_EQ(last_cache_bytes(root_), kMiB);
}

TEST_F(LastCaches, AreNotKnownWhereTheSystemDoesNotSay) {
  EXPECT_EQ(last_cache_bytes(root_), 0u);
  std::filesystem::create_directories(root_ / "sys/devices/system/cpu/cpu0");
  EXPECT_EQ(last_cache_bytes(root_), 0u);
}

}  // namespace
}  // namespace gossamer
