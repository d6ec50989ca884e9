#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "base/utf8.h"
#include "http/http_server.h"
#include "tools/mcp_client.h"
#include "tools/mcp_tool.h"

namespace gossamer::tools {
namespace {

using ::testing::HasSubstr;

const std::string kServer = "python3 '" GOSSAMER_SOURCE_DIR "/tests/tools/mcp_server.py'";

Clock::time_point in_seconds(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

ToolResult call(const Tool& tool, const std::string& function, const std::string& arguments, double seconds = 10,
                size_t bytes = 4096) {
  return tool.begin()->call(tool.name() + "." + function, arguments, {in_seconds(seconds), bytes}, Cancellation());
}

class McpStdio : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::shared_ptr<Tool>> tool = make_mcp_tool("test=" + kServer);
    ASSERT_TRUE(tool.ok()) << tool.error().message;
    tool_ = *tool;
  }
  std::shared_ptr<Tool> tool_;
};

TEST_F(McpStdio, ListsAndCalls) {
  EXPECT_EQ(tool_->name(), "test");
  EXPECT_TRUE(tool_->answers_to("test.add"));
  EXPECT_FALSE(tool_->answers_to("test.bad name!"));
  const ToolResult sum = call(*tool_, "add", R"({"a": 2, "b": 3})");
  EXPECT_EQ(sum.text, "5\n(image content, which cannot be read here)");
  EXPECT_FALSE(sum.failed);
  EXPECT_EQ(call(*tool_, "chatty", "{}").text, "pong");
}

TEST_F(McpStdio, FailuresAreTexts) {
  EXPECT_EQ(call(*tool_, "fail", "{}").text, "it failed");
  EXPECT_TRUE(call(*tool_, "fail", "{}").failed);
  EXPECT_THAT(call(*tool_, "nothing", "{}").text, HasSubstr("unknown tool"));
  EXPECT_TRUE(call(*tool_, "add", "[1]").failed);
  EXPECT_TRUE(call(*tool_, "add", "{").failed);
  EXPECT_THAT(call(*tool_, "die", "{}").text, HasSubstr("it has ended"));
  EXPECT_EQ(call(*tool_, "add", R"({"a": 1, "b": 1})").text.substr(0, 1), "2");  // begun anew
}

TEST_F(McpStdio, WhatTakesTooLongEnds) {
  const auto begun = Clock::now();
  EXPECT_TRUE(call(*tool_, "sleep", "{}", 0.5).failed);
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(5));
  EXPECT_FALSE(call(*tool_, "add", R"({"a": 1, "b": 1})").failed);
}

TEST_F(McpStdio, CancellationEndsIt) {
  Cancellation cancelled;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancelled.request();
  });
  const auto begun = Clock::now();
  EXPECT_TRUE(tool_->begin()->call("test.sleep", "{}", {in_seconds(30), 100}, cancelled).failed);
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(5));
  canceller.join();
}

TEST_F(McpStdio, LongResultsAreCutAtACharacter) {
  const ToolResult result = call(*tool_, "long", "{}", 10, 1001);
  EXPECT_LT(result.text.size(), 1100u);
  EXPECT_TRUE(utf8_valid(result.text));
  EXPECT_THAT(result.text, HasSubstr("more were cut"));
}

TEST_F(McpStdio, CallsOfSeveralGoSideBySide) {
  std::vector<std::future<ToolResult>> calls;
  for (const std::string name : {"a", "b", "c"})  // each is answered when all are there
    calls.push_back(std::async(std::launch::async,
                               [&, name] { return call(*tool_, "meet", R"({"name": ")" + name + R"("})", 30); }));
  EXPECT_EQ(calls[0].get().text, "a");
  EXPECT_EQ(calls[1].get().text, "b");
  EXPECT_EQ(calls[2].get().text, "c");
}

TEST_F(McpStdio, WhoGoesAwayTakesNothingFromOthers) {
  call(*tool_, "keep", R"({"word": "remembered"})");
  std::future<ToolResult> other =
      std::async(std::launch::async, [&] { return call(*tool_, "sleep", R"({"seconds": 1})", 30); });
  Cancellation cancelled;
  cancelled.request();
  EXPECT_TRUE(tool_->begin()->call("test.late", "{}", {in_seconds(30), 100}, cancelled).failed);
  EXPECT_EQ(call(*tool_, "cancelled", "{}", 30).text, "1");
  EXPECT_TRUE(call(*tool_, "late", "{}", 0.2).failed);
  EXPECT_EQ(other.get().text, "slept");
  EXPECT_EQ(call(*tool_, "kept", "{}").text, "remembered");  // and no late answer instead
}

