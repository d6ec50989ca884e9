#include "cli/local_tools.h"

#include <chrono>
#include <future>

#include "base/check.h"

namespace gossamer::cli {
namespace {

constexpr auto kLongestCall = std::chrono::seconds(60);
constexpr auto kLook = std::chrono::milliseconds(50);  // after Ctrl-C, that often

}  // namespace

void LocalToolOptions::declare(Options& options) {
  options.text("--browser-search", browser_search,
               "The search service of the browser tool: http://HOST/search?q={query}", "URL");
  options.text("--python", python, "The interpreter of the python tool", "FILE");
}

Result<tools::Toolset> LocalToolOptions::start(const std::vector<std::string>& words) const {
  tools::ToolsetOptions options;
  options.python.interpreter = python;
  options.browser.search_url = browser_search;
  return tools::Toolset::create(words, options);
}

std::vector<harmony::ToolNamespace> LocalTools::descriptions() const {
  std::vector<harmony::ToolNamespace> all;
  for (const std::shared_ptr<const tools::Tool>& tool : tools_.all()) all.push_back(tool->description());
  return all;
}

std::string LocalTools::run(const harmony::ToolCall& call, const std::function<bool()>& go_on) {
  const std::shared_ptr<const tools::Tool> tool = tools_.find(call.name);
  GOS_CHECK(tool != nullptr);
  std::unique_ptr<tools::ToolSession>& session = sessions_[tool->name()];
  if (!session) session = tool->begin();
  tools::CallLimits limits;
  limits.deadline = tools::Clock::now() + kLongestCall;
  tools::Cancellation cancellation;
  auto result =
      std::async(std::launch::async, [&] { return session->call(call.name, call.arguments, limits, cancellation); });
  while (result.wait_for(kLook) != std::future_status::ready)
    if (!go_on()) cancellation.request();
  return result.get().text;
}

}  // namespace gossamer::cli
