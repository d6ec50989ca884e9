/// The engine where tokens are drawn on the device: the answers are those that the host's sampler gives from the same
/// logits, alone and in company, with constraints and logprobs.

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "engine/engine.h"
#include "engine/event_queue.h"
#include "kernels/cuda/runtime.h"
#include "model/device_forward.h"

namespace gossamer {
namespace {

/// Computes where another does.
class Through : public ForwardPass {
 public:
  explicit Through(std::unique_ptr<ForwardPass> pass) : pass_(std::move(pass)) {}
  Result<KvMemory> allocate_kv(const kernels::KvLayout& layout, const KvShape& shape,
                               uint32_t num_pages) const override {
    return pass_->allocate_kv(layout, shape, num_pages);
  }
  uint64_t free_bytes(const KvShape& shape) const override { return pass_->free_bytes(shape); }
  Status prepare(const StepLimits& limits) override { return pass_->prepare(limits); }
  void warm_up(const KvMemory& cache) override { pass_->warm_up(cache); }
  std::string memory_text() const override { return pass_->memory_text(); }
  Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace) override {
    return pass_->forward(batch, trace);
  }

 protected:
  std::unique_ptr<ForwardPass> pass_;
};

/// And lets nobody draw there.
using NoDraws = Through;

/// What an engine asked for, in order: how far it ran ahead of what it knew. Some step may fail.
class Watched final : public Through {
 public:
  using Through::Through;
  uint32_t fails_at = ~0u;  // of forward(), from 0
  bool fails_in_draw = false;
  std::atomic<uint32_t> num_steps = 0, num_ahead = 0, num_drawn_rows = 0;

  Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace) override {
    const uint32_t step = num_steps++;
    num_ahead += !is_finished_;
    is_finished_ = false;
    for (const BatchRow& row : batch.rows) num_drawn_rows += row.drawn_row.has_value();
    if (step == fails_at && !fails_in_draw) return make_error(ErrorCode::kIo, "the card fell off");
    return pass_->forward(batch, trace);
  }
  bool can_draw() const override { return true; }
  bool can_run_ahead() const override { return pass_->can_run_ahead(); }
  Status draw(std::span<const DrawWish> wishes) override {
    if (num_steps == fails_at + 1 && fails_in_draw) return make_error(ErrorCode::kIo, "the card fell off");
    return pass_->draw(wishes);
  }
  uint64_t last_step() const override { return pass_->last_step(); }
  Status finish_draws(uint64_t step) override {
    is_finished_ = is_finished_ || step == pass_->last_step();
    return pass_->finish_draws(step);
  }

 private:
  bool is_finished_ = true;
};

/// A third of the tokens, another third each time, `length` of them. Its masks may be slow, and at last it may allow
/// nothing or break.
class EveryThird final : public TokenConstraint {
 public:
  EveryThird(uint32_t vocab_size, uint32_t length) : mask_(vocab_size, false), left_(length) {}
  int mask_ms = 0;
  uint32_t breaks_at = ~0u, empty_at = ~0u;

  Result<const TokenMask*> allowed() override {
    std::this_thread::sleep_for(std::chrono::milliseconds(mask_ms));
    if (left_ == breaks_at) return make_error(ErrorCode::kInvalidInput, "a dead end");
    mask_.forbid_all();
    for (TokenId token = left_ % 3; token < mask_.vocab_size() && left_ != empty_at; token += 3) mask_.allow(token);
    return &mask_;
  }
  bool has_mask_at_hand() const override { return mask_ms == 0; }
  Status accept(TokenId token) override {
    if (token % 3 != left_ % 3) return make_error(ErrorCode::kInvalidInput, "not token {}", token);
    --left_;
    return {};
  }
  bool may_end() const override { return left_ == 0; }
  bool must_end() const override { return left_ == 0; }
  std::unique_ptr<TokenConstraint> clone() const override { return std::make_unique<EveryThird>(*this); }

 private:
  TokenMask mask_;
  uint32_t left_;
};

struct Outcome {
  std::vector<TokenId> tokens;
  std::vector<Logprobs> logprobs, prompt_logprobs;
  EngineEvent end;
};

class DeviceEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto devices = kernels::cuda::list_devices(); !devices.ok()) GTEST_SKIP() << devices.error().message;
    ModelConfig config = testing::tiny_config();
    config.head_dim = 64;
    config.vocab_size = 333;
    testing::write_hugging_face(folder_.path(), config, 3);
    LoadOptions options;
    options.num_threads = 2;
    options.need_tokenizer = false;
    options.pack_weights = false;  // the device packs them as they are in the file
    loaded_ = LoadedModel::load(folder_.path(), options).value();
  }

  uint32_t vocab_size() const { return loaded_->model->config().vocab_size; }

  std::unique_ptr<Engine> start(bool draws_there, uint32_t num_pages = 100, Watched** watched = nullptr) {
    const Model& model = *loaded_->model;
    std::unique_ptr<ForwardPass> device =
        DeviceForward::make(model.config(), model.weights(), model.rope_params(), *loaded_->threads, {}).value();
    if (!draws_there) device = std::make_unique<NoDraws>(std::move(device));
    if (watched) {
      auto wrapped = std::make_unique<Watched>(std::move(device));
      *watched = wrapped.get();
      device = std::move(wrapped);
    }
    loaded_->model->compute_on(std::move(device));
    EngineOptions options;
    options.kv_bytes = num_pages * model.kv_shape(options.kv_dtype).page_bytes();
    options.limits.max_step_tokens = 24;
    options.limits.max_rows = 12;
    return Engine::start(*loaded_, options).value();
  }

  static std::vector<Outcome> run(Engine& engine, const std::vector<EngineRequest>& requests) {
    EventQueue events;
    std::map<SequenceId, size_t> numbers;
    for (const EngineRequest& r : requests) numbers.emplace(engine.submit(r, events.sink()).value(), numbers.size());
    std::vector<Outcome> outcomes(requests.size());
    for (size_t left = requests.size(); left > 0;) {
      const EngineEvent event = events.next();
      Outcome& outcome = outcomes[numbers.at(event.id)];
      if (event.kind == EngineEvent::Kind::kToken) {
        outcome.tokens.push_back(event.token);
        outcome.logprobs.push_back(event.logprobs);
      }
      for (const Logprobs& logprobs : event.prompt_logprobs) outcome.prompt_logprobs.push_back(logprobs);
      if (event.kind != EngineEvent::Kind::kEnd) continue;
      outcome.end = event;
      --left;
    }
    return outcomes;
  }

  /// Everything that has a say in what is drawn.
  std::vector<EngineRequest> all_kinds() const {
    std::vector<EngineRequest> requests(14);
    for (size_t i = 0; i < requests.size(); ++i) {
      EngineRequest& r = requests[i];
      for (TokenId token = 0; token < 3 + i; ++token) r.prompt.push_back((token * 7 + static_cast<TokenId>(i)) % 300);
      r.max_tokens = 6;
      r.sampling.seed = i;
      if (i % 2) r.top_logprobs = static_cast<uint32_t>(i / 2);
    }
    requests[1].sampling.temperature = 0;
    requests[2].sampling.top_p = 0.8f;
    requests[3].sampling.top_k = 20;
    requests[3].sampling.top_p = 0.9f;
    requests[4].sampling.top_k = 300;
    requests[5].sampling.min_p = 0.3f;
    for (const size_t i : {6, 7, 8}) {
      SamplingParams& sampling = requests[i].sampling;
      sampling.repetition_penalty = 1.5f;
      sampling.presence_penalty = 1;
      sampling.frequency_penalty = 0.5f;
      sampling.logit_bias = {{static_cast<TokenId>(i), 5.f}, {200, 3.f}};
    }
    requests[8].sampling.temperature = 0;
    const auto constrain = [&](size_t i, int mask_ms, uint32_t breaks_at, uint32_t empty_at) {
      auto constraint = std::make_shared<EveryThird>(vocab_size(), 5);
      constraint->mask_ms = mask_ms;
      constraint->breaks_at = breaks_at;
      constraint->empty_at = empty_at;
      requests[i].constraint = std::move(constraint);
    };
    constrain(7, 0, ~0u, ~0u);
    constrain(9, 3, ~0u, ~0u);
    constrain(10, 2, 2, ~0u);
    constrain(11, 0, ~0u, 1);
    requests[12].min_tokens = 4;
    for (TokenId token = 0; token < vocab_size(); token += 2) requests[12].stop_tokens.push_back(token);
    requests[13].prompt_logprobs = requests[13].computes_whole_prompt = true;
    return requests;
  }

  testing::TempFolder folder_;
  std::unique_ptr<LoadedModel> loaded_;
};

