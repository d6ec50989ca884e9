#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/app.h"
#include "server/tool_service.h"
#include "tools/tool.h"

namespace gossamer::server {

/// A tool of the server that gives what it is told to give, and remembers what it was asked.
class FakeTool final : public tools::Tool, public std::enable_shared_from_this<FakeTool> {
 public:
  using Give = std::function<tools::ToolResult(std::string_view arguments, const tools::Cancellation& cancelled)>;
  FakeTool(Kind kind, harmony::ToolNamespace description, Give give)
      : kind_(kind), description_(std::move(description)), give_(std::move(give)) {}

  Kind kind() const override { return kind_; }
  const harmony::ToolNamespace& description() const override { return description_; }
  std::unique_ptr<tools::ToolSession> begin() const override { return std::make_unique<Session>(shared_from_this()); }

  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  class Session final : public tools::ToolSession {
   public:
    explicit Session(std::shared_ptr<const FakeTool> tool) : tool_(std::move(tool)) {}
    tools::ToolResult call(std::string_view recipient, std::string_view arguments, const tools::CallLimits&,
                           const tools::Cancellation& cancelled) override {
      {
        const std::lock_guard lock(tool_->mutex_);
        tool_->asked_.push_back(std::string(recipient) + ": " + std::string(arguments));
      }
      return tool_->give_(arguments, cancelled);
    }

   private:
    const std::shared_ptr<const FakeTool> tool_;
  };

  const Kind kind_;
  const harmony::ToolNamespace description_;
  const Give give_;
  mutable std::mutex mutex_;
  mutable std::vector<std::string> asked_;
};

inline std::shared_ptr<FakeTool> fake_python(FakeTool::Give give) {
  return std::make_shared<FakeTool>(tools::Tool::Kind::kPython, harmony::ToolNamespace::python(), std::move(give));
}
inline std::shared_ptr<FakeTool> fake_browser(FakeTool::Give give) {
  return std::make_shared<FakeTool>(tools::Tool::Kind::kBrowser, harmony::ToolNamespace::browser(), std::move(give));
}
inline std::shared_ptr<FakeTool> fake_mcp(FakeTool::Give give) {
  harmony::ToolNamespace space{
      "weather", std::nullopt, {{"now", "Weather.", json::object{{"type", "object"}}}, {"later", "", {}}}};
  return std::make_shared<FakeTool>(tools::Tool::Kind::kMcp, std::move(space), std::move(give));
}

/// Options of a server with these tools.
inline AppOptions with_tools(std::vector<std::shared_ptr<const tools::Tool>> all, uint32_t most_rounds = 32) {
  auto service = std::make_shared<ToolServiceOptions>();
  service->tools = tools::Toolset(std::move(all));
  service->threads = 2;
  service->most_rounds = most_rounds;
  AppOptions options;
  options.tools = std::move(service);
  return options;
}

}  // namespace gossamer::server
