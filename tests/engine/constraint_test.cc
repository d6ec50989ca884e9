/// What the engine does with constraints: masks hold, waits for none of others, ends where they end, counts what they
/// take.

#include <gmock/gmock.h>

#include <chrono>
#include <map>
#include <thread>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "engine/constrained_answer.h"
#include "engine/event_queue.h"
#include "sampling/masked_mass.h"

namespace gossamer {
namespace {

using ::testing::HasSubstr;

/// Tokens first, first + 1, ... in this order, `length` of them; its masks may be slow, and it may break.
class Countdown final : public TokenConstraint {
 public:
  Countdown(uint32_t vocab_size, TokenId first, uint32_t length)
      : mask_(vocab_size, false), next_(first), left_(length) {}
  int mask_ms = 0;           ///< how long a mask takes
  uint32_t breaks_at = ~0u;  ///< with so many left there is no way on

  Result<const TokenMask*> allowed() override {
    std::this_thread::sleep_for(std::chrono::milliseconds(mask_ms));
    if (left_ == breaks_at) return make_error(ErrorCode::kInvalidInput, "a dead end");
    mask_.forbid_all();
    if (left_ > 0) mask_.allow(next_);
    return &mask_;
  }
  bool has_mask_at_hand() const override { return mask_ms == 0; }
  Status accept(TokenId token) override {
    if (left_ == 0 || token != next_) return make_error(ErrorCode::kInvalidInput, "not token {}", token);
    ++next_;
    --left_;
    return {};
  }
  bool may_end() const override { return left_ == 0; }
  bool must_end() const override { return left_ == 0; }
  std::unique_ptr<TokenConstraint> clone() const override { return std::make_unique<Countdown>(*this); }

 private:
  TokenMask mask_;
  TokenId next_;
  uint32_t left_;
};

class ConstraintTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_hugging_face(folder_.path(), testing::tiny_config(), 3);
    loaded_ = LoadedModel::load(folder_.path(), {2, "", false, kernels::Precision::kExact}).value();
    engine_ = Engine::start(*loaded_, {}).value();
  }

  uint32_t vocab_size() const { return loaded_->model->config().vocab_size; }

  EngineRequest request(std::shared_ptr<const TokenConstraint> constraint) const {
    EngineRequest r;
    r.prompt = {1, 2, 3};
    r.max_tokens = 50;
    r.sampling.temperature = 2;
    r.constraint = std::move(constraint);
    return r;
  }

  struct Outcome {
    std::vector<TokenId> tokens;
    EngineEvent end;
  };
  std::map<SequenceId, Outcome> run(const std::vector<EngineRequest>& requests) {
    EventQueue events;
    std::map<SequenceId, Outcome> outcomes;
    for (const EngineRequest& r : requests) outcomes[engine_->submit(r, events.sink()).value()];
    for (size_t left = requests.size(); left > 0;) {
      const EngineEvent event = events.next();
      if (event.kind == EngineEvent::Kind::kToken) outcomes[event.id].tokens.push_back(event.token);
      if (event.kind != EngineEvent::Kind::kEnd) continue;
      outcomes[event.id].end = event;
      --left;
    }
    return outcomes;
  }

  testing::TempFolder folder_;
  std::unique_ptr<LoadedModel> loaded_;
  std::unique_ptr<Engine> engine_;
};

std::vector<TokenId> counted(TokenId first, uint32_t length) {
  std::vector<TokenId> tokens;
  for (TokenId token = first; token < first + length; ++token) tokens.push_back(token);
  return tokens;
}

TEST_F(ConstraintTest, AnAnswerIsWhatItsConstraintSaysAndEndsWhereItEnds) {
  const auto constraint = std::make_shared<Countdown>(vocab_size(), 10, 7);
  for (const auto& [id, outcome] : run({request(constraint), request(constraint), request(nullptr)})) {
    if (outcome.end.masked.num_tokens == 0) {  // the free one
      EXPECT_EQ(outcome.tokens.size(), 50u);
      EXPECT_EQ(outcome.end.finish, FinishReason::kLength);
      continue;
    }
    EXPECT_EQ(outcome.tokens, counted(10, 7));
    EXPECT_EQ(outcome.end.finish, FinishReason::kStop);
    EXPECT_EQ(outcome.end.masked.num_tokens, 7u);
    EXPECT_GT(outcome.end.masked.sum, 1);  // of 7: a random model would have said something else
    EXPECT_LT(outcome.end.masked.sum, 7);
  }
  EXPECT_EQ(engine_->stats().masked.num_tokens, 14u);
}

