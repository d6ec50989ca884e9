/// Steps that are graphs, against the same steps kernel by kernel; and what a device's memory is taken for. A step with
/// a trace is never a graph and never padded, so it says what the others must be, to the bit.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "model/device.h"
#include "model/device_forward.h"
#include "model/model.h"
#include "support/golden_file.h"
#ifdef GOSSAMER_DEVICE_IS_EMULATED
#include "support/emulated_runtime.h"
#endif

namespace gossamer::testing {
namespace {

using kernels::cuda::DeviceMemory;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kMb = 1'000'000;

TEST(TokenBuckets, HoldEveryNumberAndAreFew) {
  std::vector<uint32_t> buckets;
  for (uint32_t tokens = 1; tokens <= 300; ++tokens) {
    const uint32_t bucket = token_bucket(tokens);
    EXPECT_GE(bucket, tokens);
    EXPECT_LT(bucket, 2 * tokens) << "half of them would be copies";
    EXPECT_EQ(token_bucket(bucket), bucket);
    if (tokens <= kMostGraphTokens && (buckets.empty() || buckets.back() != bucket)) buckets.push_back(bucket);
    EXPECT_TRUE(tokens <= kMostGraphTokens || bucket == tokens);
  }
  EXPECT_LE(buckets.size(), 20u);
  for (uint32_t chunks = 1; chunks <= 512; ++chunks) {
    const uint32_t bucket = chunk_bucket(chunks);
    EXPECT_GE(bucket, chunks);
    EXPECT_LE(bucket, chunks > 32 ? 2 * chunks : 4 * chunks);
    EXPECT_EQ(chunk_bucket(bucket), bucket);
  }
}

/// Some sequences in one cache on the device, whose pages are full of numbers that differ from page to page: a step at
/// any position has something to read that nobody had to compute.
class Sequences {
 public:
  Sequences(const Model& model, uint32_t count, uint32_t max_tokens, uint32_t seed = 0)
      : vocab_(model.config().vocab_size) {
    const uint32_t pages = pages_of(max_tokens);
    auto memory = model.allocate_kv(kernels::KvDtype::kBf16, 2 * pages * count);
    EXPECT_TRUE(memory.ok()) << memory.error().message;
    memory_ = std::make_unique<KvMemory>(std::move(*memory));
    auto stream = kernels::cuda::DeviceStream::create().value();
    for (uint32_t page = 0; page < memory_->num_pages(); ++page)
      stream.fill(memory_->block(page, 0), static_cast<uint8_t>(0x3b + (page + seed) % 4), memory_->page_bytes());
    EXPECT_TRUE(stream.synchronize().ok());
    for (uint32_t i = 0; i < 2 * count; ++i) {
      tables_.emplace_back(pages);
      std::iota(tables_.back().begin(), tables_.back().end(), i * pages);
    }
  }

  const KvMemory& memory() const { return *memory_; }

  struct Part {
    uint32_t sequence, start, length;
  };
  /// Tokens follow from where they are; every one wants all logits.
  Batch batch(const std::vector<Part>& parts) const {
    Batch batch;
    for (const Part& part : parts) {
      BatchRow& row = batch.rows.emplace_back();
      row.cache = {memory_.get(), tables_[2 * part.sequence], tables_[2 * part.sequence + 1]};
      row.start = part.start;
      row.length = part.length;
      for (uint32_t i = 0; i < part.length; ++i) {
        row.logit_offsets.push_back(i);
        batch.tokens.push_back((part.sequence * 71 + (part.start + i) * 37) % vocab_);
      }
    }
    return batch;
  }
  /// `num_tokens` of as many sequences as that takes, pieces of up to eight and each at another position.
  std::vector<Part> pieces(uint32_t num_tokens, uint32_t start) const {
    std::vector<Part> parts;
    for (uint32_t sequence = 0; num_tokens > 0; ++sequence) {
      const uint32_t length = std::min(num_tokens, sequence % kMostGraphRowTokens + 1);
      parts.push_back({sequence, start + sequence, length});
      num_tokens -= length;
    }
    return parts;
  }