TEST(McpServers, AreBegunAnewWhenTheyAreSilentOnly) {
  const json::object word{{"word", "remembered"}}, one_second{{"seconds", 1}}, none;
  const auto text = [](const Result<json::value>& result) {
    return result.ok() ? mcp_call_result(*result, 100).text : result.error().message;
  };
  const Cancellation never;
  McpClient slow(make_mcp_stdio(kServer + " 'one at a time'", std::chrono::seconds(30)));
  EXPECT_EQ(text(slow.call("keep", word, in_seconds(20), never)), "kept");
  EXPECT_FALSE(slow.call("sleep", one_second, in_seconds(0.2), never).ok());
  EXPECT_EQ(text(slow.call("kept", none, in_seconds(20), never)), "remembered");

  McpClient silent(make_mcp_stdio(kServer + " 'one at a time'", std::chrono::milliseconds(200)));
  EXPECT_EQ(text(silent.call("keep", word, in_seconds(20), never)), "kept");
  EXPECT_FALSE(silent.call("sleep", none, in_seconds(0.2), never).ok());
  EXPECT_THAT(text(silent.call("kept", none, in_seconds(20), never)), HasSubstr("it is silent"));
  EXPECT_EQ(text(silent.call("kept", none, in_seconds(20), never)), "nothing");
}

TEST(McpServers, OfAnotherVersionAreRefused) {
  const Result<std::shared_ptr<Tool>> tool = make_mcp_tool("test=" + kServer + " old");
  ASSERT_FALSE(tool.ok());
  EXPECT_THAT(tool.error().message, HasSubstr("\"1999-01-01\""));
  EXPECT_THAT(tool.error().message, HasSubstr("2025-06-18"));
  EXPECT_FALSE(mcp_agreed_version(json::object()).ok());
}

TEST(McpMessages, ComeInBatchesToo) {
  const auto batch = parse_mcp_messages(
      R"([{"jsonrpc": "2.0", "id": 1, "result": 5}, 3, {"jsonrpc": "2.0", "id": "2", "error": {"message": "no"}}])");
  ASSERT_TRUE(batch.ok());
  ASSERT_EQ(batch->size(), 2u);
  EXPECT_EQ((*batch)[0].answered_id(), 1);
  EXPECT_EQ((*batch)[1].answered_id(), 2);
  EXPECT_FALSE(parse_mcp_messages("[1, 2]").ok());
}

TEST(McpServers, ThatMisbehaveAreErrors) {
  for (const std::string how : {"ends", "garbage", "silent"}) {
    McpClient client(make_mcp_stdio(kServer + " " + how));
    EXPECT_FALSE(client.list_tools(in_seconds(1), Cancellation()).ok()) << how;
  }
  EXPECT_FALSE(make_mcp_tool("nobody=http://127.0.0.1:1/mcp").ok());
}

/// Answers as `answer` makes of the request's JSON.
class HttpMcp {
 public:
  using Answer = std::function<void(http::Exchange&, const json::object& request)>;
  explicit HttpMcp(Answer answer) : answer_(std::move(answer)) {
    http::ServerOptions options;
    options.port = 0;
    auto server = http::HttpServer::start(options, [this](std::shared_ptr<http::Exchange> exchange) {
      const Result<json::value> request = parse_json(exchange->request().body, "the request");
      ASSERT_TRUE(request.ok());
      {
        const std::lock_guard lock(mutex_);
        exchanges_.push_back(exchange);
      }
      answer_(*exchange, request->as_object());
    });
    EXPECT_TRUE(server.ok());
    server_ = std::move(*server);
  }
  std::string url() const { return server_->address() + "/mcp"; }

 private:
  const Answer answer_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<http::Exchange>> exchanges_;  // streams stay open
  std::unique_ptr<http::HttpServer> server_;
};

std::string result_text(const json::object& request, const json::value& result) {
  return json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", request.at("id")}, {"result", result}});
}

json::value greeting(const char* version) {
  return json::object{{"protocolVersion", version}};
}

json::value says(std::string_view text) {
  return json::object{{"content", json::array{json::object{{"type", "text"}, {"text", text}}}}};
}

const json::value kOneTool = json::object{{"tools", json::array{json::object{{"name", "echo"}}}}};