TEST_F(ConstraintTest, SlowMasksAreWaitedForByTheirOwnRows) {
  std::vector<EngineRequest> requests;
  for (TokenId first : {10u, 20u, 30u, 40u}) {
    const auto slow = std::make_shared<Countdown>(vocab_size(), first, 9);
    slow->mask_ms = static_cast<int>(first) / 10;
    requests.push_back(request(slow));
  }
  requests.push_back(request(nullptr));
  size_t whole = 0;
  for (const auto& [id, outcome] : run(requests))
    whole += outcome.tokens.size() == 9 && outcome.tokens == counted(outcome.tokens[0], 9);
  EXPECT_EQ(whole, 4u);
  EXPECT_GT(engine_->stats().mask_wait_seconds, 0);
}

TEST_F(ConstraintTest, ADeadEndEndsTheRequestAndNothingElse) {
  const auto broken = std::make_shared<Countdown>(vocab_size(), 10, 7);
  broken->breaks_at = 3;
  const auto good = std::make_shared<Countdown>(vocab_size(), 10, 7);
  for (const auto& [id, outcome] : run({request(broken), request(good)})) {
    if (outcome.end.finish == FinishReason::kStop) {
      EXPECT_EQ(outcome.tokens, counted(10, 7));
      continue;
    }
    EXPECT_EQ(outcome.end.finish, FinishReason::kError);
    EXPECT_THAT(outcome.end.error, HasSubstr("a dead end"));
    EXPECT_EQ(outcome.tokens, counted(10, 4));
  }
}

TEST_F(ConstraintTest, AMaskOfAnotherVocabularyIsRefused) {
  const auto other = std::make_shared<Countdown>(vocab_size() + 32, 10, 7);
  const auto outcomes = run({request(other)});
  EXPECT_EQ(outcomes.begin()->second.end.finish, FinishReason::kError);
  EXPECT_THAT(outcomes.begin()->second.end.error, HasSubstr("tokens"));
}

TEST_F(ConstraintTest, RequestsMayBeCancelledWhileTheirMasksAreComputed) {
  for (int round = 0; round < 30; ++round) {
    const auto slow = std::make_shared<Countdown>(vocab_size(), 10, 40);
    slow->mask_ms = 1;
    EventQueue events;
    const SequenceId id = engine_->submit(request(slow), events.sink()).value();
    std::this_thread::sleep_for(std::chrono::microseconds(150 * round));
    engine_->cancel(id);
    EngineEvent event = events.next();
    while (event.kind != EngineEvent::Kind::kEnd) event = events.next();
    EXPECT_EQ(event.finish, FinishReason::kCancelled);
  }
}

TEST_F(ConstraintTest, LogprobsAreTheModelsOwn) {
  EngineRequest free = request(nullptr), held = request(std::make_shared<Countdown>(vocab_size(), 10, 7));
  free.top_logprobs = held.top_logprobs = 3;
  free.max_tokens = held.max_tokens = 1;
  EventQueue events;
  std::vector<Logprobs> logprobs;
  for (const EngineRequest& r : {free, held}) {
    ASSERT_TRUE(engine_->submit(r, events.sink()).ok());
    for (EngineEvent event = events.next(); event.kind != EngineEvent::Kind::kEnd; event = events.next())
      if (event.kind == EngineEvent::Kind::kToken) logprobs.push_back(event.logprobs);
  }
  ASSERT_EQ(logprobs.size(), 2u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(logprobs[0].top[i].token, logprobs[1].top[i].token);
  EXPECT_LT(logprobs[1].chosen, 0);
}

TEST(ConstrainedAnswer, AMaskThatWasAskedForTwiceIsComputedOnce) {
  for (int round = 0; round < 200; ++round) {
    auto slow = std::make_unique<Countdown>(64, 10, 5);
    ConstrainedAnswer answer(std::move(slow));
    std::thread other([&] {
      for (int i = 0; i < 5; ++i) answer.compute();
    });
    for (TokenId token = 10; token < 15; ++token) {
      const auto mask = answer.mask();
      ASSERT_TRUE(mask.ok());
      EXPECT_TRUE((*mask)->allows(token));
      EXPECT_EQ((*mask)->count(), 1u);
      ASSERT_TRUE(answer.accept(token).ok());
    }
    EXPECT_TRUE(answer.must_end());
    other.join();
  }
}

TEST(MaskedMass, IsTheProbabilityOfWhatIsForbidden) {
  const std::vector<float> logits = {0, std::log(2.f), std::log(5.f), -30, -INFINITY};
  TokenMask mask(5, true);
  EXPECT_EQ(masked_mass(logits, mask), 0);
  mask.forbid(3);
  EXPECT_EQ(masked_mass(logits, mask), 0);
  mask.forbid(1);
  EXPECT_NEAR(masked_mass(logits, mask), 0.25, 1e-6);
  mask.forbid(2);
  EXPECT_NEAR(masked_mass(logits, mask), 0.875, 1e-6);
  mask.forbid_all();
  EXPECT_NEAR(masked_mass(logits, mask), 1, 1e-6);
}

}  // namespace
}  // namespace gossamer