 private:
  uint32_t vocab_;
  std::unique_ptr<KvMemory> memory_;
  std::vector<std::vector<PageId>> tables_;
};

class DeviceGraphSteps : public ::testing::Test {
 protected:
  void SetUp() override {
    if (oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
    const auto devices = kernels::cuda::list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
    ASSERT_TRUE(kernels::cuda::use_device(devices->front().index).ok());
    auto checkpoint = Checkpoint::open(oracle_folder() + "/models/t64");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    checkpoint_ = std::make_unique<Checkpoint>(std::move(checkpoint).value());
    model_ = std::make_unique<Model>(*checkpoint_, kernels::make_backend("ref", threads_).value());
    const Status moved = move(~0ull);
    ASSERT_TRUE(moved.ok()) << moved.error().message;
  }

  Status move(uint64_t most_bytes) {
    GOS_TRY(auto device, DeviceForward::make(model_->config(), model_->weights(), model_->rope_params(), threads_, {},
                                             {.most_bytes = most_bytes}));
    model_->compute_on(std::move(device));
    return {};
  }

  std::vector<float> run(const Batch& batch, ForwardTrace* trace = nullptr) {
    auto logits = model_->forward(batch, trace);
    EXPECT_TRUE(logits.ok()) << logits.error().message;
    return logits.ok() ? std::vector<float>(logits->begin(), logits->end()) : std::vector<float>();
  }
  /// Runs the step over one cache as it comes, over the other kernel by kernel.
  void expect_same_bits(const Sequences& one, const Sequences& other, const std::vector<Sequences::Part>& parts) {
    ForwardTrace trace;
    const std::vector<float> want = run(other.batch(parts), &trace), got = run(one.batch(parts));
    ASSERT_EQ(got.size(), want.size());
    for (const float logit : want) ASSERT_TRUE(std::isfinite(logit));
    EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0);
  }
  std::string memory_text() const { return model_->elsewhere()->memory_text(); }