TEST(McpHttp, SessionsJsonAndEvents) {
  int num_sessions = 0;
  bool forgets = false;
  HttpMcp server([&](http::Exchange& exchange, const json::object& request) {
    const std::string method = std::string(request.at("method").as_string());
    const std::string* session = exchange.request().headers.find("Mcp-Session-Id");
    EXPECT_EQ(exchange.request().path, "/mcp");
    if (method == "initialize")
      return exchange.respond(
          {200,
           {{"Content-Type", "application/json"}, {"Mcp-Session-Id", "s" + std::to_string(++num_sessions)}},
           result_text(request, greeting(kMcpVersion))});
    EXPECT_TRUE(session);
    if (std::exchange(forgets, false)) return exchange.respond({404, {}, ""});
    if (method == "notifications/initialized") return exchange.respond({202, {}, ""});
    if (method == "tools/list")
      return exchange.respond({200, {{"Content-Type", "application/json"}}, result_text(request, kOneTool)});
    exchange.begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
    exchange.write("data: {\"jsonrpc\": \"2.0\", \"method\": \"notifications/progress\"}\n\n");
    const json::string& said = request.at("params").at("arguments").at("x").as_string();
    exchange.write("data: " + result_text(request, says(said)) + "\n\n");
    // The stream stays open: the answer is taken as soon as it is there.
  });
  Result<std::shared_ptr<Tool>> tool = make_mcp_tool("web=" + server.url());
  ASSERT_TRUE(tool.ok()) << tool.error().message;
  EXPECT_EQ(call(**tool, "echo", R"({"x": "hello"})").text, "hello");
  forgets = true;
  EXPECT_EQ(call(**tool, "echo", R"({"x": "again"})").text, "again");
  EXPECT_EQ(num_sessions, 2);
}

TEST(McpHttp, TheVersionIsAgreedOn) {
  std::atomic<int> num_right = 0;
  HttpMcp server([&](http::Exchange& exchange, const json::object& request) {
    const std::string* version = exchange.request().headers.find("MCP-Protocol-Version");
    if (request.at("method") == "initialize") {
      EXPECT_EQ(version, nullptr);
      return exchange.respond(
          {200, {{"Content-Type", "application/json"}}, result_text(request, greeting("2025-03-26"))});
    }
    if (version && *version == "2025-03-26") ++num_right;
    if (!request.contains("id")) return exchange.respond({202, {}, ""});
    exchange.respond({200, {{"Content-Type", "application/json"}}, result_text(request, kOneTool)});
  });
  const Result<std::shared_ptr<Tool>> tool = make_mcp_tool("web=" + server.url());
  ASSERT_TRUE(tool.ok()) << tool.error().message;
  EXPECT_EQ(num_right, 2);  // notifications/initialized and tools/list
}

TEST(McpHttp, WhoWaitsHoldsNobodyUpAndSaysWhenItGoes) {
  std::promise<int64_t> endless_begun, cancelled_id;
  HttpMcp server([&](http::Exchange& exchange, const json::object& request) {
    const std::string method = std::string(request.at("method").as_string());
    if (method == "notifications/cancelled") cancelled_id.set_value(request.at("params").at("requestId").as_int64());
    if (!request.contains("id")) return exchange.respond({202, {}, ""});
    if (method == "tools/call" && request.at("params").at("arguments").as_object().contains("endless")) {
      exchange.begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
      return endless_begun.set_value(request.at("id").as_int64());
    }
    const json::value result = method == "initialize"   ? greeting(kMcpVersion)
                               : method == "tools/list" ? kOneTool
                                                        : says("at once");
    exchange.respond({200, {{"Content-Type", "application/json"}}, result_text(request, result)});
  });
  const Result<std::shared_ptr<Tool>> tool = make_mcp_tool("web=" + server.url());
  ASSERT_TRUE(tool.ok()) << tool.error().message;
  Cancellation cancelled;
  std::future<ToolResult> endless = std::async(std::launch::async, [&] {
    return (*tool)->begin()->call("web.echo", R"({"endless": true})", {in_seconds(60), 100}, cancelled);
  });
  const int64_t id = endless_begun.get_future().get();
  EXPECT_EQ(call(**tool, "echo", "{}").text, "at once");
  cancelled.request();
  EXPECT_TRUE(endless.get().failed);
  std::future<int64_t> told = cancelled_id.get_future();
  ASSERT_EQ(told.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(told.get(), id);
}

TEST(McpHttp, BadAnswersAreErrors) {
  for (const std::string body : {"", "no", "{}", R"({"jsonrpc": "2.0", "id": 99, "result": {}})"}) {
    HttpMcp server([&](http::Exchange& exchange, const json::object&) {
      exchange.respond({200, {{"Content-Type", "application/json"}}, body});
    });
    EXPECT_FALSE(make_mcp_tool("web=" + server.url()).ok()) << body;
  }
  HttpMcp refusing([](http::Exchange& exchange, const json::object&) { exchange.respond({401, {}, ""}); });
  EXPECT_THAT(make_mcp_tool("web=" + refusing.url()).error().message, HasSubstr("401"));
}

}  // namespace
}  // namespace gossamer::tools
