#include "cli/load_options.h"

#include <cmath>
#include <cstdlib>

#include "base/mmap_file.h"
#include "cli/workload.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kLargestFileBytes = 4ull << 30;
constexpr uint32_t kConcurrency = 16, kRequests = 100;
constexpr float kTimeoutSeconds = 600;

Result<std::vector<load::Prompt>> prompts_of(const LoadOptions& options) {
  if (!options.prompts_file.empty()) {
    GOS_TRY(const std::string text, read_file(options.prompts_file, kLargestFileBytes));
    return load::parse_prompts(text, options.prompts_file);
  }
  std::vector<load::Prompt> prompts;
  if (!options.dataset.empty()) {
    GOS_TRY(const std::string text, read_file(options.dataset, kLargestFileBytes));
    GOS_TRY(auto turns, parse_conversations(text, options.dataset));
    for (auto& [question, answer] : turns) prompts.push_back({std::move(question)});
    if (prompts.empty())
      return make_error(ErrorCode::kInvalidInput, "{} has no conversation with a question and an answer",
                        options.dataset);
  } else if (options.input_tokens == 0) {
    prompts.push_back({options.prompt});
  }
  return prompts;
}

/// A number of an option that has to be above 0.
Status check_positive(const char* option, const std::optional<float>& value) {
  if (!value || *value > 0) return {};
  return make_error(ErrorCode::kInvalidInput, "{} is {}; it has to be more than 0", option, *value);
}

Result<load::Pace> pace_of(const LoadOptions& options) {
  GOS_TRY_STATUS(check_positive("--duration", options.duration_seconds));
  GOS_TRY_STATUS(check_positive("--rate", options.rate));
  load::Pace pace;
  pace.duration_seconds = options.duration_seconds.value_or(0);
  pace.requests = options.requests;
  if (pace.requests == 0 && pace.duration_seconds == 0) pace.requests = kRequests;
  const bool all_at_once = options.rate && std::isinf(*options.rate);
  pace.rate = all_at_once ? 0 : options.rate.value_or(0);
  pace.concurrency = options.concurrency;
  if (!options.rate && pace.concurrency == 0) pace.concurrency = kConcurrency;
  if (all_at_once && pace.concurrency == 0 && pace.requests == 0)
    return make_error(ErrorCode::kInvalidInput, "--rate inf sends all requests at once; say how many with --requests");
  pace.seed = options.seed.value_or(0);
  return pace;
}

}  // namespace

Result<std::vector<std::string>> check_load_arguments(const std::vector<std::string>& arguments) {
  const auto no_file = [](std::string_view file) {
    return make_error(ErrorCode::kInvalidInput, "--json takes no file: it prints to standard output; write --json > {}",
                      file);
  };
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with("--json=")) return no_file(std::string_view(arguments[i]).substr(7));
    if (arguments[i] == "--json" && i + 1 < arguments.size() && arguments[i + 1].ends_with(".json"))
      return no_file(arguments[i + 1]);
  }
  return arguments;
}

Result<load::LoadPlan> LoadOptions::plan() const {
  GOS_TRY_STATUS(check_positive("--timeout", timeout_seconds));
  load::LoadPlan plan;
  GOS_TRY(plan.pace, pace_of(*this));
  load::RequestPlan& request = plan.request;
  request.endpoint = endpoint.ends_with("chat") || endpoint.ends_with("chat/completions")
                         ? load::Endpoint::kChat
                         : load::Endpoint::kCompletions;
  GOS_TRY(request.prompts, prompts_of(*this));
  for (const load::Prompt& each : request.prompts)
    if (request.endpoint == load::Endpoint::kCompletions && !each.messages.empty())
      return make_error(ErrorCode::kInvalidInput,
                        "{} has conversations, and completions take text; leave out --endpoint", prompts_file);
  request.made_up_tokens = input_tokens;
  request.max_tokens = max_tokens;
  request.temperature = temperature;
  request.seed = seed;
  request.ignore_eos = ignore_eos;
  request.stream = !no_stream;
  request.timeout_seconds = timeout_seconds.value_or(kTimeoutSeconds);
  request.api_key = key();
  return plan;
}

std::string LoadOptions::key() const {
  if (!api_key.empty()) return api_key;
  const char* const from_environment = std::getenv("OPENAI_API_KEY");
  return from_environment ? from_environment : "";
}

void LoadOptions::declare(Options& options) {
  options.words("[URL]", words, 1, "The server's address, as --base-url");
  options.text("--base-url,--url,--target", url, "The server: http://HOST:PORT, with or without /v1; https, unix:PATH",
               "URL");
  options.text("--compare", compare_url, "Also run against this server, by turns, and print both with their ratio",
               "URL");
  options.count("--rounds", rounds, "How often --compare changes sides");
  options.text("-m,--model", model, "Its name (default: the first that the server lists)", "NAME");
  options.text("--compare-model", compare_model, "Its name on the other server (default: likewise, or --model)",
               "NAME");
  options.text("--api-key", api_key, "Sent as bearer token (default: $OPENAI_API_KEY)", "KEY");
  options.flag("-k,--insecure", any_certificate, "Believe any TLS certificate");
  options.choice("--endpoint", endpoint, {"chat", "completions", "/v1/chat/completions", "/v1/completions"},
                 "What is asked for");
  options.text("-p,--prompt", prompt, "The prompt of every request");
  options.text("--prompts,--prompt-file", prompts_file,
               "Prompts in turn: one a line, or JSON objects with `prompt` or `messages`", "FILE");
  options.text("--dataset,--dataset-path", dataset, "Prompts in turn: the questions of ShareGPT's JSON", "FILE");
  options.count("--input-len,--random-input-len", input_tokens,
                "Made-up prompts of about so many tokens, another for each request");
  options.count("--max-tokens,--output-len,--random-output-len", max_tokens,
                "Tokens of an answer; 0: as the server likes");
  options.flag("--ignore-eos", ignore_eos, "Answers of --max-tokens exactly, where the server knows ignore_eos");
  options.number("--temperature", temperature, "Of the sampling (default: the server's)");
  options.integer("--seed", seed, "Of arrivals, made-up prompts and sampling (each request has the next one)");
  options.flag("--no-stream", no_stream, "Ask for whole answers");
  options.count("-c,--concurrency,--max-concurrency", concurrency,
                "Requests under way at most (default: 16; with --rate: any number)");
  options.count("-n,--requests,--num-prompts,--num-requests,--max-requests", requests,
                "How many requests (default: 100, or as many as fit into --duration)");
  options.number("-d,--duration,--max-seconds", duration_seconds, "Begin requests for so many seconds");
  options.number(
      "-r,--rate,--request-rate", rate,
      "Open loop: so many requests a second at random times (Poisson), however slow answers are; inf: all at "
      "once");
  options.number("--timeout", timeout_seconds, "Seconds that an answer may take (default: 600)");
  options.count("--warmup,--num-warmups", warmup,
                "Requests before the measurement, one after the other; they must succeed");
  options.count("--threads", threads, "Threads that send and read");
  options.flag("--json", json, "Print one JSON object");
  options.text("--csv", csv, "Also write a line for each request", "FILE");
  options.text("--html", html, "Also write a report with charts", "FILE");
}

}  // namespace gossamer::cli