  ThreadPool threads_{2};
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Model> model_;
};

/// Every bucket's edges, up and down: a graph that froze what belongs to one batch gives it away in the next.
TEST_F(DeviceGraphSteps, HaveTheSameBitsInEveryBucket) {
  const Sequences one(*model_, 60, 128), other(*model_, 60, 128);
  uint32_t start = 3;
  for (const uint32_t tokens : {1u, 2u, 5u, 9u, 12u, 13u, 1u, 33u, 7u, 65u, 9u, 2u, 256u, 20u}) {
    SCOPED_TRACE(tokens);
    expect_same_bits(one, other, one.pieces(tokens, start += 2));
  }
  EXPECT_THAT(memory_text(), Not(HasSubstr(" 0 graphs")));
}

/// From chunk bucket to chunk bucket, with neighbours that stay where they are.
TEST_F(DeviceGraphSteps, HaveTheSameBitsWhereContextsGrow) {
  const Sequences one(*model_, 3, 8400), other(*model_, 3, 8400);
  for (const uint32_t start :
       {300u, 255u, 256u, 250u, 511u, 512u, 700u, 300u, 2047u, 2048u, 100u, 8191u, 8192u, 600u}) {
    SCOPED_TRACE(start);
    expect_same_bits(one, other, {{0, start, 1}, {1, 40, 1}, {2, start / 2, 1}});
  }
}

/// A larger step moves the memory that graphs knew; another cache lies elsewhere.
TEST_F(DeviceGraphSteps, AreForgottenWhereMemoryMoves) {
  const Sequences one(*model_, 30, 600), other(*model_, 30, 600), second(*model_, 30, 600, 1);
  expect_same_bits(one, other, one.pieces(4, 10));
  EXPECT_THAT(memory_text(), HasSubstr(" 1 graphs"));
  expect_same_bits(one, other, one.pieces(120, 20));
  expect_same_bits(one, other, one.pieces(4, 30));
  const Sequences fresh(*model_, 30, 600, 1);
  expect_same_bits(second, fresh, one.pieces(4, 10));
  expect_same_bits(one, other, one.pieces(4, 300));
}

TEST_F(DeviceGraphSteps, AreNotPiecesOfPrompts) {
  const Sequences one(*model_, 2, 128), other(*model_, 2, 128);
  expect_same_bits(one, other, {{0, 10, kMostGraphRowTokens + 1}, {1, 5, 1}});
  EXPECT_THAT(memory_text(), HasSubstr(" 0 graphs"));
  Batch batch = one.batch({{0, 30, 1}});
  HiddenTaps taps{{1}, {}};
  batch.rows[0].taps = &taps;
  ForwardTrace trace;
  EXPECT_EQ(run(batch), run(other.batch({{0, 30, 1}}), &trace));
  EXPECT_EQ(taps.hidden[0].size(), model_->config().hidden);
  EXPECT_THAT(memory_text(), HasSubstr(" 0 graphs"));
  expect_same_bits(one, other, {{0, 40, kMostGraphRowTokens}, {1, 15, 1}});
  EXPECT_THAT(memory_text(), HasSubstr(" 1 graphs"));
}

/// Three answers, each of whose tokens is drawn while the host knows none; then the same tokens as they are known.
TEST_F(DeviceGraphSteps, BeginWithTokensThatAreBeingDrawn) {
  constexpr uint32_t kAnswers = 3, kSteps = 5;
  const Sequences one(*model_, kAnswers + 1, 200), other(*model_, kAnswers + 1, 200);
  ForwardPass& device = *model_->elsewhere();
  const auto answers = [](const Sequences& of, uint32_t start) {
    return of.batch({{0, start, 1}, {1, start + 40, 1}, {2, start + 90, 1}});
  };
  std::vector<std::vector<Drawn>> drawn(kSteps, std::vector<Drawn>(kAnswers));
  for (uint32_t i = 0; i < kSteps; ++i) {
    Batch step = answers(one, 20 + i);
    if (i == 3) {  // a piece of a prompt goes first: no graph, and other numbers for the rows
      const Batch prompt = one.batch({{3, 0, 20}});
      step.rows.insert(step.rows.begin(), prompt.rows.front());
      step.rows.front().logit_offsets.clear();
      step.tokens.insert(step.tokens.begin(), prompt.tokens.begin(), prompt.tokens.end());
    }
    std::vector<DrawWish> wishes;
    for (uint32_t answer = 0; answer < kAnswers; ++answer) {
      BatchRow& row = step.rows[step.rows.size() - kAnswers + answer];
      row.tops.resize(1);
      row.tops[0].stays = true;
      if (i > 0) {
        row.drawn_row = answer;
        step.tokens[step.tokens.size() - kAnswers + answer] = 0;
      }
      DrawWish& wish = wishes.emplace_back();
      wish.row = answer;
      wish.drawn = &drawn[i][answer];
    }
    ASSERT_TRUE(model_->forward(step).ok());
    ASSERT_TRUE(device.draw(wishes).ok());
    if (i > 0) {
      ASSERT_TRUE(device.finish_draws(device.last_step() - 1).ok());
    }
  }
  ASSERT_TRUE(device.finish_draws(device.last_step()).ok());
  for (uint32_t i = 0; i < kSteps; ++i) {
    Batch step = answers(other, 20 + i);
    for (uint32_t answer = 0; answer < kAnswers && i > 0; ++answer) step.tokens[answer] = drawn[i - 1][answer].token;
    const std::vector<float> logits = run(step);
    const size_t vocab = model_->config().vocab_size;
    for (uint32_t answer = 0; answer < kAnswers; ++answer) {
      const auto begin = logits.begin() + static_cast<ptrdiff_t>(answer * vocab);
      const auto best = std::max_element(begin, begin + static_cast<ptrdiff_t>(vocab));
      EXPECT_EQ(drawn[i][answer].token, static_cast<TokenId>(best - begin));
      EXPECT_EQ(drawn[i][answer].logit, *best);
    }
  }
}

TEST_F(DeviceGraphSteps, SayWhichTokensNobodyDraws) {
  const Sequences one(*model_, 2, 64);
  Batch step = one.batch({{0, 3, 1}});
  step.rows[0].drawn_row = 0;
  EXPECT_THAT(model_->forward(step).error().message, HasSubstr("but 0 rows of logits stayed in the step before"));
  Batch two = one.batch({{0, 3, 2}});
  two.rows[0].drawn_row = 0;
  EXPECT_THAT(model_->forward(two).error().message, HasSubstr("begins with a token that nobody knows yet"));
  model_->compute_on(nullptr);
  EXPECT_THAT(model_->forward(step).error().message, HasSubstr("begins with a token that nobody knows yet"));
}

TEST_F(DeviceGraphSteps, TakeNoMemoryOnceAllIsReady) {
  constexpr uint32_t kTokens = 20, kRows = 8, kContext = 1500;
  const Status ready = model_->elsewhere()->prepare({kTokens, kRows, kContext});
  ASSERT_TRUE(ready.ok()) << ready.error().message;
  const Sequences one(*model_, kRows, kContext), other(*model_, kRows, kContext);
  model_->elsewhere()->warm_up(one.memory());
  expect_same_bits(one, other,
                   one.pieces(kTokens, 0));  // the head's memory is as large as the logits that were asked for
  const std::string before = memory_text();
  EXPECT_THAT(before, HasSubstr(" 25 graphs"));  // 8 buckets of tokens by 1, 2 and 8 chunks, and the step above
  const uint64_t allocations = DeviceMemory::num_allocations();
  for (const uint32_t tokens : {1u, 8u, 3u})
    for (const uint32_t start : {0u, 255u, 256u, 1480u}) {
      std::vector<Sequences::Part> parts;
      for (uint32_t i = 0; i < tokens; ++i) parts.push_back({i, start + i, 1});
      expect_same_bits(one, other, parts);
    }
  expect_same_bits(one, other, {{0, 0, kTokens}});
  EXPECT_EQ(DeviceMemory::num_allocations(), allocations);
  EXPECT_EQ(memory_text(), before);
}

#ifdef GOSSAMER_DEVICE_IS_EMULATED
TEST_F(DeviceGraphSteps, LeaveMemoryWhereOthersTookIt) {
  constexpr uint32_t kTokens = 20, kRows = 8, kContext = 1500;
  ASSERT_TRUE(model_->elsewhere()->prepare({kTokens, kRows, kContext}).ok());
  const Sequences one(*model_, kRows, kContext), other(*model_, kRows, kContext);
  emulated::others_take(kernels::cuda::free_device_bytes() - 100 * kMb);
  model_->elsewhere()->warm_up(one.memory());
  EXPECT_THAT(memory_text(), HasSubstr(" 1 graphs"));
  expect_same_bits(one, other, one.pieces(8, 0));
  EXPECT_THAT(memory_text(), HasSubstr(" 1 graphs"));
  emulated::others_take(0);
}
#endif

TEST_F(DeviceGraphSteps, AndCacheKeepWithinTheBudget) {
  const uint64_t others = DeviceMemory::bytes_in_use();
  model_->compute_on(nullptr);
  const uint64_t before = DeviceMemory::bytes_in_use();
  EXPECT_LT(before, others);
  const uint64_t most = before + 120 * kMb;
  const Status moved = move(most);
  ASSERT_TRUE(moved.ok()) << moved.error().message;
  ForwardPass& device = *model_->elsewhere();
  ASSERT_TRUE(device.prepare({64, 16, 4096}).ok());
  const KvShape shape = model_->kv_shape(kernels::KvDtype::kBf16);
  const uint64_t room = device.free_bytes(shape);
  EXPECT_GT(room, 20 * kMb);
  auto cache = model_->allocate_kv(kernels::KvDtype::kBf16, static_cast<uint32_t>(room / shape.page_bytes()));
  ASSERT_TRUE(cache.ok()) << cache.error().message;
  device.warm_up(*cache);
  EXPECT_LE(DeviceMemory::bytes_in_use(), most);
  EXPECT_GT(DeviceMemory::bytes_in_use(), most - 20 * kMb) << "what is left is for graphs";
  EXPECT_EQ(device.free_bytes(shape), 0u);
  EXPECT_THAT(device.memory_text(), AllOf(HasSubstr("GB of weights"), HasSubstr("0.12 GB may be used")));
}

TEST_F(DeviceGraphSteps, AreNotBegunWhereWeightsDoNotFit) {
  model_->compute_on(nullptr);
  const Status moved = move(DeviceMemory::bytes_in_use() + 10 * kMb);
  ASSERT_FALSE(moved.ok());
  EXPECT_THAT(moved.error().message,
              AllOf(HasSubstr("the weights that every token reads take 0.000"), HasSubstr("0 GB for weights"),
                    HasSubstr("--gpu-memory"), HasSubstr("--device cpu")));
}

#ifdef GOSSAMER_DEVICE_IS_EMULATED
/// What a driver does not start is the fault of that step and of no other.
TEST_F(DeviceGraphSteps, FailAlone) {
  const Sequences one(*model_, 1, 64);
  Batch step = one.batch({{0, 3, 1}});
  step.rows[0].tops.resize(1);
  step.rows[0].tops[0].stays = true;
  ASSERT_TRUE(model_->forward(step).ok());
  ForwardPass& device = *model_->elsewhere();
  const uint64_t first = device.last_step();
  Drawn drawn;
  DrawWish wish;
  wish.drawn = &drawn;
  emulated::fail_start(1);
  EXPECT_THAT(device.draw({&wish, 1}).error().message, HasSubstr("cannot start a kernel"));
  ASSERT_TRUE(model_->forward(step).ok());
  ASSERT_TRUE(device.draw({&wish, 1}).ok());
  emulated::fail_start(1);
  EXPECT_THAT(model_->forward(step).error().message, HasSubstr("cannot start a kernel"));
  ASSERT_TRUE(device.finish_draws(first + 1).ok());
  EXPECT_LT(drawn.token, model_->config().vocab_size);
}

TEST_F(DeviceGraphSteps, AreStartedKernelByKernelWhereNoGraphCanBeMade) {
  emulated::allow_graphs(false);
  const uint64_t launches = emulated::num_graph_launches();
  const Sequences one(*model_, 8, 128), other(*model_, 8, 128);
  expect_same_bits(one, other, one.pieces(13, 3));
  emulated::allow_graphs(true);
  expect_same_bits(one, other, one.pieces(13, 20));
  EXPECT_EQ(emulated::num_graph_launches(), launches);
  EXPECT_THAT(memory_text(), HasSubstr("steps are started kernel by kernel: the GPU cannot make a graph"));
}
#endif

TEST(DeviceBudgets, AreASharePerhapsOfWhatIsFreeOrSomeBytes) {
  constexpr uint64_t kGb = 1'000'000'000;
  EXPECT_EQ(*DeviceBudget().most_bytes(80 * kGb, 79 * kGb), 72 * kGb);
  EXPECT_EQ(*DeviceBudget().most_bytes(80 * kGb, 30 * kGb), 30 * kGb - (512 << 20));
  EXPECT_EQ(*DeviceBudget().most_bytes(80 * kGb, kGb / 4), 0);
  EXPECT_EQ(*(DeviceBudget{.bytes = 10 * kGb}).most_bytes(80 * kGb, 79 * kGb), 10 * kGb);
  EXPECT_THAT((DeviceBudget{.bytes = 90 * kGb}).most_bytes(80 * kGb, 79 * kGb).error().message,
              AllOf(HasSubstr("90.0 GB"), HasSubstr("it has 80.0"), HasSubstr("--gpu-memory")));
  EXPECT_THAT((DeviceBudget{.bytes = 70 * kGb}).most_bytes(80 * kGb, 30 * kGb).error().message,
              AllOf(HasSubstr("70.0 GB"), HasSubstr("30.0 of its 80.0 GB are free")));
}

}  // namespace
}  // namespace gossamer::testing
