#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/engine.h"
#include "server/answer_constraints.h"
#include "server/served_model.h"

namespace gossamer::server {
namespace {

constexpr double kTtftBounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,
                                  0.75,  1,     2.5,  5,    7.5,  10,   20,   40,  80,   160};
constexpr double kTokenBounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,
                                   0.3,   0.4,    0.5,   0.75, 1,     2.5,  5,     10,  20,   40};
constexpr double kRequestBounds[] = {0.05, 0.1, 0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,
                                     10,   15,  20,  30,  40,  50, 60,  120, 480, 1920};
constexpr double kSizeBounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

constexpr std::string_view kFinishNames[] = {"stop", "length", "tool_calls", "cancelled", "deadline", "error"};
/// vLLM knows fewer reasons.
constexpr std::string_view kVllmFinishNames[] = {"stop", "length", "stop", "abort", "abort", "error"};

/// Writes families of metrics, each with HELP and TYPE once.
class Exposition {
 public:
  explicit Exposition(std::string labels) : labels_(std::move(labels)) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  /// `label`: one more, as key="value".
  void sample(std::string_view name, double value, std::string_view label = {}) {
    const std::string_view comma = labels_.empty() || label.empty() ? "" : ",";
    const std::string all = fmt::format("{}{}{}", labels_, comma, label);
    const std::string braces = all.empty() ? "" : fmt::format("{{{}}}", all);
    fmt::format_to(std::back_inserter(text), "{}{} {}\n", name, braces, value);
  }
  void counter(std::string_view name, double value, std::string_view help) {
    family(name, "counter", help);
    sample(name, value);
  }
  void gauge(std::string_view name, double value, std::string_view help) {
    family(name, "gauge", help);
    sample(name, value);
  }
  void histogram(std::string_view name, const Histogram& values, std::string_view help) {
    family(name, "histogram", help);
    values.append(name, labels_, text);
  }

  std::string text;

 private:
  std::string labels_;
};

/// A value of a label.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    c == '\n' ? out.append("\\n") : out.append(1, c);
  }
  return out;
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void Histogram::append(std::string_view name, std::string_view labels, std::string& out) const {
  auto end = std::back_inserter(out);
  const std::string_view comma = labels.empty() ? "" : ",";
  uint64_t total = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    const std::string bound = i < bounds_.size() ? fmt::format("{}", bounds_[i]) : "+Inf";
    fmt::format_to(end, "{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma, bound, total);
  }
  const std::string braces = labels.empty() ? "" : fmt::format("{{{}}}", labels);
  fmt::format_to(end, "{}_sum{} {}\n{}_count{} {}\n", name, braces, sum_.load(std::memory_order_relaxed), name, braces,
                 total);
}

Metrics::Metrics()
    : ttft_(kTtftBounds),
      inter_token_(kTokenBounds),
      per_token_(kTokenBounds),
      end_to_end_(kRequestBounds),
      queue_(kRequestBounds),
      prefill_(kRequestBounds),
      decode_(kRequestBounds),
      computing_(kRequestBounds),
      prompt_size_(kSizeBounds),
      answer_size_(kSizeBounds),
      longest_answer_size_(kSizeBounds),
      step_size_(kSizeBounds) {}

void Metrics::count_tokens(const Usage& more) {
  prompt_tokens_ += more.prompt_tokens;
  cached_tokens_ += more.cached_tokens;
  generated_tokens_ += more.completion_tokens;
  reasoning_tokens_ += more.reasoning_tokens;
}

void Metrics::count_first_token(const RequestTimes& times) {
  ttft_.observe(times.first_token_seconds);
  prefill_.observe(times.first_token_seconds - times.queue_seconds);
}

void Metrics::count_answer(const Usage& usage, const RequestTimes& times, AnswerEvent::Finish finish,
                           uint32_t num_choices, uint32_t longest_answer) {
  ++finished_[static_cast<size_t>(finish)];
  prompt_size_.observe(usage.prompt_tokens);
  answer_size_.observe(usage.completion_tokens);
  longest_answer_size_.observe(longest_answer);
  end_to_end_.observe(times.end_seconds);
  if (times.first_token_seconds == 0) return;
  const double decode_seconds = times.end_seconds - times.first_token_seconds;
  decode_.observe(decode_seconds);
  computing_.observe(times.end_seconds - times.queue_seconds);
  const uint32_t tokens = usage.completion_tokens / std::max(num_choices, 1u);
  if (tokens > 1) per_token_.observe(decode_seconds / (tokens - 1));
}

