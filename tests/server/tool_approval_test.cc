/// Calls of MCP servers that wait for the client's word.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "server/tool_loop.h"

namespace gossamer::server {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

/// Responses with an MCP server whose calls wait for the client's word.
class Approval : public ToolLoop {
 protected:
  json::value ask(const std::string& input, const std::string& more = R"(, "require_approval": "always")") {
    const Answer answer = app_->ask("POST", kResponses, body(input, more));
    EXPECT_EQ(answer.status, 200u) << answer.body;
    return answer.json();
  }
  static std::string body(const std::string& input, const std::string& more) {
    return R"({"input": )" + input + R"(, "tools": [{"type": "mcp", "server_label": "weather")" + more + "}]}";
  }
  /// The input of a request that goes on from `previous`, and answers what it asked.
  static std::string word_on(const json::value& previous, const std::string& word) {
    const json::value& asked = previous.at("output").as_array().back();
    return fmt::format(R"([{{"type": "mcp_approval_response", "approval_request_id": "{}", {}}}],
                           "previous_response_id": "{}")",
                       std::string_view(asked.at("id").as_string()), word,
                       std::string_view(previous.at("id").as_string()));
  }
  static std::vector<std::string> types(const json::value& response) {
    std::vector<std::string> types;
    for (const json::value& item : response.at("output").as_array()) types.emplace_back(item.at("type").as_string());
    return types;
  }

  const std::shared_ptr<FakeTool> weather_ = fake_mcp(gives("rain"));
};

TEST_F(Approval, IsAskedForAndThenTheCallIsMade) {
  begin({thought("Look.") + server_call("weather.now", R"({"a":1})"), thought("So.") + final_answer("Rain.")},
        with_tools({weather_}));
  const json::value asked = ask(R"("?")");
  EXPECT_THAT(types(asked), ElementsAre("mcp_list_tools", "reasoning", "mcp_approval_request"));
  EXPECT_EQ(asked.at("status"), "completed");
  const json::value& item = asked.at("output").at(2);
  EXPECT_EQ(item.at("server_label"), "weather");
  EXPECT_EQ(item.at("name"), "now");
  EXPECT_EQ(item.at("arguments"), R"({"a":1})");
  EXPECT_TRUE(weather_->asked().empty());

  const json::value made = ask(word_on(asked, R"("approve": true)"));
  EXPECT_THAT(types(made), ElementsAre("mcp_list_tools", "mcp_call", "reasoning", "message"));
  EXPECT_EQ(made.at("output").at(1).at("approval_request_id"), item.at("id"));
  EXPECT_EQ(made.at("output").at(1).at("output"), "rain");
  EXPECT_THAT(weather_->asked(), ElementsAre(R"(weather.now: {"a":1})"));
  const std::string told =
      "<|channel|>analysis<|message|>Look.<|end|><|start|>assistant to=weather.now<|channel|>commentary "
      "<|constrain|>json<|message|>{\"a\":1}<|call|><|start|>weather.now to=assistant<|channel|>commentary<|message|>"
      "rain<|end|><|start|>assistant";
  EXPECT_THAT(app_->last_prompt(), EndsWith(told));
  EXPECT_GT(made.at("usage").at("input_tokens").to_number<int>(), 0);

  // Whoever goes on from there does not have it made again.
  ask(fmt::format(R"("And?", "previous_response_id": "{}")", std::string_view(made.at("id").as_string())));
  EXPECT_THAT(app_->last_prompt(), HasSubstr("commentary<|message|>rain<|end|><|start|>assistant<|channel|>final"));
  EXPECT_EQ(weather_->asked().size(), 1u);
}

TEST_F(Approval, ThatIsDeniedIsToldToTheModel) {
  begin({server_call("weather.now", "{}"), final_answer("No.")}, with_tools({weather_}));
  const json::value denied = ask(word_on(ask(R"("?")"), R"("approve": false, "reason": "too wet")"));
  EXPECT_THAT(types(denied), ElementsAre("mcp_list_tools", "message"));
  EXPECT_TRUE(weather_->asked().empty());
  EXPECT_THAT(app_->last_prompt(), HasSubstr("The user did not approve this call: too wet<|end|>"));
}

