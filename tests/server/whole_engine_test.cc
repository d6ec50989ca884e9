/// The whole server with the demo model: a client that goes away gives its pages back within two steps of the engine,
/// wherever its request is.

#include <gtest/gtest.h>

#include "engine/engine.h"
#include "engine/loaded_model.h"
#include "http/test_server.h"
#include "server/engine_source.h"
#include "server/served_app.h"

namespace gossamer::server {
namespace {

using http::eventually;
using http::RawClient;

/// Remembers after how many steps the first cancel came.
class WatchedSource final : public TokenSource {
 public:
  explicit WatchedSource(std::unique_ptr<Engine> engine) : source_(std::move(engine)) {}

  Result<SequenceId> submit(EngineRequest request, EventSink sink) override {
    return source_.submit(std::move(request), std::move(sink));
  }
  void cancel(SequenceId id) override {
    source_.cancel(id);
    uint64_t none = kNever;  // counted afterwards: this thread may have waited for a processor before it
    steps_at_cancel_.compare_exchange_strong(none, stats().steps);
  }
  EngineStats stats() const override { return source_.stats(); }
  uint32_t max_sequence_tokens() const override { return source_.max_sequence_tokens(); }
  void reset_prefix_cache() override { source_.reset_prefix_cache(); }

  static constexpr uint64_t kNever = ~uint64_t{0};
  uint64_t steps_at_cancel() const { return steps_at_cancel_; }
  void forget_cancels() { steps_at_cancel_ = kNever; }

 private:
  EngineSource source_;
  std::atomic<uint64_t> steps_at_cancel_{kNever};
};

class WholeEngine : public ::testing::Test {
 protected:
  void SetUp() override {
    LoadOptions load;
    load.num_threads = 2;
    auto loaded = LoadedModel::load(GOSSAMER_SOURCE_DIR "/models/gossamer-mini", load);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    model_ = std::shared_ptr<LoadedModel>(std::move(*loaded));
    EngineOptions options;
    options.limits.max_step_tokens = 64;  // a long prompt takes many steps
    auto engine = Engine::start(*model_, options);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    auto source = std::make_unique<WatchedSource>(std::move(*engine));
    source_ = source.get();
    ServedModelParts parts;
    parts.names = ModelNames::of("gossamer-mini", {});
    parts.tokenizer = model_->tokenizer;
    parts.keeps = model_;
    parts.stop_tokens = model_->stop_tokens();
    parts.source = std::move(source);
    app_.app().set_model(*ServedModel::create(std::move(parts), &app_.app().metrics()));
  }

  void expect_pages_back(const std::string& when) {
    ASSERT_TRUE(eventually([&] { return source_->steps_at_cancel() != WatchedSource::kNever; })) << when;
    const uint64_t cancelled = source_->steps_at_cancel();
    ASSERT_TRUE(eventually([&] { return source_->stats().held_pages == 0; })) << when;
    const EngineStats stats = source_->stats();
    EXPECT_LE(stats.steps, cancelled + 2) << when;
    EXPECT_EQ(stats.running + stats.waiting, 0u) << when;
    EXPECT_EQ(stats.free_pages + stats.evictable_pages, stats.num_pages) << when;
    source_->forget_cancels();
  }

  std::shared_ptr<LoadedModel> model_;
  ServedApp app_{std::vector<std::string>{}};
  WatchedSource* source_ = nullptr;
};

TEST_F(WholeEngine, HasItsPagesBackWithinTwoSteps) {
  const std::string endless = R"(,"max_tokens":4000,"ignore_eos":true})";
  const std::string short_prompt = R"({"prompt":"a")" + endless;
  const std::string streamed = R"({"stream":true,"prompt":"a")" + endless;
  std::string many_tokens = "1";
  for (int i = 0; i < 3000; ++i) many_tokens += "," + std::to_string(10 + i % 900);
  const std::string long_prompt = R"({"prompt":[)" + many_tokens + "]" + endless;
  for (int round = 0; round < 3; ++round) {
    RawClient client(app_.server());
    client.send(post("/v1/completions", streamed));
    client.read_until("data: ");
    client.close();
    expect_pages_back("in a stream");

    client = RawClient(app_.server());
    client.send(post("/v1/completions", short_prompt));
    ASSERT_TRUE(eventually([&] { return source_->stats().held_pages > 0; }));
    client.reset();
    expect_pages_back("in an answer that does not stream");

    source_->reset_prefix_cache();
    client = RawClient(app_.server());
    client.send(post("/v1/completions", long_prompt));
    ASSERT_TRUE(eventually([&] { return source_->stats().held_pages > 0; }));
    client.reset();
    expect_pages_back("in its prompt");
  }
}

/// Of two answers the one whose client goes ends, and the other is as it would have been.
TEST_F(WholeEngine, LeavesOthersAlone) {
  const std::string body = R"({"prompt":"The capital of France","max_tokens":60,"ignore_eos":true,"temperature":0})";
  const auto text = [](const std::string& response) {
    const auto answer = parse_json(http::body_of(response), "the answer");
    return answer.ok() ? json::serialize(answer->at("choices")) : response;
  };
  const std::string alone = text(app_.ask(post("/v1/completions", body)));
  RawClient staying(app_.server()), going(app_.server());
  going.send(post("/v1/completions", R"({"stream":true,"prompt":"b","max_tokens":4000,"ignore_eos":true})"));
  going.read_until("data: ");
  staying.send(post("/v1/completions", body));
  ASSERT_TRUE(eventually([&] { return source_->stats().running == 2; }));
  going.close();
  EXPECT_EQ(text(staying.read_response()), alone);
}

}  // namespace
}  // namespace gossamer::server
