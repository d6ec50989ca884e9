#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "harmony/conversation.h"
#include "tools/cancellation.h"

namespace gossamer::tools {

using Clock = std::chrono::steady_clock;

/// What one call may take.
struct CallLimits {
  Clock::time_point deadline = Clock::time_point::max();
  size_t output_bytes = 64 << 10;  ///< of what the model gets to read
};

/// What a call gave. Whatever a tool does wrong is a text for the model as well: it can try something else.
struct ToolResult {
  std::string text;     ///< well-formed UTF-8, within the limits
  bool failed = false;  ///< `text` says why
  json::object action;  ///< what was done, for those who watch: {"type": "search", "query": ...}; empty: nothing to say
};

/// One answer's use of a tool, with what the tool remembers between calls: variables, pages. One thread at a time.
class ToolSession {
 public:
  virtual ~ToolSession() = default;
  /// `recipient`: whom the model called, "python" or "browser.open". Returns at the deadline and after a cancellation,
  /// whatever it calls does.
  virtual ToolResult call(std::string_view recipient, std::string_view arguments, const CallLimits& limits,
                          const Cancellation& cancelled) = 0;
};

/// A tool that the server runs itself. Any thread.
class Tool {
 public:
  enum class Kind : unsigned char { kPython, kBrowser, kMcp };

  virtual ~Tool() = default;
  virtual Kind kind() const = 0;
  /// What the model is told. Its name is unique among tools, and no recipient of another begins with it.
  virtual const harmony::ToolNamespace& description() const = 0;
  virtual std::unique_ptr<ToolSession> begin() const = 0;

  const std::string& name() const { return description().name; }
  /// True for the name itself where the tool has no functions, else for "NAME.FUNCTION" of its functions.
  bool answers_to(std::string_view recipient) const;
};

}  // namespace gossamer::tools
