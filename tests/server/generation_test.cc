/// Answers as events, streams and clients that go.

#include "server/generation.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "base/utf8.h"
#include "server/answer_limits.h"
#include "server/answer_reader.h"
#include "server/test_app.h"

namespace gossamer::server {
namespace {

/// Text of the choices as a client of the stream puts them together.
struct Told {
  std::string content, reasoning, arguments, finish, stop;
  bool operator==(const Told&) const = default;
};

Told of_whole(const json::value& answer) {
  const json::value& choice = answer.at("choices").at(0);
  const json::object& message = choice.at("message").as_object();
  Told told;
  if (const auto* text = message.at("content").if_string()) told.content = *text;
  if (const auto* text = message.at("reasoning").if_string()) told.reasoning = *text;
  if (const auto* calls = message.if_contains("tool_calls"))
    for (const json::value& call : calls->as_array())
      told.arguments += std::string(call.at("function").at("name").as_string()) + ":" +
                        std::string(call.at("function").at("arguments").as_string()) + ";";
  told.finish = choice.at("finish_reason").as_string();
  if (const auto* stop = choice.at("stop_reason").if_string()) told.stop = *stop;
  return told;
}

Told of_stream(const std::string& stream) {
  Told told;
  int finishes = 0, open_call = -1;
  for (const json::value& event : TestApp::events(stream)) {
    if (event.is_null()) break;
    EXPECT_EQ(finishes, 0) << "something after the finish";
    const json::value& choice = event.at("choices").at(0);
    const json::object& delta = choice.at("delta").as_object();
    if (const auto* text = delta.if_contains("content")) told.content += text->as_string();
    if (const auto* text = delta.if_contains("reasoning")) told.reasoning += text->as_string();
    if (const auto* calls = delta.if_contains("tool_calls")) {
      const json::object& call = calls->at(0).as_object();
      const json::object& function = call.at("function").as_object();
      const int index = call.at("index").to_number<int>();
      if (index != open_call) {
        EXPECT_EQ(index, open_call + 1);
        EXPECT_TRUE(call.contains("id"));
        if (open_call >= 0) told.arguments += ";";
        told.arguments += std::string(function.at("name").as_string()) + ":";
        open_call = index;
      } else {
        EXPECT_FALSE(function.contains("name"));
      }
      told.arguments += function.at("arguments").as_string();
    }
    if (const auto* finish = choice.at("finish_reason").if_string()) {
      told.finish = *finish;
      if (const auto* stop = choice.at("stop_reason").if_string()) told.stop = *stop;
      ++finishes;
    }
  }
  if (open_call >= 0) told.arguments += ";";
  EXPECT_EQ(finishes, 1);
  return told;
}

/// Any tokens at all: whatever a model may say.
std::string random_answer(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"<|start|>",
                                                   "<|end|>",
                                                   "<|message|>",
                                                   "<|channel|>",
                                                   "<|constrain|>",
                                                   "<|return|>",
                                                   "<|call|>",
                                                   "assistant",
                                                   "analysis",
                                                   "final",
                                                   "commentary",
                                                   " to=",
                                                   "functions.f",
                                                   "f",
                                                   "json",
                                                   "{\"a\":1}",
                                                   "Hello",
                                                   " STOP",
                                                   "ST",
                                                   "OP",
                                                   "ä",
                                                   "😀",
                                                   "\n\n",
                                                   "functions.g",
                                                   "<|channel|>final<|message|>",
                                                   "<|channel|>commentary to=functions.f <|constrain|>json<|message|>",
                                                   "<|end|><|start|>assistant"};
  std::string answer;
  for (size_t i = random() % 16; i > 0; --i) answer += kPieces[random() % kPieces.size()];
  return answer;
}

TEST(Answers, AreTheSameStreamedAndWholeWhateverTheModelSays) {
  std::mt19937 random(11);
  std::vector<std::string> answers;
  for (int i = 0; i < 1500; ++i) {
    const std::string answer = random_answer(random);
    answers.insert(answers.end(), {answer, answer});
  }
  TestApp app(answers);
  const std::string head =
      R"({"messages": [{"role": "user", "content": "x"}], "stop": ["STOP", "ä"], "tools": [{"type": "function",
         "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}], "max_tokens": 12, "stream": )";
  for (size_t i = 0; i < answers.size(); i += 2) {
    SCOPED_TRACE(answers[i]);
    const json::value whole = app.ask_json("/v1/chat/completions", head + "false}");
    const auto stream = app.ask("POST", "/v1/chat/completions", head + "true}");
    ASSERT_EQ(stream->response().status, 200u);
    ASSERT_TRUE(utf8_valid(stream->response().body));
    for (const std::string& piece : stream->pieces()) ASSERT_TRUE(utf8_valid(piece));
    ASSERT_EQ(of_whole(whole), of_stream(stream->response().body));
    ASSERT_EQ(of_whole(whole).content.find("<|"), std::string::npos);
    if (answers[i].find("commentary") != std::string::npos) continue;  // in a preamble stops do not count
    for (const char* stop : {"STOP", "ä"}) ASSERT_EQ(of_whole(whole).content.find(stop), std::string::npos);
  }
}

TEST(Answers, CountEveryToken) {
  TestApp app({"<|channel|>final<|message|>one two three<|return|>"});
  const json::value answer = app.ask_json("/v1/chat/completions", R"({"messages": [{"role": "user", "content": "x"}],
      "return_token_ids": true})");
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), answer.at("choices").at(0).at("token_ids").as_array().size());
}

