#include "load/request_body.h"

namespace gossamer::load {
namespace {

constexpr uint64_t kMadeUpSeed = 0x9e3779b97f4a7c15;  // prompts of neighbouring requests have nothing in common

}  // namespace

RequestBodies::RequestBodies(const RequestPlan& plan) : plan_(plan) {
  for (const Prompt& prompt : plan.prompts) prompt_fields_.push_back(prompt_field(prompt));
  json::object rest = {{"model", plan.model}, {"stream", plan.stream}};
  if (plan.stream) rest["stream_options"] = {{"include_usage", true}};
  if (plan.max_tokens > 0) rest["max_tokens"] = plan.max_tokens;
  if (plan.ignore_eos) rest["ignore_eos"] = true;
  rest_ = json::serialize(rest);
  rest_.front() = ',';
  rest_.pop_back();
  if (plan.temperature) rest_ += fmt::format(",\"temperature\":{}", *plan.temperature);
}

std::string RequestBodies::body(uint64_t index) const {
  std::string body = "{";
  if (prompt_fields_.empty())
    body += prompt_field(made_up_prompt(plan_.made_up_tokens, kMadeUpSeed * (index + 1 + plan_.seed.value_or(0))));
  else
    body += prompt_fields_[index % prompt_fields_.size()];
  body += rest_;
  if (plan_.seed) body += ",\"seed\":" + std::to_string(*plan_.seed + index);
  return body += '}';
}

const char* RequestBodies::path() const {
  return plan_.endpoint == Endpoint::kChat ? "/chat/completions" : "/completions";
}

std::string RequestBodies::prompt_field(const Prompt& prompt) const {
  if (plan_.endpoint == Endpoint::kCompletions) return "\"prompt\":" + json::serialize(json::value(prompt.text));
  if (!prompt.messages.empty()) return "\"messages\":" + json::serialize(prompt.messages);
  return "\"messages\":" + json::serialize(json::array{{{"role", "user"}, {"content", prompt.text}}});
}

}  // namespace gossamer::load
