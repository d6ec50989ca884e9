#include "engine/engine.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "engine/event_queue.h"
#include "support/golden_file.h"
#include "support/sanitizers.h"

namespace gossamer {
namespace {

using ::testing::HasSubstr;

/// What became of one request.
struct Outcome {
  std::vector<TokenId> tokens;
  std::vector<std::vector<float>> logprobs;  // of each token, and of the likeliest
  FinishReason finish = FinishReason::kError;
  uint32_t ends = 0;
  uint32_t cached_tokens = 0;
  std::vector<float> prompt_logprobs;  // of the prompt, from its second token on
};

/// Memory of this process that is really there.
long resident_kb() {
  std::ifstream status("/proc/self/status");
  std::string field;
  long kilobytes = 0;
  while (status >> field)
    if (field == "VmRSS:" && status >> kilobytes) break;
  return kilobytes;
}

/// A pool of `pages` pages and steps of at most `step_tokens` tokens.
std::unique_ptr<Engine> start(LoadedModel& model, uint32_t pages, uint32_t step_tokens,
                              kernels::KvDtype dtype = kernels::KvDtype::kBf16) {
  EngineOptions options;
  options.kv_dtype = dtype;
  options.kv_bytes = pages * model.model->kv_shape(dtype).page_bytes();
  options.limits.max_step_tokens = step_tokens;
  return Engine::start(model, options).value();
}

/// All at once, in order; waits for all ends.
std::map<SequenceId, Outcome> run(Engine& engine, const std::vector<EngineRequest>& requests) {
  EventQueue events;
  std::map<SequenceId, Outcome> outcomes;
  for (const EngineRequest& r : requests) outcomes[engine.submit(r, events.sink()).value()];
  for (size_t left = requests.size(); left > 0;) {
    const EngineEvent event = events.next();
    Outcome& outcome = outcomes[event.id];
    EXPECT_EQ(outcome.ends, 0u) << "an event after the end";
    if (event.kind == EngineEvent::Kind::kToken) {
      outcome.tokens.push_back(event.token);
      std::vector<float>& logprobs = outcome.logprobs.emplace_back(1, event.logprobs.chosen);
      for (const TokenLogprob& top : event.logprobs.top) logprobs.push_back(top.logprob);
    }
    for (const Logprobs& logprobs : event.prompt_logprobs) outcome.prompt_logprobs.push_back(logprobs.chosen);
    if (event.kind != EngineEvent::Kind::kEnd) continue;
    outcome.finish = event.finish;
    outcome.cached_tokens = event.cached_tokens;
    ++outcome.ends;
    --left;
  }
  return outcomes;
}

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ModelConfig config = testing::tiny_config();
    config.head_dim = 32;
    config.sliding_window = 40;
    config.max_context = 1024;  // attention adds positions up in chunks of 256: sequences must pass several
    testing::write_hugging_face(folder_.path(), config, 3);
  }

  std::unique_ptr<LoadedModel> load(unsigned threads = 2) {
    return LoadedModel::load(folder_.path(), {threads, "", false, kernels::Precision::kExact}).value();
  }

  static EngineRequest request(std::vector<TokenId> prompt, uint32_t max_tokens) {
    EngineRequest r;
    r.prompt = std::move(prompt);
    r.max_tokens = max_tokens;
    r.sampling.temperature = 0;
    return r;
  }

  static std::vector<TokenId> text(uint32_t tokens, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<TokenId> ids(tokens);
    for (TokenId& id : ids) id = random() % 80;
    return ids;
  }

  testing::TempFolder folder_;
};

/// Under a sanitizer, or with plain loops, everything takes ten times as long.
bool is_slow(const LoadedModel& model) {
  return testing::kSanitized || model.model->backend().name() == "ref";
}

/// Prompts of all lengths, every third with the same long beginning; answers greedy and drawn.
std::vector<EngineRequest> mixed_requests(uint32_t count, uint32_t vocab_size) {
  std::vector<EngineRequest> requests;
  std::mt19937 random(7);
  for (uint32_t i = 0; i < count; ++i) {
    const bool alike = i % 3 == 0;
    std::mt19937 words(alike ? 1000 : i);
    EngineRequest& r = requests.emplace_back();
    r.prompt.resize(alike ? 300 : 1 + random() % 250);
    for (TokenId& token : r.prompt) token = words() % vocab_size;
    if (alike) r.prompt.push_back(i);
    r.max_tokens = 5 + random() % 250;
    r.sampling.temperature = i % 2 ? 0.f : 1.f;
    r.sampling.seed = i;
    r.top_logprobs = 1;
  }
  return requests;
}

