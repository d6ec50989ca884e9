#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tools/python_tool.h"

namespace gossamer::tools {

inline PythonOptions python_options() {
  PythonOptions options;
  options.launcher = GOSSAMER_SANDBOX;
  options.call_seconds = 20;
  return options;
}

inline Clock::time_point in_seconds(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// Code in the sandbox. Skips, and says what is missing, where this machine has no isolation.
class Sandboxed : public ::testing::Test {
 protected:
  void SetUp() override { begin(python_options()); }

  void begin(const PythonOptions& options) {
    Result<std::shared_ptr<Tool>> tool = make_python_tool(options);
    if (!tool.ok()) GTEST_SKIP() << tool.error().message;
    tool_ = *tool;
    session_ = tool_->begin();
  }

  ToolResult run(const std::string& code, double seconds = 30) {
    CallLimits limits;
    limits.deadline = in_seconds(seconds);
    return session_->call("python", code, limits, cancelled_);
  }

  std::shared_ptr<Tool> tool_;
  std::unique_ptr<ToolSession> session_;
  Cancellation cancelled_;
};

}  // namespace gossamer::tools