TEST_F(Approval, WhatWasDoneBeforeIsNotForgotten) {
  begin({server_call("weather.later", "{}"), server_call("weather.now", "{}"), final_answer("Rain.")},
        with_tools({weather_}));
  const std::string only_now = R"(, "require_approval": {"always": {"tool_names": ["now"]}})";
  const json::value asked = ask(R"("?")", only_now);
  EXPECT_THAT(types(asked), ElementsAre("mcp_list_tools", "mcp_call", "mcp_approval_request"));
  ask(word_on(asked, R"("approve": true)"), only_now);
  EXPECT_THAT(app_->last_prompt(), HasSubstr("<|start|>weather.later to=assistant"));
  EXPECT_THAT(weather_->asked(), ElementsAre("weather.later: {}", "weather.now: {}"));
}

TEST_F(Approval, IsOfTheFunctionsThatTheRequestSays) {
  const auto asks_about_now = [&](const std::string& value) {
    begin({server_call("weather.now", "{}"), final_answer("Rain.")}, with_tools({weather_}));
    return types(ask(R"("?")", value)).back() == "mcp_approval_request";
  };
  EXPECT_FALSE(asks_about_now(""));
  EXPECT_FALSE(asks_about_now(R"(, "require_approval": "never")"));
  EXPECT_TRUE(asks_about_now(R"(, "require_approval": {"never": {"tool_names": ["later"]}})"));
  EXPECT_FALSE(asks_about_now(R"(, "require_approval": {"never": {"tool_names": ["now"]}})"));
  EXPECT_FALSE(asks_about_now(R"(, "require_approval": {"always": {"tool_names": ["later"]}})"));
  EXPECT_EQ(ask(R"("?")", "").at("tools").at(0).at("require_approval"), "never");
  for (const char* wrong : {R"("sometimes")", "3", R"({"always": {"read_only": true}})", R"({"never": 3})"})
    EXPECT_EQ(app_->ask("POST", kResponses, body(R"("?")", fmt::format(R"(, "require_approval": {})", wrong))).status,
              400u)
        << wrong;
}

TEST_F(Approval, IsOfACallThatTheRequestMayMake) {
  begin({server_call("weather.now", "{}"), final_answer("Rain.")}, with_tools({weather_}));
  const json::value asked = ask(R"("?")");
  const std::string word = word_on(asked, R"("approve": true)");
  EXPECT_EQ(app_->ask("POST", kResponses, R"({"input": )" + word + "}").status, 400u);
  EXPECT_EQ(app_->ask("POST", kResponses, body(word, R"(, "allowed_tools": ["later"])")).status, 400u);
  EXPECT_EQ(app_->ask("POST", kResponses, body(word + R"(, "max_tool_calls": 0)", "")).status, 400u);
  EXPECT_TRUE(weather_->asked().empty());
}

TEST_F(Approval, CountsAsACall) {
  begin({server_call("weather.now", "{}")}, with_tools({weather_}));
  const json::value asked = ask(R"("?")");
  ask(word_on(asked, R"("approve": true)") + R"(, "max_tool_calls": 1)", "");
  EXPECT_EQ(weather_->asked().size(), 1u);
}

TEST_F(Approval, IsToldAgainAsItWasStreamed) {
  begin({server_call("weather.now", "{}"), final_answer("Rain.")}, with_tools({weather_}));
  const json::value asked = ask(R"("?")");
  for (const std::string& input : {std::string(R"("?")"), word_on(asked, R"("approve": true)")}) {
    const std::string stream =
        app_->ask("POST", kResponses, body(input + R"(, "stream": true)", R"(, "require_approval": "always")")).body;
    const size_t id = stream.find("resp_");
    const std::string name = stream.substr(id, stream.find('"', id) - id);
    EXPECT_THAT(stream, HasSubstr("event: response.completed\n"));
    EXPECT_EQ(app_->ask("GET", "/v1/responses/" + name + "?stream=true").body, stream);
  }
}

}  // namespace
}  // namespace gossamer::server
