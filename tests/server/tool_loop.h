#pragma once
/// What tests of the server's own tools begin with: what a model says to call them, and a server that has them.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "server/asked_app.h"
#include "server/fake_tool.h"
#include "server/routes.h"
#include "server/test_app.h"

namespace gossamer::server {

inline std::string python_call(const std::string& code) {
  return "<|channel|>analysis to=python code<|message|>" + code + "<|call|>";
}
inline std::string server_call(const std::string& recipient, const std::string& arguments) {
  return "<|channel|>commentary to=" + recipient + " <|constrain|>json<|message|>" + arguments + "<|call|>";
}

inline FakeTool::Give gives(std::string text, bool failed = false) {
  return [text = std::move(text), failed](std::string_view, const tools::Cancellation&) {
    return tools::ToolResult{text, failed, {}};
  };
}

inline constexpr char kChat[] = "/v1/chat/completions";
inline constexpr char kResponses[] = "/v1/responses";

inline std::string asks(const std::string& more = "") {
  return R"({"messages": [{"role": "user", "content": "What is 6 * 7?"}])" + more + "}";
}

/// Whether the answer to the last request may begin with this text.
inline bool may_say(const AskedApp& app, const std::string& text) {
  const std::unique_ptr<TokenConstraint> constraint = app.last_constraint()->clone();
  std::vector<TokenId> tokens;
  Tokenizer::o200k_harmony()->encode_with_specials(text, tokens);
  return std::ranges::all_of(tokens, [&](TokenId token) { return constraint->accept(token).ok(); });
}

class ToolLoop : public ::testing::Test {
 protected:
  void begin(const std::vector<std::string>& answers, const AppOptions& options, Script script = {}) {
    app_ = std::make_unique<AskedApp>(answers, std::move(script), options);
    add_chat_completions_route(app_->app());
  }
  json::value chat(const std::string& more = "") { return app_->ask("POST", kChat, asks(more)).json(); }

  std::unique_ptr<AskedApp> app_;
};

}  // namespace gossamer::server