void expect_same(const std::vector<Logprobs>& got, const std::vector<Logprobs>& want, float tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got[i].chosen, want[i].chosen, tolerance);
    ASSERT_EQ(got[i].top.size(), want[i].top.size());
    for (size_t t = 0; t < want[i].top.size(); ++t) {
      EXPECT_EQ(got[i].top[t].token, want[i].top[t].token);
      EXPECT_NEAR(got[i].top[t].logprob, want[i].top[t].logprob, tolerance);
    }
  }
}

void expect_same(const Outcome& got, const Outcome& want, float tolerance) {
  EXPECT_EQ(got.tokens, want.tokens);
  EXPECT_EQ(got.end.finish, want.end.finish);
  EXPECT_EQ(got.end.error, want.end.error);
  EXPECT_EQ(got.end.masked.num_tokens, want.end.masked.num_tokens);
  EXPECT_NEAR(got.end.masked.sum, want.end.masked.sum, 10 * tolerance);
  expect_same(got.logprobs, want.logprobs, tolerance);
  expect_same(got.prompt_logprobs, want.prompt_logprobs, tolerance);
}

TEST_F(DeviceEngineTest, WhatIsDrawnThereIsWhatTheSamplerDraws) {
  const std::vector<EngineRequest> requests = all_kinds();
  const std::vector<Outcome> want = run(*start(false), requests);
  const std::unique_ptr<Engine> engine = start(true);
  const std::vector<Outcome> together = run(*engine, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same(together[i], want[i], 1e-5f);
    expect_same(run(*engine, {requests[i]}).front(), together[i], 0);
  }
  EXPECT_EQ(want[9].tokens.size(), 5u);
  EXPECT_EQ(want[9].end.finish, FinishReason::kStop);
  EXPECT_GT(want[9].end.masked.sum, 1);  // of 5: a third is allowed
  EXPECT_EQ(want[10].end.error, "a dead end");
  EXPECT_THAT(want[11].end.error, ::testing::HasSubstr("no token is allowed at position"));
  EXPECT_GE(want[12].tokens.size(), 4u);
  EXPECT_FALSE(want[13].prompt_logprobs.empty());
  EXPECT_GT(engine->stats().mask_wait_seconds, 0);
}

/// Answers of many lengths in a cache that is too small for them all: sequences are preempted, end and are cancelled
/// while a step with them is under way.
std::vector<EngineRequest> many(uint32_t count, uint32_t longest) {
  std::vector<EngineRequest> requests(count);
  for (uint32_t i = 0; i < count; ++i) {
    EngineRequest& r = requests[i];
    for (TokenId token = 0; token < 4 + 9 * i % 30; ++token) r.prompt.push_back((token * 11 + i) % 300);
    r.max_tokens = 3 + 13 * i % longest;
    r.sampling.seed = i;
    r.sampling.presence_penalty = i % 3 == 0 ? 1.f : 0.f;
    if (i % 4 == 1)
      for (TokenId token = 0; token < 30; ++token) r.stop_tokens.push_back(token);
  }
  return requests;
}

/// When nothing is under way any more: no page is held.
EngineStats stats_at_rest(const Engine& engine) {
  EngineStats stats = engine.stats();
  for (int wait_ms = 0; stats.held_pages > 0 && wait_ms < 10'000; ++wait_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stats = engine.stats();
  }
  EXPECT_EQ(stats.held_pages, 0u);
  return stats;
}

