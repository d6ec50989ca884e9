#include "engine/session.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "sampling/sampler.h"

namespace gossamer {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Tokens that a prompt shares with what the cache holds, at least one less than the prompt: its last token must be
/// computed.
uint32_t common_prefix(std::span<const TokenId> cached, std::span<const TokenId> prompt) {
  const auto [a, b] = std::mismatch(cached.begin(), cached.end(), prompt.begin(), prompt.end());
  return std::min(static_cast<uint32_t>(a - cached.begin()), static_cast<uint32_t>(prompt.size()) - 1);
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "?";
}

struct Session::Impl {
  explicit Impl(LoadedModel& loaded_model) : loaded(loaded_model), cache(loaded_model.model->make_sequence()) {
    if (!loaded.tokenizer) return;
    const uint32_t vocab_size = loaded.model->config().vocab_size;
    sampleable.emplace(vocab_size, true);
    for (TokenId token = 0; token < vocab_size; ++token)
      if (loaded.tokenizer->kind(token) == TokenKind::kUnnamed) sampleable->forbid(token);
  }

  Status check(const GenerateRequest& request) const;
  Result<std::span<const float>> extend(std::span<const TokenId> tokens, bool want_logits);
  Result<std::span<const float>> prefill(std::span<const TokenId> prompt,
                                         const std::function<bool(uint32_t, uint32_t)>& on_prefill);

  LoadedModel& loaded;
  SequenceCache cache;
  std::vector<TokenId> cached;          // the tokens whose keys and values `cache` holds
  std::optional<TokenMask> sampleable;  // ids without a name are never sampled; nothing without a tokenizer
};

Session::Session(LoadedModel& model) : impl_(std::make_unique<Impl>(model)) {}
Session::~Session() = default;

Status Session::Impl::check(const GenerateRequest& request) const {
  GOS_TRY_STATUS(request.sampling.validate());
  const uint32_t max_context = loaded.model->config().max_context;
  if (request.prompt.empty()) return make_error(ErrorCode::kInvalidInput, "the prompt has no tokens");
  if (request.prompt.size() >= max_context)
    return make_error(
        ErrorCode::kInvalidInput,
        "the prompt has {} tokens, but the context of {} holds {} and an answer needs one at least; shorten it",
        request.prompt.size(), loaded.checkpoint.name(), max_context);
  return {};
}

/// Computes `tokens` after what is cached, and gives the logits of the last one where wanted.
Result<std::span<const float>> Session::Impl::extend(std::span<const TokenId> tokens, bool want_logits) {
  Batch batch;
  batch.tokens.assign(tokens.begin(), tokens.end());
  BatchRow& row = batch.rows.emplace_back();
  row.sequence = &cache;
  row.start = static_cast<uint32_t>(cached.size());
  row.length = static_cast<uint32_t>(tokens.size());
  if (want_logits) {
    row.logit_offsets = {row.length - 1};
    row.masks = {sampleable ? &*sampleable : nullptr};
  }
  GOS_TRY(auto logits, loaded.model->forward(batch));
  cached.insert(cached.end(), tokens.begin(), tokens.end());
  return logits;
}

/// Computes what of the prompt is not cached and gives the logits of its last token; no logits where `on_prefill`
/// cancels.
Result<std::span<const float>> Session::Impl::prefill(std::span<const TokenId> prompt,
                                                      const std::function<bool(uint32_t, uint32_t)>& on_prefill) {
  std::span<const float> logits;
  while (cached.size() < prompt.size()) {
    const size_t left = prompt.size() - cached.size();
    const size_t chunk = std::min<size_t>(left, kPrefillChunkTokens);
    GOS_TRY(logits, extend(prompt.subspan(cached.size(), chunk), chunk == left));
    if (on_prefill && !on_prefill(static_cast<uint32_t>(cached.size()), static_cast<uint32_t>(prompt.size())))
      return std::span<const float>{};
  }
  return logits;
}

Result<GenerateResult> Session::generate(const GenerateRequest& request, const std::function<bool(TokenId)>& on_token,
                                         const std::function<bool(uint32_t, uint32_t)>& on_prefill) {
  GOS_TRY_STATUS(impl_->check(request));
  const Clock::time_point start = Clock::now();
  GenerateResult result;
  result.stats.prompt_tokens = static_cast<uint32_t>(request.prompt.size());
  result.stats.cached_tokens = common_prefix(impl_->cached, request.prompt);
  impl_->cached.resize(result.stats.cached_tokens);
  GOS_TRY(std::span<const float> logits, impl_->prefill(request.prompt, on_prefill));
  if (logits.empty()) {
    result.finish = FinishReason::kCancelled;
    return result;
  }

  const uint32_t room = impl_->loaded.model->config().max_context - result.stats.prompt_tokens;
  const uint32_t max_tokens = request.max_tokens == 0 ? room : std::min(request.max_tokens, room);
  Sampler sampler(request.sampling, request.prompt);
  Clock::time_point first_token{};
  while (true) {
    const auto position = static_cast<uint32_t>(request.prompt.size() + result.tokens.size());
    GOS_TRY(const TokenId token, sampler.sample(logits, position));
    sampler.accept(token);
    result.tokens.push_back(token);
    if (result.tokens.size() == 1) {
      first_token = Clock::now();
      result.stats.ttft_seconds = seconds_since(start);
    }
    const bool go_on = !on_token || on_token(token);
    const bool stopped =
        std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) != request.stop_tokens.end();
    if (stopped || !go_on || result.tokens.size() == max_tokens) {
      result.finish = stopped ? FinishReason::kStop : !go_on ? FinishReason::kCancelled : FinishReason::kLength;
      break;
    }
    GOS_TRY(logits, impl_->extend({&token, 1}, true));
  }
  result.stats.generated_tokens = static_cast<uint32_t>(result.tokens.size());
  result.stats.decode_seconds = seconds_since(first_token);
  return result;
}

}  // namespace gossamer