TEST(Streams, BeginWithTheRoleTogetherWithTheFirstToken) {
  Script slow;
  slow.first_token_seconds = 0.05;
  slow.seconds_per_token = 0.01;
  TestApp app({"<|channel|>final<|message|>Hi you<|return|>"}, {}, slow);
  const auto stream =
      app.ask("POST", "/v1/chat/completions", R"({"stream": true, "messages": [{"role": "user", "content": "x"}]})");
  EXPECT_NE(stream->pieces().front().find("\"role\":\"assistant\""), std::string::npos);
  EXPECT_NE(stream->pieces().front().find("\"content\":\"Hi\""), std::string::npos);
  EXPECT_EQ(*stream->response().headers.find("Cache-Control"), "no-cache");
}

TEST(Clients, ThatGoFreeTheirPlace) {
  Script slow;
  slow.seconds_per_token = 0.005;
  std::string endless = "<|channel|>final<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  TestApp app({endless}, {}, slow);
  for (const char* body : {R"({"stream": true, "messages": [{"role": "user", "content": "x"}]})",
                           R"({"messages": [{"role": "user", "content": "x"}]})",
                           R"({"n": 3, "messages": [{"role": "user", "content": "x"}]})"}) {
    const auto exchange = app.send("POST", "/v1/chat/completions", body);
    while (app.model().source().stats().running == 0) std::this_thread::yield();
    exchange->go();
    for (int i = 0; i < 1000 && app.model().source().stats().running > 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(app.model().source().stats().running, 0u);
  }
}

TEST(Abort, EndsAnAnswerByAnyOfItsIds) {
  Script slow;
  slow.seconds_per_token = 0.005;
  std::string endless = "<|channel|>final<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  TestApp app({endless}, {}, slow);
  const auto by_header = app.send("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "x"}]})",
                                  {{"x-request-id", "mine"}});
  while (app.model().source().stats().running == 0) std::this_thread::yield();
  EXPECT_EQ(app.ask("POST", "/abort", R"({"request_id": "mine"})")->response().status, 200u);
  ASSERT_TRUE(by_header->wait());
  EXPECT_NE(by_header->response().body.find("\"finish_reason\":\"length\""), std::string::npos);

  const auto streamed =
      app.send("POST", "/v1/chat/completions", R"({"stream": true, "messages": [{"role": "user", "content": "x"}]})");
  ASSERT_TRUE(streamed->wait_for_pieces(2));
  EXPECT_EQ(app.ask("POST", "/abort", R"({"abort_all": true})")->response().status, 200u);
  ASSERT_TRUE(streamed->wait());
  EXPECT_TRUE(streamed->response().body.ends_with("data: [DONE]\n\n"));
}

TEST(Abort, EndsNobodyElsesAnswers) {
  Script slow;
  slow.seconds_per_token = 0.005;
  std::string endless = "<|channel|>final<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  AppOptions options;
  options.api_keys = {"one", "two"};
  TestApp app({endless}, options, slow);
  const http::Headers one{{"X-Api-Key", "one"}, {"x-request-id", "mine"}}, two{{"X-Api-Key", "two"}};
  const auto answer =
      app.send("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "x"}]})", one);
  while (app.model().source().stats().running == 0) std::this_thread::yield();
  EXPECT_EQ(app.ask("POST", "/abort", R"({"request_id": "mine"})", two)->response().status, 404u);
  EXPECT_EQ(app.ask("POST", "/abort", R"({"abort_all": true})", two)->response().body, R"({"aborted":0})");
  EXPECT_FALSE(answer->has_ended());
  EXPECT_EQ(app.ask("POST", "/abort", R"({"request_id": "mine"})", one)->response().status, 200u);
  EXPECT_TRUE(answer->wait());
}

TEST(Seeds, OfMinusOneAreRandomAndOthersAreNot) {
  TestApp app({"<|channel|>final<|message|>Hi<|return|>"});
  const auto seed_of = [&](json::object body) {
    JsonReader reader(body);
    return read_limits(reader, app.model()).sampling.seed;
  };
  EXPECT_EQ(seed_of({{"seed", 7}}), 7u);
  EXPECT_EQ(seed_of({{"seed", -2}}), static_cast<uint64_t>(-2));
  EXPECT_NE(seed_of({{"seed", -1}}), seed_of({{"seed", -1}}));
  EXPECT_NE(seed_of({}), seed_of({{"seed", nullptr}}));
}

TEST(Deadlines, EndAnAnswerWithWhatItHas) {
  Script slow;
  slow.seconds_per_token = 0.005;
  std::string endless = "<|channel|>final<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  TestApp app({endless}, {}, slow);
  const json::value answer =
      app.ask_json("/v1/chat/completions", R"({"timeout_ms": 60, "messages": [{"role": "user", "content": "x"}]})");
  EXPECT_EQ(answer.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_FALSE(answer.at("choices").at(0).at("message").at("content").as_string().empty());
}

TEST(Models, EndWithTheirAnswers) {
  Script slow;
  slow.seconds_per_token = 0.005;
  std::string endless = "<|channel|>final<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  TestApp app({endless}, {}, slow);
  const auto exchange = app.send("POST", "/v1/chat/completions",
                                 R"({"stream": true, "n": 2, "messages": [{"role": "user", "content": "x"}]})");
  ASSERT_TRUE(exchange->wait_for_pieces(3));
  app.app().set_model(nullptr);
  ASSERT_TRUE(exchange->wait());
  EXPECT_TRUE(exchange->response().body.ends_with("data: [DONE]\n\n"));
}

TEST(ManyAtOnce, EachGetsItsOwn) {
  std::vector<std::string> answers = {"<|channel|>final<|message|>a b c d e f<|return|>"};
  TestApp app(answers);
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        const auto stream = app.send("POST", "/v1/chat/completions",
                                     R"({"stream": true, "n": 2, "messages": [{"role": "user", "content": "x"}]})");
        right += stream->wait() && stream->response().body.ends_with("data: [DONE]\n\n");
      }
    });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 400);
}

}  // namespace
}  // namespace gossamer::server
