#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
      answer_(*exchange, request->as_object());
    });
    EXPECT_TRUE(server.ok());
    server_ = std::move(*server);
  }
  std::string url() const { return server_->address() + "/mcp"; }

 private:
  const Answer answer_;
  std::unique_ptr<http::HttpServer> server_;
};

std::string result_text(const json::object& request, const json::value& result) {
  return json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", request.at("id")}, {"result", result}});
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
           result_text(request, json::object())});
    EXPECT_TRUE(session);
    if (std::exchange(forgets, false)) return exchange.respond({404, {}, ""});
    if (method == "notifications/initialized") return exchange.respond({202, {}, ""});
    if (method == "tools/list")
      return exchange.respond({200, {{"Content-Type", "application/json"}}, result_text(request, kOneTool)});
    exchange.begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
    exchange.write("data: {\"jsonrpc\": \"2.0\", \"method\": \"notifications/progress\"}\n\n");
    const json::value said = json::object{
        {"content",
         json::array{json::object{{"type", "text"}, {"text", request.at("params").at("arguments").at("x")}}}}};
    exchange.write("data: " + result_text(request, said) + "\n\n");
    // The stream stays open: the answer is taken as soon as it is there.
  });
  Result<std::shared_ptr<Tool>> tool = make_mcp_tool("web=" + server.url());
  ASSERT_TRUE(tool.ok()) << tool.error().message;
  EXPECT_EQ(call(**tool, "echo", R"({"x": "hello"})").text, "hello");
  forgets = true;
  EXPECT_EQ(call(**tool, "echo", R"({"x": "again"})").text, "again");
  EXPECT_EQ(num_sessions, 2);
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
