#include "cli/setup_options.h"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <regex>

#include "cli/tools_file.h"
#include "tools/toolset.h"

namespace gossamer::cli {
namespace {

/// The value of --think where it stands alone: show the reasoning, leave the effort.
constexpr char kThinkAlone[] = "show";

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  localtime_r(&now, &local);
  char text[sizeof "2025-06-28"];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &local)};
}

/// The date that the prompt names; empty for "none".
Result<std::string> conversation_date(const std::string& date) {
  if (date == "none") return std::string();
  if (date == "today") return today();
  static const std::regex iso_date(R"(\d{4}-\d{2}-\d{2})");
  if (!std::regex_match(date, iso_date))
    return make_error(ErrorCode::kInvalidInput, "a date is written 2025-06-28, today or none, not '{}'", date);
  return date;
}

}  // namespace

void SetupOptions::declare(Options& options) {
  options.choice("--reasoning", reasoning, {"low", "medium", "high"}, "How long the model thinks first");
  options.choice_flag("--think", think, kThinkAlone, {kThinkAlone, "low", "medium", "high"},
                      "As --show-reasoning; with low, medium or high also the effort");
  options.text("--system", system, "Instructions that hold for the whole conversation");
  options.list(
      "--tools", tools,
      "A JSON file with a list of function tools, whose calls are printed as JSON; or tools that run here: python, "
      "browser, mcp:URL, \"mcp:COMMAND ...\"",
      "FILE|TOOL");
  options.text("--date", date, "The date that the model is told: 2025-06-28, today or none", "DATE");
}

Result<harmony::ChatSetup> SetupOptions::make() const {
  harmony::ChatSetup setup;
  const bool effort_in_think = !think.empty() && think != kThinkAlone;
  setup.effort =
      *harmony::effort_from_name(effort_in_think ? think : reasoning);  // the options take only names that exist
  GOS_TRY(setup.date, conversation_date(date));
  if (!system.empty()) setup.instructions = system;
  for (const std::string& word : tools) {
    if (tools::begins_with_tool(word)) continue;
    GOS_TRY(const std::vector<harmony::ToolDescription> functions, read_tools_file(word));
    setup.functions.insert(setup.functions.end(), functions.begin(), functions.end());
  }
  return setup;
}

std::vector<std::string> SetupOptions::local_tools() const {
  std::vector<std::string> words;
  std::copy_if(tools.begin(), tools.end(), std::back_inserter(words), tools::begins_with_tool);
  return words;
}

}  // namespace gossamer::cli