TEST_F(DeviceEngineTest, RunsAheadOfWhatItKnowsWithTheSameAnswers) {
  const std::vector<EngineRequest> requests = many(7, 30);
  const std::vector<Outcome> want = run(*start(false), requests);
  Watched* watched = nullptr;
  const std::unique_ptr<Engine> engine = start(true, 10, &watched);
  const std::vector<Outcome> got = run(*engine, requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same(got[i], want[i], 0);
  }
  const EngineStats stats = stats_at_rest(*engine);
  EXPECT_GT(stats.preemptions, 0u);
  uint64_t tokens = 0;
  for (const Outcome& outcome : want) tokens += outcome.tokens.size();
  EXPECT_EQ(stats.generated_tokens, tokens) << "those that nobody wanted do not count";
  EXPECT_GT(watched->num_ahead, watched->num_steps * 8 / 10);
  EXPECT_GT(watched->num_drawn_rows, tokens / 2);
}

TEST_F(DeviceEngineTest, CancelsWhatIsUnderWay) {
  Watched* watched = nullptr;
  const std::unique_ptr<Engine> engine = start(true, 100, &watched);
  const std::vector<EngineRequest> requests = many(6, 30);
  const std::vector<Outcome> want = run(*engine, requests);
  EventQueue events;
  std::map<SequenceId, size_t> numbers;
  std::vector<std::vector<TokenId>> tokens(requests.size());
  for (const EngineRequest& r : requests) numbers.emplace(engine->submit(r, events.sink()).value(), numbers.size());
  for (size_t left = requests.size(); left > 0;) {
    const EngineEvent event = events.next();
    const size_t i = numbers.at(event.id);
    if (event.kind == EngineEvent::Kind::kToken) {
      tokens[i].push_back(event.token);
      if (i % 2 == 0 && tokens[i].size() == i + 1) engine->cancel(event.id);
    }
    if (event.kind != EngineEvent::Kind::kEnd) continue;
    EXPECT_NE(event.finish, FinishReason::kError) << event.error;
    ASSERT_LE(tokens[i].size(), want[i].tokens.size());
    EXPECT_TRUE(std::equal(tokens[i].begin(), tokens[i].end(), want[i].tokens.begin()));
    if (event.finish != FinishReason::kCancelled) {
      EXPECT_EQ(tokens[i], want[i].tokens);
    }
    --left;
  }
}

/// A sink that throws while the next step is under way: everything ends, once each, and there is room for those who
/// come later.
TEST_F(DeviceEngineTest, AnExceptionEndsEverythingAndLeavesRoom) {
  const std::vector<EngineRequest> requests = many(6, 30);
  const std::unique_ptr<Engine> engine = start(true, 10);
  EventQueue events;
  std::atomic<bool> has_thrown = false;
  for (const EngineRequest& r : requests) {
    const EventSink sink = [&, to = events.sink()](const EngineEvent& event) {
      const EngineStats stats = engine->stats();
      const bool is_full = stats.free_pages + stats.evictable_pages == 0;
      if (event.kind == EngineEvent::Kind::kToken && is_full && !has_thrown.exchange(true))
        throw std::runtime_error("a sink that throws");
      to(event);
    };
    ASSERT_TRUE(engine->submit(r, sink).ok());
  }
  for (size_t ends = 0; ends < requests.size();) ends += events.next().kind == EngineEvent::Kind::kEnd;
  EXPECT_TRUE(has_thrown);
  for (const Outcome& outcome : run(*engine, requests)) EXPECT_NE(outcome.end.finish, FinishReason::kError);
  stats_at_rest(*engine);
}

TEST_F(DeviceEngineTest, AStepThatFailsEndsItsRequestsAndNoOthers) {
  const std::vector<EngineRequest> requests = many(4, 20);
  const std::vector<Outcome> want = run(*start(false), requests);
  for (const bool in_draw : {false, true}) {
    Watched* watched = nullptr;
    const std::unique_ptr<Engine> engine = start(true, 100, &watched);
    watched->fails_at = 7;
    watched->fails_in_draw = in_draw;
    uint32_t failed = 0;
    for (const Outcome& outcome : run(*engine, requests)) {
      const bool has_failed = outcome.end.finish == FinishReason::kError;
      EXPECT_EQ(outcome.end.error, has_failed ? "the card fell off" : "");
      failed += has_failed;
    }
    EXPECT_GT(failed, 0u);
    const std::vector<Outcome> again = run(*engine, requests);
    for (size_t i = 0; i < requests.size(); ++i) expect_same(again[i], want[i], 0);
    stats_at_rest(*engine);
  }
}

}  // namespace
}  // namespace gossamer
