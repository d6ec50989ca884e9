#include "engine/session.h"

#include <gmock/gmock.h>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"

namespace gossamer {
namespace {

using ::testing::HasSubstr;

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ModelConfig config = testing::tiny_config();
    config.head_dim = 32;
    testing::write_hugging_face(folder_.path(), config, 3);
    auto loaded = LoadedModel::load(folder_.path(), {2, "", false, kernels::Precision::kExact});
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    loaded_ = std::move(loaded).value();
  }

  static GenerateRequest request(std::vector<TokenId> prompt, uint32_t max_tokens, float temperature = 0) {
    GenerateRequest r;
    r.prompt = std::move(prompt);
    r.max_tokens = max_tokens;
    r.sampling.temperature = temperature;
    r.sampling.seed = 42;
    return r;
  }

  GenerateResult fresh(const GenerateRequest& r) {
    Session session = Session::start(*loaded_).value();
    auto result = session.generate(r);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return std::move(result).value();
  }

  testing::TempFolder folder_;
  std::unique_ptr<LoadedModel> loaded_;
};

TEST_F(SessionTest, GeneratesTheAskedNumberOfTokensAndCountsThem) {
  std::vector<TokenId> seen;
  std::vector<std::pair<uint32_t, uint32_t>> prefill;
  Session session = Session::start(*loaded_).value();
  auto result = session.generate(
      request({1, 2, 3}, 7),
      [&](TokenId t) {
        seen.push_back(t);
        return true;
      },
      [&](uint32_t done, uint32_t all) {
        prefill.emplace_back(done, all);
        return true;
      });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->finish, FinishReason::kLength);
  EXPECT_EQ(result->tokens, seen);
  EXPECT_EQ(result->stats.prompt_tokens, 3u);
  EXPECT_EQ(result->stats.generated_tokens, 7u);
  EXPECT_EQ(result->stats.cached_tokens, 0u);
  EXPECT_THAT(prefill, ::testing::ElementsAre(std::pair(3u, 3u)));
}

TEST_F(SessionTest, TheSameSeedGivesTheSameAnswerAndAnotherSeedAnother) {
  auto r = request({5, 6}, 30, 1.f);
  const auto first = fresh(r);
  EXPECT_EQ(first.tokens, fresh(r).tokens);
  r.sampling.seed = 43;
  EXPECT_NE(first.tokens, fresh(r).tokens);
}

TEST_F(SessionTest, ACachedPrefixChangesNothingButTheWork) {
  Session session = Session::start(*loaded_).value();
  std::vector<TokenId> base(100);
  for (uint32_t i = 0; i < 100; ++i) base[i] = (i * 31 + 7) % 80;
  ASSERT_TRUE(session.generate(request(base, 8)).ok());
  for (const uint32_t shared : {0u, 1u, 40u, 99u, 100u}) {
    std::vector<TokenId> prompt(base.begin(), base.begin() + shared);
    prompt.insert(prompt.end(), {70, 71, 3});
    const auto want = fresh(request(prompt, 8));
    const auto got = session.generate(request(prompt, 8));
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got->tokens, want.tokens);
  }
  // a prompt and its answer as the next turn's beginning: whole pages of what was computed are there
  const auto turn = session.generate(request(base, 30));
  ASSERT_TRUE(turn.ok());
  EXPECT_EQ(turn->stats.cached_tokens, 96u);
  std::vector<TokenId> next = base;
  next.insert(next.end(), turn->tokens.begin(), turn->tokens.end());
  next.push_back(50);
  const auto got = session.generate(request(next, 4));
  EXPECT_EQ(got->stats.cached_tokens, 128u);
  EXPECT_EQ(got->tokens, fresh(request(next, 4)).tokens);
}

TEST_F(SessionTest, StopTokensEndTheAnswerAndAreKept) {
  const auto free = fresh(request({1, 2, 3}, 10));
  auto r = request({1, 2, 3}, 10);
  r.stop_tokens = {free.tokens[4]};
  const auto stopped = fresh(r);
  EXPECT_EQ(stopped.finish, FinishReason::kStop);
  EXPECT_EQ(stopped.tokens.back(), free.tokens[4]);
  EXPECT_LE(stopped.tokens.size(), 5u);
}

TEST_F(SessionTest, CancellingStopsAtOnceAndTheSessionGoesOn) {
  Session session = Session::start(*loaded_).value();
  int left = 3;
  const auto cancelled = session.generate(request({1, 2, 3}, 100), [&](TokenId) { return --left > 0; });
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->finish, FinishReason::kCancelled);
  EXPECT_EQ(cancelled->tokens.size(), 3u);
  const auto in_prefill = session.generate(request({4, 5, 6}, 100), {}, [](uint32_t, uint32_t) { return false; });
  ASSERT_TRUE(in_prefill.ok());
  EXPECT_EQ(in_prefill->finish, FinishReason::kCancelled);
  EXPECT_TRUE(in_prefill->tokens.empty());
  EXPECT_EQ(session.generate(request({1, 2, 3}, 5))->tokens, fresh(request({1, 2, 3}, 5)).tokens);
}

TEST_F(SessionTest, TheEndOfTheContextEndsTheAnswer) {
  const uint32_t context = loaded_->model->config().max_context;
  std::vector<TokenId> prompt(context - 2, 1);
  const auto result = fresh(request(prompt, 0));
  EXPECT_EQ(result.finish, FinishReason::kLength);
  EXPECT_EQ(result.tokens.size(), 2u);
}

TEST_F(SessionTest, BadRequestsAreErrors) {
  Session session = Session::start(*loaded_).value();
  const auto error = [&](const GenerateRequest& r) {
    const auto result = session.generate(r);
    return result.ok() ? std::string("accepted") : result.error().message;
  };
  EXPECT_THAT(error(request({}, 1)), HasSubstr("no tokens"));
  EXPECT_THAT(error(request({10000}, 1)), HasSubstr("token 10000"));
  EXPECT_THAT(error(request({1}, 1, -1)), HasSubstr("temperature"));
  EXPECT_THAT(error(request(std::vector<TokenId>(loaded_->model->config().max_context, 1), 1)),
              HasSubstr("the prompt has 256 tokens"));
}

}  // namespace
}  // namespace gossamer