std::string Metrics::exposition(const ServedModel* model) const {
  const EngineStats stats = model ? model->source().stats() : EngineStats();
  const grammar::GrammarStats grammars = model ? model->constraints().grammars().stats() : grammar::GrammarStats();
  const double kv_usage = ratio(stats.held_pages, stats.num_pages);

  Exposition own("");
  own.gauge("gossamer_ready", model ? 1 : 0, "1 where a model is loaded.");
  own.gauge("gossamer_requests_running", stats.running, "Sequences that are being computed.");
  own.gauge("gossamer_requests_waiting", stats.waiting, "Sequences in line.");
  own.gauge("gossamer_kv_cache_usage_ratio", kv_usage, "Pages of the KV cache that running sequences hold, 0 to 1.");
  own.gauge("gossamer_kv_cache_cached_ratio", ratio(stats.evictable_pages, stats.num_pages),
            "Pages that hold prefixes nobody is using, 0 to 1.");
  own.gauge("gossamer_step_seconds", stats.last_step_seconds, "What the last step of the engine took.");
  own.counter("gossamer_steps_total", static_cast<double>(stats.steps), "Steps of the engine.");
  own.counter("gossamer_preemptions_total", static_cast<double>(stats.preemptions),
              "Sequences that gave up their pages for another.");
  own.counter("gossamer_prompt_tokens_total", static_cast<double>(prompt_tokens_),
              "Prompt tokens, as usage tells them in the end; they rise with each step.");
  own.counter("gossamer_cached_prompt_tokens_total", static_cast<double>(cached_tokens_),
              "Prompt tokens that the prefix cache had.");
  own.counter("gossamer_generated_tokens_total", static_cast<double>(generated_tokens_),
              "Tokens of answers, as usage tells them in the end; they rise with each step.");
  own.counter("gossamer_reasoning_tokens_total", static_cast<double>(reasoning_tokens_),
              "Those of them that are reasoning.");
  own.counter("gossamer_requests_refused_total", static_cast<double>(refused_busy_),
              "Requests refused because the line was full.");
  own.counter("gossamer_masked_tokens_total", static_cast<double>(stats.masked.num_tokens),
              "Tokens that were sampled under a mask, of requests that have ended.");
  own.counter(
      "gossamer_masked_probability_total", stats.masked.sum,
      "The probability that masks took away, summed over these tokens: near 0 where the model keeps the frames.");
  own.counter("gossamer_mask_wait_seconds_total", stats.mask_wait_seconds,
              "What sampling waited for masks, all rows together.");
  own.counter("gossamer_grammars_compiled_total", static_cast<double>(grammars.compiled), "Grammars compiled.");
  own.counter("gossamer_grammars_refused_total", static_cast<double>(grammars.refused),
              "Grammars that the compiler refused.");
  own.counter("gossamer_grammar_compile_seconds_total", grammars.compile_seconds, "What compiling them took.");
  own.counter("gossamer_grammar_cache_hits_total", static_cast<double>(grammars.cache_hits),
              "Grammars that were compiled already.");
  own.family("gossamer_requests_finished_total", "counter", "Requests that have ended, by reason.");
  for (size_t i = 0; i < kFinishes; ++i)
    own.sample("gossamer_requests_finished_total", static_cast<double>(finished_[i]),
               fmt::format("finished_reason=\"{}\"", kFinishNames[i]));
  own.family("gossamer_http_responses_total", "counter", "HTTP requests answered, by class of the status.");
  for (size_t i = 1; i < kStatusClasses; ++i)
    own.sample("gossamer_http_responses_total", static_cast<double>(http_[i]), fmt::format("status=\"{}xx\"", i));
  own.histogram("gossamer_time_to_first_token_seconds", ttft_, "From the request to its first token.");
  own.histogram("gossamer_inter_token_latency_seconds", inter_token_, "From one token to the next.");
  own.histogram("gossamer_time_per_output_token_seconds", per_token_, "The mean of a request, behind its first token.");
  own.histogram("gossamer_request_seconds", end_to_end_, "From the request to its last token.");
  own.histogram("gossamer_request_queue_seconds", queue_, "From the request to its first step.");
  own.histogram("gossamer_step_tokens", step_size_, "Tokens that a step computed, of prompts and of answers.");
  own.histogram("gossamer_request_prompt_tokens", prompt_size_, "Prompt tokens of a request.");
  own.histogram("gossamer_request_generated_tokens", answer_size_, "Tokens of an answer.");
  if (!model) return own.text;

  // What dashboards and gateways made for vLLM ask for (features.md 1.12).
  Exposition vllm(fmt::format("model_name=\"{}\"", escaped(model->name())));
  vllm.gauge("vllm:num_requests_running", stats.running, "As gossamer_requests_running.");
  vllm.gauge("vllm:num_requests_waiting", stats.waiting, "As gossamer_requests_waiting.");
  vllm.gauge("vllm:kv_cache_usage_perc", kv_usage, "As gossamer_kv_cache_usage_ratio.");
  vllm.gauge("vllm:gpu_cache_usage_perc", kv_usage, "As vllm:kv_cache_usage_perc, under its older name.");
  vllm.counter("vllm:prefix_cache_queries_total", static_cast<double>(prompt_tokens_), "Prompt tokens looked for.");
  vllm.counter("vllm:prefix_cache_hits_total", static_cast<double>(cached_tokens_), "Prompt tokens found.");
  vllm.counter("vllm:num_preemptions_total", static_cast<double>(stats.preemptions), "As gossamer_preemptions_total.");
  vllm.counter("vllm:prompt_tokens_total", static_cast<double>(prompt_tokens_), "As gossamer_prompt_tokens_total.");
  vllm.counter("vllm:generation_tokens_total", static_cast<double>(generated_tokens_),
               "As gossamer_generated_tokens_total.");
  vllm.counter("vllm:admission_rejections_total", static_cast<double>(refused_busy_),
               "As gossamer_requests_refused_total.");
  // There is no speculation and no LoRA: dashboards and gateways look for the names all the same.
  vllm.counter("vllm:spec_decode_num_drafts_total", 0, "Drafts of speculation: none here.");
  vllm.counter("vllm:spec_decode_num_draft_tokens_total", 0, "Tokens of drafts: none here.");
  vllm.counter("vllm:spec_decode_num_accepted_tokens_total", 0, "Tokens of drafts that were right: none here.");
  vllm.family("vllm:lora_requests_info", "gauge", "Adapters that run and wait: there are none here.");
  vllm.sample("vllm:lora_requests_info", 0, R"(max_lora="0",running_lora_adapters="",waiting_lora_adapters="")");
  vllm.family("vllm:request_success_total", "counter", "Requests that have ended, by reason.");
  for (const std::string_view reason : {"stop", "length", "abort", "error"}) {
    uint64_t count = 0;
    for (size_t i = 0; i < kFinishes; ++i)
      if (kVllmFinishNames[i] == reason) count += finished_[i];
    vllm.sample("vllm:request_success_total", static_cast<double>(count),
                fmt::format("finished_reason=\"{}\"", reason));
  }
  vllm.histogram("vllm:time_to_first_token_seconds", ttft_, "As gossamer_time_to_first_token_seconds.");
  vllm.histogram("vllm:inter_token_latency_seconds", inter_token_, "As gossamer_inter_token_latency_seconds.");
  vllm.histogram("vllm:time_per_output_token_seconds", inter_token_, "As above, under its older name.");
  vllm.histogram("vllm:request_time_per_output_token_seconds", per_token_, "The mean of a request.");
  vllm.histogram("vllm:e2e_request_latency_seconds", end_to_end_, "As gossamer_request_seconds.");
  vllm.histogram("vllm:request_queue_time_seconds", queue_, "As gossamer_request_queue_seconds.");
  vllm.histogram("vllm:request_prefill_time_seconds", prefill_, "From the first step to the first token.");
  vllm.histogram("vllm:request_decode_time_seconds", decode_, "From the first token to the last.");
  vllm.histogram("vllm:request_inference_time_seconds", computing_, "From the first step to the last token.");
  vllm.histogram("vllm:iteration_tokens_total", step_size_, "As gossamer_step_tokens.");
  vllm.histogram("vllm:request_prompt_tokens", prompt_size_, "Prompt tokens of a request.");
  vllm.histogram("vllm:request_generation_tokens", answer_size_, "Tokens of an answer.");
  vllm.histogram("vllm:request_max_num_generation_tokens", longest_answer_size_,
                 "Tokens of a request's longest answer.");
  vllm.family("vllm:cache_config_info", "gauge", "Of the KV cache.");
  vllm.sample("vllm:cache_config_info", 1,
              fmt::format("block_size=\"32\",num_gpu_blocks=\"{}\",enable_prefix_caching=\"True\"", stats.num_pages));
  return own.text + vllm.text;
}

}  // namespace gossamer::server