/// One answer, whatever else happens: alone, in company, in small chunks, after hits and preemptions, on any number of
/// threads. The same tokens, and logprobs of the same bits: each of them sums up all logits of its position.
void expect_one_answer(const std::string& model_path, kernels::KvDtype dtype, uint32_t num_requests,
                       uint32_t vocab_size, std::vector<unsigned> thread_counts) {
  const auto load = [&](unsigned threads) {
    return LoadedModel::load(model_path, {threads, "", false, kernels::Precision::kExact}).value();
  };
  std::vector<EngineRequest> requests;
  std::vector<Outcome> alone;
  {
    const auto model = load(1);
    if (is_slow(*model)) {  // fewer requests and not shorter answers: those must outgrow the small pool
      num_requests = 6;
      thread_counts = {2};
    }
    requests = mixed_requests(num_requests, vocab_size);
    for (const EngineRequest& r : requests) alone.push_back(run(*start(*model, 100, 512, dtype), {r}).begin()->second);
  }
  for (const unsigned threads : thread_counts)
    for (const auto& [pages, step_tokens] : {std::pair{400u, 512u}, {28u, 40u}, {400u, 7u}}) {
      const auto model = load(threads);
      const auto engine = start(*model, pages, step_tokens, dtype);
      for (int round = 0; round < 2; ++round) {  // the second round meets the prefixes of the first
        size_t i = 0;
        for (const auto& [id, outcome] : run(*engine, requests)) {
          SCOPED_TRACE(fmt::format("{} pages, steps of {}, request {}", pages, step_tokens, i));
          EXPECT_EQ(outcome.tokens, alone[i].tokens);
          EXPECT_EQ(outcome.logprobs, alone[i].logprobs);
          EXPECT_EQ(outcome.ends, 1u);
          ++i;
        }
      }
      const EngineStats stats = engine->stats();
      EXPECT_GT(stats.cached_tokens, 0u) << "nothing was met again";
      if (pages == 28) {
        EXPECT_GT(stats.preemptions, 0u) << "too much room";
      }
    }
}

TEST_F(EngineTest, EveryAnswerIsTheOneItsRequestWouldGetAlone) {
  for (const kernels::KvDtype dtype : {kernels::KvDtype::kBf16, kernels::KvDtype::kInt8, kernels::KvDtype::kF32})
    expect_one_answer(folder_.path(), dtype, 24, 80, {1, 3});
}

TEST_F(EngineTest, SoItIsWithTheDemoModel) {
  expect_one_answer(GOSSAMER_SOURCE_DIR "/models/gossamer-mini", kernels::KvDtype::kBf16, 9, 2000, {2});
}

