/// Which experts a device gets, and the counts that decide it, from one run to the next.

#include "model/expert_placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "checkpoint/temp_folder.h"

namespace gossamer::testing {
namespace {

std::vector<uint32_t> listed(std::span<const uint32_t> experts) {
  return {experts.begin(), experts.end()};
}
using Experts = std::vector<uint32_t>;

TEST(ExpertPlacement, SharesTheRoomEquallyWhereNothingIsKnown) {
  const ExpertUse use(3, 8);
  const uint64_t bytes[] = {100, 100, 100};
  const ExpertPlacement placement = ExpertPlacement::choose(use, bytes, 750);
  EXPECT_EQ(listed(placement.on_device(0)), (Experts{0, 1, 2}));
  EXPECT_EQ(listed(placement.on_device(1)), (Experts{0, 1}));
  EXPECT_EQ(listed(placement.on_device(2)), (Experts{0, 1}));
  EXPECT_EQ(listed(placement.on_host(2)), (Experts{2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(placement.num_on_device(), 7u);
  EXPECT_EQ(placement.num_on_host(), 17u);
}

TEST(ExpertPlacement, TakesThoseThatAreChosenMost) {
  ExpertUse use(2, 4);
  const uint64_t bytes[] = {100, 100};
  use.count(0, Experts{3, 3, 3, 1});
  use.count(1, Experts{2, 2, 2, 2, 0, 0});
  const ExpertPlacement placement = ExpertPlacement::choose(use, bytes, 399);
  EXPECT_EQ(listed(placement.order(0)), (Experts{3, 0, 1, 2}));
  EXPECT_EQ(listed(placement.order(1)), (Experts{0, 2, 1, 3}));
  EXPECT_EQ(placement.on_device(1).size(), 2u);
}

TEST(ExpertPlacement, CountsWhatAByteIsUsedForAndFillsTheRest) {
  ExpertUse use(2, 2);
  const uint64_t bytes[] = {300, 100};
  use.count(0, Experts{0, 0, 0, 0});  // 4 / 300
  use.count(1, Experts{0, 0, 1});     // 2 / 100, 1 / 100
  EXPECT_EQ(listed(ExpertPlacement::choose(use, bytes, 350).on_device(1)), (Experts{0, 1}));
  EXPECT_EQ(ExpertPlacement::choose(use, bytes, 350).on_device(0).size(), 0u);
  EXPECT_EQ(listed(ExpertPlacement::choose(use, bytes, 400).on_device(0)), (Experts{0}));
}

TEST(ExpertPlacement, HasEveryExpertOnceWhateverTheRoom) {
  ExpertUse use(4, 32);
  for (uint32_t i = 0; i < 1000; ++i) use.count(i % 4, Experts{i * i % 32});
  const std::vector<uint64_t> bytes(4, 13);
  for (uint64_t budget = 0; budget <= 4 * 32 * 13 + 5; budget += 100) {
    const ExpertPlacement placement = ExpertPlacement::choose(use, bytes, budget);
    EXPECT_EQ(placement.num_on_device(), std::min<uint64_t>(budget / 13, 128));
    for (uint32_t layer = 0; layer < 4; ++layer) {
      Experts all = listed(placement.order(layer));
      EXPECT_TRUE(std::is_sorted(placement.on_device(layer).begin(), placement.on_device(layer).end()));
      std::sort(all.begin(), all.end());
      EXPECT_EQ(all, listed(ExpertPlacement::all_on_device(4, 32).order(layer)));
    }
  }
}

class KeptUse : public ::testing::Test {
 protected:
  ExpertUseFile file(const std::string& source = "digest") const { return {folder_ / "packed/use", source}; }
  ExpertUse some_use() const {
    ExpertUse use(2, 4);
    use.count(0, Experts{1, 1, 3});
    use.count(1, Experts{0});
    return use;
  }
  TempFolder folder_;
};

TEST_F(KeptUse, ComesBackAsItWas) {
  EXPECT_TRUE(read_expert_use(file(), 2, 4).use.is_empty());
  ASSERT_TRUE(write_expert_use(file(), some_use()).ok());
  const KeptExpertUse kept = read_expert_use(file(), 2, 4);
  EXPECT_FALSE(kept.damaged);
  EXPECT_TRUE(std::ranges::equal(kept.use.counts(), some_use().counts()));
}

TEST_F(KeptUse, IsBesideThePackedCopies) {
  setenv("GOSSAMER_HOME", folder_.path().c_str(), 1);
  const ExpertUseFile one = expert_use_file("/models/one", "digest");
  EXPECT_TRUE(one.path.starts_with(folder_ / "packed/")) << one.path;
  EXPECT_EQ(one.source, "digest");
  EXPECT_NE(one.path, expert_use_file("/models/other", "digest").path);
  unsetenv("GOSSAMER_HOME");
  EXPECT_TRUE(read_expert_use({}, 2, 4).use.is_empty()) << "where there is no home";
}

TEST_F(KeptUse, IsOfOneModel) {
  ASSERT_TRUE(write_expert_use(file(), some_use()).ok());
  for (const auto& [other, layers, experts] :
       {std::tuple{file("another"), 2u, 4u}, {file(), 4u, 2u}, {file(), 2u, 8u}}) {
    const KeptExpertUse kept = read_expert_use(other, layers, experts);
    EXPECT_TRUE(kept.use.is_empty());
    EXPECT_FALSE(kept.damaged) << "a model that has changed is nobody's fault";
  }
}

TEST_F(KeptUse, IsNotTakenFromADamagedFile) {
  ASSERT_TRUE(write_expert_use(file(), some_use()).ok());
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(file().path));
  for (const std::streamoff at : {std::streamoff{0}, size - 9 * 8, size - 9, size - 1}) {
    std::fstream stream(file().path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const char was = static_cast<char>(stream.get());
    stream.seekp(at);
    stream.put(static_cast<char>(was ^ 4));
    stream.close();
    const KeptExpertUse kept = read_expert_use(file(), 2, 4);
    EXPECT_TRUE(kept.damaged) << at;
    EXPECT_TRUE(kept.use.is_empty()) << at;
    ASSERT_TRUE(write_expert_use(file(), some_use()).ok());
    EXPECT_FALSE(read_expert_use(file(), 2, 4).damaged) << "it was written anew";
  }
  for (const std::streamoff length : {size - 1, std::streamoff{100}, std::streamoff{0}}) {
    std::filesystem::resize_file(file().path, static_cast<uintmax_t>(length));
    EXPECT_TRUE(read_expert_use(file(), 2, 4).damaged) << length;
  }
}

TEST_F(KeptUse, OfLongAgoWeighsLess) {
  ExpertUse use(1, 4);
  for (uint64_t i = 0; i < 4; ++i) use.counts()[i] = (i + 1) << 50;
  use.forget_old();
  uint64_t sum = 0;
  for (const uint64_t count : use.counts()) sum += count;
  EXPECT_LE(sum, 400'000u);
  EXPECT_GE(sum, 399'990u);
  EXPECT_EQ(use.of(0, 3), 160'000u);
  ExpertUse little = some_use();
  little.forget_old();
  EXPECT_TRUE(std::ranges::equal(little.counts(), some_use().counts()));
}

}  // namespace
}  // namespace gossamer::testing
