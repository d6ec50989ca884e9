/// Grammars are compiled beside the threads that read requests.

#include "server/constrain.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "server/test_app.h"
#include "server/work_line.h"

namespace gossamer::server {
namespace {

constexpr size_t kWorkThreads = 2, kMostWaiting = 64;  // of an App

/// Keeps all threads of an app's line busy until it is opened.
class Blockade {
 public:
  explicit Blockade(WorkLine& line) {
    for (size_t i = 0; i < kWorkThreads; ++i)
      EXPECT_TRUE(line.post([doors = doors_] {
        doors->begun.count_down();
        doors->open.wait();
      }));
    doors_->begun.wait();
  }
  void open() { doors_->open.count_down(); }

 private:
  struct Doors {
    std::latch begun{kWorkThreads}, open{1};
  };
  std::shared_ptr<Doors> doors_ = std::make_shared<Doors>();  // who waits at them leaves later than who opens them
};

/// A request whose grammar nobody has compiled yet.
std::string request_with_choice(int number) {
  return fmt::format(R"({{"messages": [{{"role": "user", "content": "x"}}], "guided_choice": ["a{}", "b{}"]}})", number,
                     number);
}

TEST(WorkLine, DoesWhatIsPostedAndDropsWhatIsTooMuch) {
  std::atomic<int> done{0};
  {
    WorkLine line(1, 2);
    std::latch begun{1}, open{1};
    ASSERT_TRUE(line.post([&] {
      begun.count_down();
      open.wait();
      ++done;
    }));
    begun.wait();
    EXPECT_TRUE(line.post([&] { ++done; }));
    EXPECT_TRUE(line.post([&] { ++done; }));
    EXPECT_FALSE(line.post([&] { ++done; })) << "two wait already";
    open.count_down();
    while (done < 3) std::this_thread::yield();
    EXPECT_TRUE(line.post([&] { ++done; }));
    while (done < 4) std::this_thread::yield();
    line.stop();
    EXPECT_FALSE(line.post([&] { ++done; }));
  }
  EXPECT_EQ(done, 4);
}

TEST(WorkLine, KeepsNoMoreThanItsBytesWaiting) {
  WorkLine line(1, 100, 10);
  std::latch begun{1}, open{1};
  ASSERT_TRUE(line.post([&] {
    begun.count_down();
    open.wait();
  }));
  begun.wait();
  EXPECT_TRUE(line.post([] {}, 1000)) << "nothing else waits";
  EXPECT_FALSE(line.post([] {}, 1));
  open.count_down();
  while (!line.post([] {}, 6)) std::this_thread::yield();
  line.stop();
}

TEST(WorkLine, StopsWithoutWhatHasNotBegun) {
  std::atomic<int> done{0};
  WorkLine line(1, 1 << 20);
  std::latch begun{1}, open{1};
  ASSERT_TRUE(line.post([&] {
    begun.count_down();
    open.wait();
    ++done;
  }));
  begun.wait();
  const auto held = std::make_shared<int>(0);
  ASSERT_TRUE(line.post([&done, held] { ++done; }));
  std::thread stopper([&] { line.stop(); });
  while (line.post([] {})) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // until it is stopping
  open.count_down();
  stopper.join();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(held.use_count(), 1) << "what was dropped is gone";
}

#ifdef GOSSAMER_WITH_GRAMMAR

TEST(Constrain, TheHandlerReturnsBeforeTheGrammarIsCompiled) {
  TestApp app({"<|channel|>final<|message|>a1<|return|>"});
  Blockade blockade(app.app().work());
  const auto exchange = app.send("POST", "/v1/chat/completions", request_with_choice(1));
  EXPECT_FALSE(exchange->has_ended());
  const auto other = app.ask("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "x"}]})");
  EXPECT_EQ(other->response().status, 200u) << "who needs no grammar passes";
  EXPECT_FALSE(exchange->has_ended());
  blockade.open();
  EXPECT_TRUE(exchange->wait());
  EXPECT_EQ(exchange->response().status, 200u);

  Blockade again(app.app().work());
  EXPECT_EQ(app.ask("POST", "/v1/chat/completions", request_with_choice(1))->response().status, 200u)
      << "what is compiled is had at once";
  again.open();
}

TEST(Constrain, AFullLineIsBusy) {
  TestApp app({"<|channel|>final<|message|>a1<|return|>"});
  Blockade blockade(app.app().work());
  std::vector<std::shared_ptr<FakeExchange>> waiting;
  for (size_t i = 0; i < kMostWaiting; ++i)
    waiting.push_back(app.send("POST", "/v1/chat/completions", request_with_choice(100 + static_cast<int>(i % 4))));
  const auto refused = app.ask("POST", "/v1/chat/completions", request_with_choice(99));
  EXPECT_EQ(refused->response().status, 429u);
  EXPECT_TRUE(refused->response().headers.find("Retry-After"));
  blockade.open();
  for (const auto& exchange : waiting) {
    EXPECT_TRUE(exchange->wait());
    EXPECT_EQ(exchange->response().status, 200u);
  }
}

TEST(Constrain, AClientThatGoesWhileItIsCompiledEndsItsAnswer) {
  Script slow;
  slow.seconds_per_token = 0.05;
  std::string text = "<|channel|>final<|message|>";
  for (int i = 0; i < 1000; ++i) text += " word";
  TestApp app({text}, {}, slow);
  Blockade blockade(app.app().work());
  const auto exchange = app.send("POST", "/v1/chat/completions", request_with_choice(2));
  exchange->go();
  blockade.open();
  for (int i = 0; i < 10'000 && app.model().source().stats().ended == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(app.model().source().stats().ended, 1u);
}

TEST(Constrain, AnAppEndsWithGrammarsInLine) {
  TestApp app({"<|channel|>final<|message|>a1<|return|>"});
  for (int i = 0; i < 20; ++i) (void)app.send("POST", "/v1/chat/completions", request_with_choice(200 + i));
}

TEST(Constrain, IsCounted) {
  TestApp app({"<|channel|>final<|message|>a1<|return|>"});
  (void)app.ask("POST", "/v1/chat/completions", request_with_choice(3));
  (void)app.ask("POST", "/v1/chat/completions", request_with_choice(3));
  const std::string metrics = app.ask("GET", "/metrics")->response().body;
  for (const char* name : {"gossamer_grammars_compiled_total ", "gossamer_grammar_cache_hits_total "}) {
    const size_t at = metrics.find("\n" + std::string(name));
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_GE(std::atof(metrics.c_str() + at + 1 + std::string(name).size()), 1) << name;
  }
  EXPECT_NE(metrics.find("\ngossamer_masked_probability_total 0\n"), std::string::npos);
}

#endif

}  // namespace
}  // namespace gossamer::server