TEST_F(EngineTest, SoItIsWithTheModelsOfTheOracles) {
  if (testing::oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
  for (const char* name : {"t64", "t96", "t160"})
    expect_one_answer(testing::oracle_folder() + "/models/" + name, kernels::KvDtype::kBf16, 9, 200, {2});
}

TEST_F(EngineTest, EveryPageComesBack) {
  const auto model = load();
  const auto engine = start(*model, 60, 64);
  std::vector<EngineRequest> requests;
  for (uint32_t i = 0; i < 20; ++i) requests.push_back(request(text(10 + 7 * i, i), 30));
  run(*engine, requests);
  run(*engine, {request(text(3, 99), 2)});  // its last step publishes figures from after the others' ends
  const EngineStats stats = engine->stats();
  EXPECT_LE(stats.held_pages, 2u);
  EXPECT_EQ(stats.free_pages + stats.evictable_pages + stats.held_pages, stats.num_pages);
}

TEST_F(EngineTest, AnswersOfOnePromptShareItsComputation) {
  const auto model = load();
  const auto engine = start(*model, 200, 64);
  std::vector<EngineRequest> requests;
  for (uint32_t choice = 0; choice < 6; ++choice) {
    requests.push_back(request(text(150, 1), 8));
    requests.back().sampling.temperature = 1;
    requests.back().sampling.choice_index = choice;
  }
  const auto outcomes = run(*engine, requests);
  uint32_t shared = 0;
  for (const auto& [id, outcome] : outcomes) shared += outcome.cached_tokens == 128;
  EXPECT_EQ(shared, 5u);
  EXPECT_NE(outcomes.begin()->second.tokens, outcomes.rbegin()->second.tokens);
}

TEST_F(EngineTest, APromptsOwnLogprobsAreThoseOfDecodingIt) {
  const auto model = load();
  const auto engine = start(*model, 60, 48);
  EngineRequest asked = request(text(70, 5), 90);
  asked.top_logprobs = 2;
  const Outcome decoded = run(*engine, {asked}).begin()->second;
  ASSERT_EQ(decoded.tokens.size(), 90u);

  EngineRequest told = request(asked.prompt, 1);
  told.prompt.insert(told.prompt.end(), decoded.tokens.begin(), decoded.tokens.end());
  told.top_logprobs = 0;
  told.prompt_logprobs = told.computes_whole_prompt = true;
  // Beside others, so that its rows are cut wherever the budget ends.
  std::vector<EngineRequest> crowd(5, request(text(100, 6), 20));
  crowd.insert(crowd.begin() + 2, told);
  Outcome outcome;
  for (const auto& [id, other] : run(*engine, crowd))
    if (!other.prompt_logprobs.empty()) outcome = other;
  ASSERT_EQ(outcome.prompt_logprobs.size(), told.prompt.size() - 1);
  for (size_t i = 0; i < decoded.tokens.size(); ++i)
    EXPECT_EQ(outcome.prompt_logprobs[asked.prompt.size() - 1 + i], decoded.logprobs[i][0]) << i;
}

TEST_F(EngineTest, StopTokensWaitForTheLeastLength) {
  const auto model = load();
  const auto engine = start(*model, 60, 48);
  EngineRequest free = request(text(20, 5), 40);
  const std::vector<TokenId> tokens = run(*engine, {free}).begin()->second.tokens;
  EngineRequest stopped = free;
  stopped.stop_tokens = {tokens[0]};
  EXPECT_EQ(run(*engine, {stopped}).begin()->second.tokens.size(), 1u);
  stopped.min_tokens = 6;
  const Outcome longer = run(*engine, {stopped}).begin()->second;
  ASSERT_GE(longer.tokens.size(), 7u);
  EXPECT_EQ(std::count(longer.tokens.begin(), longer.tokens.begin() + 6, tokens[0]), 0);
}

TEST_F(EngineTest, ForgottenPrefixesAreComputedAgain) {
  const auto model = load();
  const auto engine = start(*model, 60, 48);
  const EngineRequest asked = request(text(100, 5), 2);
  run(*engine, {asked});
  EXPECT_GT(run(*engine, {asked}).begin()->second.cached_tokens, 0u);
  engine->reset_prefix_cache();
  EXPECT_EQ(run(*engine, {asked}).begin()->second.cached_tokens, 0u);
}

TEST_F(EngineTest, CancellingEndsARequestWhereverItIs) {
  const auto model = load();
  const auto engine = start(*model, 60, 16);
  EventQueue events;
  const SequenceId answering = engine->submit(request(text(5, 1), 900), events.sink()).value();
  while (events.next().kind != EngineEvent::Kind::kToken) {
  }
  const SequenceId reading = engine->submit(request(text(200, 2), 20), events.sink()).value();
  engine->cancel(reading);
  engine->cancel(answering);
  engine->cancel(answering);
  engine->cancel(12345);
  uint32_t ends = 0;
  while (ends < 2) {
    const EngineEvent event = events.next();
    if (event.kind == EngineEvent::Kind::kEnd) {
      EXPECT_EQ(event.finish, FinishReason::kCancelled);
      ++ends;
    }
  }
  EXPECT_EQ(run(*engine, {request(text(5, 3), 4)}).begin()->second.tokens.size(), 4u);
}

TEST_F(EngineTest, ADeadlineEndsARequest) {
  const auto model = load();
  const auto engine = start(*model, 60, 64);
  EngineRequest hurried = request(text(5, 1), 0);
  hurried.timeout_seconds = 1e-6;
  EXPECT_EQ(run(*engine, {hurried}).begin()->second.finish, FinishReason::kDeadline);
}

TEST_F(EngineTest, TheEndOfTheEngineEndsEverything) {
  const auto model = load();
  EventQueue events;
  {
    const auto engine = start(*model, 60, 64);
    for (uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(engine->submit(request(text(50, i), 150), events.sink()).ok());
  }
  uint32_t ends = 0;
  while (ends < 5) ends += events.next().kind == EngineEvent::Kind::kEnd;
}

TEST_F(EngineTest, AFullLineSaysNotNow) {
  const auto model = load();
  EngineOptions options;
  options.limits.max_waiting_requests = 2;
  options.limits.max_rows = 1;
  const auto engine = Engine::start(*model, options).value();
  EventQueue events;
  std::string refused;
  for (uint32_t i = 0; i < 50 && refused.empty(); ++i) {
    const auto id = engine->submit(request(text(50, i), 200), events.sink());
    if (!id.ok()) refused = id.error().message;
  }
  EXPECT_THAT(refused, HasSubstr("not now"));
  EXPECT_THAT(refused, HasSubstr("try again in about"));
}

TEST_F(EngineTest, TooLittleMemoryIsSaidAtTheStart) {
  const auto model = load();
  EngineOptions options;
  options.kv_bytes = 100;
  const auto engine = Engine::start(*model, options);
  ASSERT_FALSE(engine.ok());
  EXPECT_THAT(engine.error().message, HasSubstr("too small"));
}

/// Requests of all sizes come and go, one in twenty is cancelled; memory stays what it is. GOSSAMER_SOAK_SECONDS=1800
/// makes it the half hour that a release is tried with.
TEST_F(EngineTest, MemoryStaysFlatForAsLongAsItRuns) {
  const char* wanted = std::getenv("GOSSAMER_SOAK_SECONDS");
  const double seconds = wanted ? std::atof(wanted) : 4;
  const auto model = load();
  const auto engine = start(*model, 80, 64);
  const uint64_t allocations = KvMemory::num_allocations();
  EventQueue events;
  std::mt19937 random(11);
  uint32_t open = 0, submitted = 0, ended = 0;
  long after_warm_up_kb = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  while (elapsed() < seconds || open > 0) {
    while (open < 12 && elapsed() < seconds) {
      EngineRequest r = request(text(1 + random() % 150, random() % 40), 1 + random() % 60);
      const SequenceId id = engine->submit(std::move(r), events.sink()).value();
      ++open, ++submitted;
      if (random() % 20 == 0) engine->cancel(id);
    }
    if (events.next().kind != EngineEvent::Kind::kEnd) continue;
    --open, ++ended;
    if (after_warm_up_kb == 0 && elapsed() > seconds / 3) after_warm_up_kb = resident_kb();
  }
  EXPECT_EQ(ended, submitted);
  EXPECT_EQ(KvMemory::num_allocations(), allocations);
  if (!testing::kSanitized) {  // sanitizers keep freed memory for themselves
    EXPECT_LE(resident_kb(), after_warm_up_kb + 2048) << "after " << submitted << " requests";
  }
  run(*engine, {request(text(3, 99), 2)});
  const EngineStats stats = engine->stats();
  EXPECT_LE(stats.held_pages, 2u);
  EXPECT_EQ(stats.free_pages + stats.evictable_pages + stats.held_pages, stats.num_pages);
}

TEST_F(EngineTest, MemoryIsWhatTheFormulaSays) {
  const auto model = load();
  const auto engine = start(*model, 100, 64);
  const KvShape shape = model->model->kv_shape(kernels::KvDtype::kBf16);
  EXPECT_EQ(shape.page_bytes(), 1u * 2 * 2 * 32 * 2 * kPageTokens);  // layers * (K, V) * heads * size * bytes * tokens
  EXPECT_EQ(engine->kv_bytes(), 100 * shape.page_bytes());
  EXPECT_THAT(engine->capacity(), HasSubstr("room for"));
}

}  // namespace
}  // namespace gossamer
