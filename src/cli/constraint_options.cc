#include "cli/constraint_options.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/mmap_file.h"
#include "grammar/schema_check.h"
#include "harmony/frame_automaton.h"

namespace gossamer::cli {
namespace {

/// "auto", "none", "required", or the name of a function, or of a tool that runs here.
harmony::ToolChoice parse_tool_choice(const std::string& choice, const std::vector<std::string>& recipients) {
  using Kind = harmony::ToolChoice::Kind;
  if (choice == "auto") return {};
  if (choice == "none") return {Kind::kNone, {}};
  if (choice == "required") return {Kind::kRequired, {}};
  const bool is_whole = std::find(recipients.begin(), recipients.end(), choice) != recipients.end();
  return {Kind::kNamed, is_whole ? choice : "functions." + choice};
}

/// The constraints of function arguments. Built-in tools take what they take.
Result<std::map<std::string, std::shared_ptr<const TokenConstraint>>> compile_parameters(
    grammar::GrammarEngine& grammars, const harmony::Conversation& conversation) {
  std::map<std::string, std::shared_ptr<const TokenConstraint>> bodies;
  for (const harmony::DeclaredTool& tool : harmony::declared_tools(conversation)) {
    if (!tool.recipient.starts_with("functions.")) continue;
    grammar::GrammarSpec spec = grammar::GrammarSpec::json_object();
    if (tool.parameters) {
      Result<grammar::GrammarSpec> checked = grammar::GrammarSpec::json_schema(*tool.parameters);
      if (!checked.ok())
        return make_error(checked.error().code, "the parameters of {}: {}", tool.recipient, checked.error().message);
      spec = std::move(*checked);
    }
    Result<std::shared_ptr<const TokenConstraint>> compiled = grammars.compile(spec);
    if (!compiled.ok())
      return make_error(compiled.error().code, "the parameters of {}: {}", tool.recipient, compiled.error().message);
    bodies[tool.recipient] = std::move(*compiled);
  }
  return bodies;
}

/// The schema of --json-schema: JSON where it begins as one, else a file.
Result<json::value> read_schema(const std::string& text_or_file) {
  const size_t begin = text_or_file.find_first_not_of(" \t\r\n");
  const bool is_text = begin != std::string::npos && text_or_file[begin] == '{';
  if (is_text) return grammar::parse_schema(text_or_file);
  GOS_TRY(const std::string text, read_file(text_or_file, 16 << 20));
  return grammar::parse_schema(text);
}

}  // namespace

void ConstraintOptions::declare_formats(Options& options) {
  options.text("--json-schema", json_schema, "The answer is JSON that fits this schema: a file, or the schema itself",
               "FILE|TEXT");
  options.choice("--format", format, {"json"}, "The answer is a JSON object");
  options.text("--regex", regex, "The whole answer matches this regular expression", "EXPRESSION");
}

Result<std::optional<grammar::GrammarSpec>> ConstraintOptions::format_spec() const {
  std::optional<grammar::GrammarSpec> spec;
  if (!json_schema.empty() + !format.empty() + !regex.empty() > 1)
    return make_error(ErrorCode::kInvalidInput, "an answer has one form: give --json-schema, --format or --regex");
  if (!format.empty()) spec = grammar::GrammarSpec::json_object();
  if (!regex.empty()) {
    GOS_TRY(spec, grammar::GrammarSpec::regex(regex));
  }
  if (!json_schema.empty()) {
    GOS_TRY(const json::value schema, read_schema(json_schema));
    GOS_TRY(spec, grammar::GrammarSpec::json_schema(schema));
  }
  return spec;
}

void ConstraintOptions::declare(Options& options) {
  options.text("--tool-choice", tool_choice, "Whether a tool is called: auto, none, required, or the name of one",
               "CHOICE");
  options.integer("--reasoning-budget", reasoning_budget_tokens,
                  "At most so many tokens of reasoning, then the answer; 0: none");
  options.flag("--strict-tools", strict_tools, "Arguments of functions fit the schemas of their parameters");
  options.flag(
      "--unconstrained", unconstrained,
      "The bare model, for measurements: harmony's frames are not enforced, and what an answer must be neither");
}

Result<std::shared_ptr<const TokenConstraint>> ConstraintOptions::make(
    const std::shared_ptr<const harmony::FrameVocabulary>& vocabulary, grammar::GrammarEngine& grammars,
    const harmony::Conversation& conversation) const {
  if (unconstrained) return std::shared_ptr<const TokenConstraint>();
  const std::vector<std::string> recipients = harmony::declared_recipients(conversation);
  GOS_TRY(harmony::FrameRules rules, harmony::frame_rules(recipients, parse_tool_choice(tool_choice, recipients)));
  if (reasoning_budget_tokens)
    rules.reasoning_budget_tokens =
        static_cast<uint32_t>(std::min<uint64_t>(*reasoning_budget_tokens, std::numeric_limits<uint32_t>::max()));
  if (strict_tools) {
    GOS_TRY(rules.call_bodies, compile_parameters(grammars, conversation));
  }
  GOS_TRY(const auto spec, format_spec());
  if (spec) {
    GOS_TRY(rules.final_body, grammars.compile(*spec));
  }
  GOS_TRY(auto frames, harmony::FrameAutomaton::create(vocabulary, std::move(rules)));
  return std::shared_ptr<const TokenConstraint>(std::move(frames));
}

}  // namespace gossamer::cli
