#include <fmt/format.h>
#include <unistd.h>

#include "cli/answer_printer.h"
#include "cli/assistant.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/prompt_input.h"
#include "cli/sampling_options.h"
#include "cli/tool_rounds.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

struct RunOptions {
  ChatOptions chat;  // a run without a prompt is a chat
  std::vector<std::string> words;
  bool json = false;
};

/// Sorts out [MODEL] "prompt": two words are model and prompt; one is a model where it is written like one and --model
/// is not given.
std::string take_prompt(RunOptions& options) {
  std::vector<std::string>& words = options.words;
  if (words.empty()) return {};
  const bool model_first = words.size() == 2 || (options.chat.model.model == kDemoModel && looks_like_model(words[0]));
  if (!model_first) return words[0];
  options.chat.model.model = words[0];
  return words.size() == 2 ? words[1] : std::string();
}

/// Everything that was said to the user: preambles, then the final text.
std::string answer_text(const harmony::Answer& parts) {
  const bool both = !parts.preamble_text.empty() && !parts.final_text.empty();
  return parts.preamble_text + (both ? "\n\n" : "") + parts.final_text;
}

/// The calls that were answered here, and what they gave.
json::array tools_run(const Answer& answer) {
  json::array all;
  for (size_t i = 1; i < answer.messages.size(); ++i) {
    const harmony::Message &call = answer.messages[i - 1], &result = answer.messages[i];
    if (result.role != harmony::Role::kTool) continue;
    json::object one = tool_call_json({*call.recipient, call.text()});
    one["result"] = result.text();
    all.push_back(std::move(one));
  }
  return all;
}

json::object to_json(const Answer& answer, const Assistant& assistant, uint64_t seed) {
  json::array calls;
  for (const harmony::ToolCall& call : answer.parts.tool_calls) calls.push_back(tool_call_json(call));
  const GenerateStats& stats = answer.stats;
  return {{"model", assistant.model().checkpoint.name()},
          {"answer", answer_text(answer.parts)},
          {"reasoning", answer.parts.reasoning_text},
          {"tool_calls", calls},
          {"tools_run", tools_run(answer)},
          {"finish_reason", answer.finish_reason()},
          {"usage", {{"prompt_tokens", stats.prompt_tokens}, {"completion_tokens", stats.generated_tokens}}},
          {"timings",
           {{"load_seconds", assistant.load_seconds()},
            {"first_token_seconds", stats.ttft_seconds},
            {"decode_seconds", stats.decode_seconds}}},
          {"seed", seed}};
}

/// What an answer must be the model is told too: held to a form that it does not know of, it writes nonsense that fits.
void tell_format(const grammar::GrammarSpec& format, harmony::ChatSetup& setup) {
  const bool is_schema = format.kind == grammar::GrammarSpec::Kind::kJsonSchema;
  setup.instructions = setup.instructions.value_or("");
  if (!setup.instructions->empty()) *setup.instructions += "\n\n";
  *setup.instructions += fmt::format("# Response Formats\n\n## response\n\n{}{}",
                                     is_schema ? "" : "// A text that matches this regular expression\n", format.text);
}

Result<int> answer_prompt(const RunOptions& options, const std::string& prompt) {
  GOS_TRY(harmony::ChatSetup setup, options.chat.setup.make());
  GOS_TRY(const auto format, options.chat.constraints.format_spec());
  if (format) tell_format(*format, setup);
  GOS_TRY(tools::Toolset started, options.chat.tools.start(options.chat.setup.local_tools()));
  LocalTools tools(std::move(started));
  setup.built_ins = tools.descriptions();
  GOS_TRY(Assistant assistant, Assistant::load(options.chat.model, options.chat.engine));
  GOS_TRY(const SamplingParams sampling, options.chat.sampling.resolve(assistant.model().checkpoint.generation()));
  GOS_TRY(const uint32_t max_tokens, options.chat.sampling.resolve_max_tokens());

  harmony::Conversation conversation = harmony::start_conversation(setup);
  conversation.messages.push_back(harmony::Message::from_text(harmony::Role::kUser, prompt));

  Output out;
  AnswerPrinter printer(out, options.chat.reasoning_shown());
  InterruptGuard interrupt;
  auto go_on = [&] { return out.ok() && !InterruptGuard::requested(); };
  GOS_TRY(const Answer answer,
          answer_with_tools(assistant, tools, {conversation, sampling, max_tokens, options.chat.constraints},
                            options.json ? nullptr : &printer, go_on));

  if (options.json)
    out.line(harmony::compact_json(to_json(answer, assistant, sampling.seed)));
  else
    printer.finish(answer);
  if (options.chat.verbose)
    fmt::print(stderr, "{}load    {:.3f} s\n{}\n", describe_stats(answer, sampling.seed), assistant.load_seconds(),
               assistant.capacity());
  const int code = out.close();
  return InterruptGuard::requested() ? kInterrupted : code;
}

int run(RunOptions& options) {
  const std::string words = take_prompt(options);
  if (words.empty() && isatty(STDIN_FILENO) == 1 && !options.json) return chat(options.chat);
  Result<std::string> prompt = read_prompt(words);
  if (!prompt.ok()) return fail(prompt.error());
  if (prompt->empty()) return fail_usage("run", "there is no prompt: give one in quotes or on standard input.");
  Result<int> code = answer_prompt(options, *prompt);
  return code.ok() ? *code : fail(code.error());
}

}  // namespace

Command run_command() {
  return {"run", "Answer one prompt",
          "  gossamer run \"What is the capital of France?\"\n"
          "  gossamer run gpt-oss:20b --reasoning high \"Is 2^31 - 1 prime?\"\n"
          "  gossamer run gpt-oss:20b --tools python \"What is the 1000th prime?\"\n"
          "  git diff | gossamer run \"Write a commit message for this change:\"",
          [](Options& options) {
            auto chosen = std::make_shared<RunOptions>();
            options.words("[MODEL] PROMPT", chosen->words, 2,
                          "The model (default: the demo model) and the prompt in quotes");
            chosen->chat.declare(options);
            chosen->chat.constraints.declare_formats(options);
            options.flag("--json", chosen->json,
                         "Print one JSON object with answer, reasoning, tool calls and timings");
            return [chosen] { return run(*chosen); };
          }};
}

}  // namespace gossamer::cli
