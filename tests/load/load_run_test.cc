#include "load/load_run.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "load/fake_api.h"
#include "load/model_list.h"

namespace gossamer::load {
namespace {

using Exchanges = std::shared_ptr<http::Exchange>;

/// Keeps exchanges open.
struct Shelf {
  void keep(Exchanges exchange) {
    const std::lock_guard lock(mutex);
    kept.push_back(std::move(exchange));
  }
  std::mutex mutex;
  std::vector<Exchanges> kept;
};

LoadResult run_against(const FakeApi::Answer& answer, LoadPlan plan = plan_of(1, 1)) {
  FakeApi api(answer);
  return run_load(api.client(), plan);
}

TEST(LoadRun, MeasuresWhatIsAnswered) {
  const LoadResult result = run_against([](Exchanges exchange) { FakeApi::stream(*exchange, 5); }, plan_of(40, 4));
  EXPECT_EQ(result.tally.answered, 40u);
  EXPECT_EQ(result.tally.events, 200u);
  EXPECT_EQ(result.tally.output_tokens, 360u) << "the server's own count";
  EXPECT_EQ(result.tally.input_tokens, 120u);
  EXPECT_EQ(result.tally.itl_ms.count(), 160u);
  EXPECT_EQ(result.tally.added_ms.count(), 40u);
  EXPECT_EQ(result.records.size(), 40u);
  EXPECT_FALSE(result.stopped);
  EXPECT_LE(result.tally.ttft_ms.max(), result.tally.latency_ms.max());
  EXPECT_GE(result.wall_seconds, result.tally.latency_ms.max() / 1e3);
}

TEST(LoadRun, SendsWhatThePlanSays) {
  FakeApi api([](Exchanges exchange) { FakeApi::stream(*exchange, 1); });
  LoadPlan plan = plan_of(1, 1);
  plan.request.api_key = "secret";
  run_load(api.client(), plan);
  const http::Request request = api.requests().at(0);
  EXPECT_EQ(request.path, "/v1/chat/completions");
  EXPECT_EQ(*request.headers.find("authorization"), "Bearer secret");
  EXPECT_EQ(request.body.find("{\"messages\":"), 0u);
}

TEST(LoadRun, NoMoreAtOnceThanAllowed) {
  std::atomic<int> now{0}, most{0};
  std::deque<std::thread> threads;
  std::mutex mutex;
  const LoadResult result = run_against(
      [&](Exchanges exchange) {
        const int running = ++now;
        most = std::max(most.load(), running);
        const std::lock_guard lock(mutex);
        threads.emplace_back([&now, exchange] {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
          --now;
          FakeApi::stream(*exchange, 1);
        });
      },
      plan_of(30, 3));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(result.tally.answered, 30u);
  EXPECT_EQ(most, 3);
}

TEST(LoadRun, OpenLoopWaitsForNobody) {
  Shelf shelf;
  FakeApi api([&](Exchanges exchange) { shelf.keep(std::move(exchange)); });
  LoadPlan plan = plan_of(20, 0);
  plan.pace.rate = 400;
  std::atomic<uint64_t> most_running{0};
  const LoadResult result = run_load(api.client(), plan, [&](const LoadProgress& progress) {
    most_running = std::max<uint64_t>(most_running, progress.begun - progress.ended);
    return progress.begun < 20;
  });
  EXPECT_EQ(most_running, 20u) << "none was answered, and still all were sent";
  EXPECT_EQ(result.tally.unfinished, 20u);
}

TEST(LoadRun, OpenLoopCountsFromWhenARequestWasDue) {
  std::deque<std::thread> threads;
  std::mutex mutex;
  LoadPlan plan = plan_of(10, 1);
  plan.pace.rate = 1e6;
  const LoadResult result = run_against(
      [&](Exchanges exchange) {
        const std::lock_guard lock(mutex);
        threads.emplace_back([exchange] {
          std::this_thread::sleep_for(std::chrono::milliseconds(10));
          FakeApi::stream(*exchange, 1);
        });
      },
      plan);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(result.tally.latency_ms.max(), 100) << "the last of ten waited for nine others";
}

TEST(LoadRun, BeginsNothingWhenItsTimeIsOver) {
  LoadPlan plan = plan_of(0, 2);
  plan.pace.duration_seconds = 0.2;
  const LoadResult result = run_against([](Exchanges exchange) { FakeApi::stream(*exchange, 1); }, plan);
  EXPECT_GT(result.tally.answered, 2u);
  EXPECT_GE(result.wall_seconds, 0.15);
  EXPECT_LT(result.wall_seconds, 5);
  for (const RequestRecord& record : result.records) EXPECT_LT(record.begin_seconds, 0.2);
}

TEST(LoadRun, StopsWithWhatThereIs) {
  Shelf shelf;
  std::atomic<int> count{0};
  FakeApi api([&](Exchanges exchange) {
    if (count++ < 3) return FakeApi::stream(*exchange, 2);
    shelf.keep(std::move(exchange));
  });
  const LoadResult result = run_load(api.client(), plan_of(100, 2), [](const LoadProgress& progress) {
    return progress.ended < 3 || progress.begun < 5;
  });
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(result.tally.answered, 3u);
  EXPECT_EQ(result.tally.unfinished, 2u);
  EXPECT_TRUE(result.tally.errors.empty());
}

TEST(LoadRun, WholeAnswers) {
  LoadPlan plan = plan_of(1, 1);
  plan.request.stream = false;
  const LoadResult result = run_against(
      [](Exchanges exchange) {
        exchange->respond({.body = R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],)"
                                   R"("usage":{"prompt_tokens":3,"completion_tokens":9}})"});
      },
      plan);
  EXPECT_EQ(result.tally.answered, 1u);
  EXPECT_EQ(result.tally.output_tokens, 9u);
  EXPECT_EQ(result.tally.ttft_ms.count(), 0u);
}

