#include "cli/setup_options.h"

#include <ctime>
#include <regex>

#include "cli/tools_file.h"

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
  options.text("--tools", tools_file, "A JSON file with a list of function tools; a call is printed as JSON", "FILE");
  options.text("--date", date, "The date that the model is told: 2025-06-28, today or none", "DATE");
}

Result<harmony::ChatSetup> SetupOptions::make() const {
  harmony::ChatSetup setup;
  const bool effort_in_think = !think.empty() && think != kThinkAlone;
  setup.effort =
      *harmony::effort_from_name(effort_in_think ? think : reasoning);  // the options take only names that exist
  GOS_TRY(setup.date, conversation_date(date));
  if (!system.empty()) setup.instructions = system;
  if (!tools_file.empty()) {
    GOS_TRY(setup.functions, read_tools_file(tools_file));
  }
  return setup;
}

}  // namespace gossamer::cli
