#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "harmony/answer.h"
#include "tools/toolset.h"

namespace gossamer::cli {

/// What tools need to know that run on this machine.
struct LocalToolOptions {
  std::string browser_search;  ///< a search service's address, with {query}
  std::string python = "/usr/bin/python3";

  void declare(Options& options);
  /// `words` as tools/toolset.h takes them. Errors: likewise.
  Result<tools::Toolset> start(const std::vector<std::string>& words) const;
};

/// Tools that run here, for one conversation, whose variables and pages they keep.
class LocalTools {
 public:
  LocalTools() = default;
  explicit LocalTools(tools::Toolset tools) : tools_(std::move(tools)) {}

  /// What the model is told of them.
  std::vector<harmony::ToolNamespace> descriptions() const;
  bool answers_to(const std::string& recipient) const { return tools_.find(recipient) != nullptr; }
  /// Runs a call of one that answers_to() it, for 60 seconds at most, and no longer than `go_on` says. What is wrong
  /// with a call is a text for the model too.
  std::string run(const harmony::ToolCall& call, const std::function<bool()>& go_on);
  /// Variables and pages are forgotten.
  void forget() { sessions_.clear(); }

 private:
  tools::Toolset tools_;
  std::map<std::string, std::unique_ptr<tools::ToolSession>> sessions_;  // by the tool's name
};

}  // namespace gossamer::cli