TEST(LoadRun, AnAnswerWithoutTextHasATimeToItsFirstEvent) {
  const LoadResult result = run_against([](Exchanges exchange) { FakeApi::stream(*exchange, 0); });
  EXPECT_EQ(result.tally.answered, 1u);
  EXPECT_EQ(result.tally.ttft_ms.count(), 1u);
}

/// What a server may do wrong, and what that is called.
struct Wrong {
  const char* kind;
  const char* sentence;
  FakeApi::Answer answer;
};

class LoadErrors : public ::testing::TestWithParam<Wrong> {};

TEST_P(LoadErrors, AreCountedByKind) {
  LoadPlan plan = plan_of(3, 2);
  plan.request.timeout_seconds = 0.2;
  const LoadResult result = run_against(GetParam().answer, plan);
  EXPECT_EQ(result.tally.failed, 3u);
  EXPECT_EQ(result.tally.answered, 0u);
  ASSERT_EQ(result.tally.errors.count(GetParam().kind), 1u) << result.tally.errors.begin()->first;
  const Tally::Errors& errors = result.tally.errors.at(GetParam().kind);
  EXPECT_EQ(errors.count, 3u);
  EXPECT_NE(errors.example.find(GetParam().sentence), std::string::npos) << errors.example;
}

Shelf* forgotten() {
  static Shelf shelf;
  return &shelf;
}

INSTANTIATE_TEST_SUITE_P(
    Each, LoadErrors,
    ::testing::Values(
        Wrong{"HTTP 404", "no such model",
              [](Exchanges exchange) {
                exchange->respond({.status = 404, .body = R"({"error":{"message":"no such model"}})"});
              }},
        Wrong{"HTTP 502", "<html>", [](Exchanges exchange) { exchange->respond({.status = 502, .body = "<html>"}); }},
        Wrong{"HTTP 500", "\xef\xbf\xbd",
              [](Exchanges exchange) { exchange->respond({.status = 500, .body = "\xff"}); }},
        Wrong{"HTTP 429", "no sentence", [](Exchanges exchange) { exchange->respond({.status = 429}); }},
        Wrong{"timeout", "in time", [](Exchanges exchange) { forgotten()->keep(std::move(exchange)); }},
        Wrong{"broken stream", "ended before", [](Exchanges exchange) { FakeApi::stream(*exchange, 2, ""); }},
        Wrong{"broken stream", "closed the connection",
              [](Exchanges exchange) {
                exchange->begin_stream(200, {}, {});
                exchange->write("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
              }},
        Wrong{"stream error", "out of memory",
              [](Exchanges exchange) {
                FakeApi::stream(*exchange, 1, "data: {\"error\":{\"message\":\"out of memory\"}}\n\ndata: [DONE]\n\n");
              }},
        Wrong{"not JSON", "not JSON", [](Exchanges exchange) { FakeApi::stream(*exchange, 1, "data: {\n\n"); }}));

TEST(LoadRun, AServerThatIsNotThere) {
  std::string address;
  {
    FakeApi api([](Exchanges) {});
    address = api.address();
  }
  auto client = http::HttpClient::create(address);
  ASSERT_TRUE(client.ok());
  const LoadResult result = run_load(**client, plan_of(5, 2));
  EXPECT_EQ(result.tally.errors.at("no connection").count, 5u);
  EXPECT_NE(result.tally.errors.at("no connection").example.find("refused"), std::string::npos);
  const auto model = first_model(**client, "");
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().message.find("refused"), std::string::npos) << model.error().message;
}

TEST(ModelList, TheFirstOne) {
  FakeApi api([](Exchanges exchange) { exchange->respond({.body = R"({"data":[{"id":"one"},{"id":"two"}]})"}); });
  const auto model = first_model(api.client(), "key");
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(*model, "one");
  EXPECT_EQ(api.requests().at(0).path, "/v1/models");
  EXPECT_EQ(*api.requests().at(0).headers.find("authorization"), "Bearer key");
}

TEST(ModelList, WhatIsNoListIsSaid) {
  struct Case {
    unsigned status;
    const char *body, *sentence;
  };
  for (const Case& each :
       {Case{401, R"({"error":{"message":"wrong key"}})", "401: wrong key"}, Case{200, R"({"data":[]})", "no model"},
        Case{200, "<html>", "/v1/models"}, Case{404, "", "answers 404;"}}) {
    FakeApi api([&](Exchanges exchange) { exchange->respond({.status = each.status, .body = each.body}); });
    const auto model = first_model(api.client(), "");
    ASSERT_FALSE(model.ok());
    EXPECT_NE(model.error().message.find(each.sentence), std::string::npos) << model.error().message;
  }
}

}  // namespace
}  // namespace gossamer::load
