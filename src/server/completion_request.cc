#include "server/completion_request.h"

#include <algorithm>

#include "server/answer_limits.h"
#include "server/output_format.h"
#include "server/request_fields.h"

namespace gossamer::server {
namespace {

/// What /v1/completions answers where no limit is named, as OpenAI's does.
constexpr uint32_t kDefaultMaxTokens = 16;

class PromptReader {
 public:
  PromptReader(JsonReader& reader, const Tokenizer& tokenizer) : reader_(reader), tokenizer_(tokenizer) {}

  /// A text, a list of tokens, or a list of either.
  std::vector<std::vector<TokenId>> read(const json::value* prompt) {
    if (!prompt) {
      reader_.fail("prompt", "\"prompt\" is missing: a text, a list of texts, or a list of token ids");
      return {};
    }
    if (const json::string* text = prompt->if_string()) return {encode(*text)};
    const json::array* list = prompt->if_array();
    if (!list || list->empty()) return wrong();
    if (list->front().is_number()) return {tokens(*list)};
    if (list->size() > fields::kMostPrompts) {
      reader_.fail("prompt", fmt::format("\"prompt\" holds {} prompts, at most {} are allowed", list->size(),
                                         fields::kMostPrompts));
      return {};
    }
    std::vector<std::vector<TokenId>> prompts;
    for (const json::value& item : *list) {
      if (const json::string* text = item.if_string())
        prompts.push_back(encode(*text));
      else if (const json::array* ids = item.if_array())
        prompts.push_back(tokens(*ids));
      else
        return wrong();
    }
    return prompts;
  }

 private:
  std::vector<std::vector<TokenId>> wrong() {
    reader_.fail("prompt", "\"prompt\" must be a text, a list of texts, a list of token ids, or a list of such lists");
    return {};
  }

  std::vector<TokenId> encode(std::string_view text) {
    std::vector<TokenId> ids;
    tokenizer_.encode_with_specials(text, ids);
    if (ids.empty()) reader_.fail("prompt", "a prompt is empty: an answer needs a token to begin with");
    return ids;
  }

  std::vector<TokenId> tokens(const json::array& list) {
    std::vector<TokenId> ids;
    ids.reserve(list.size());
    for (const json::value& item : list) {
      const double number = item.is_number() ? item.to_number<double>() : -1;
      if (number < 0 || number >= tokenizer_.head_rows()) {
        reader_.fail("prompt",
                     fmt::format("\"prompt\" holds something that is no token id below {}", tokenizer_.head_rows()));
        return {};
      }
      ids.push_back(static_cast<TokenId>(number));
    }
    if (ids.empty()) reader_.fail("prompt", "a prompt is empty: an answer needs a token to begin with");
    return ids;
  }

  JsonReader& reader_;
  const Tokenizer& tokenizer_;
};

void refuse_what_is_not_there(JsonReader& reader) {
  if (reader.text("suffix").value_or("") != "")
    reader.fail("suffix", "\"suffix\" is not supported: gpt-oss cannot fill in the middle of a text");
  const int64_t n = reader.whole(fields::kN).value_or(1);
  if (reader.whole(fields::kBestOf).value_or(n) != n)
    reader.fail("best_of", "\"best_of\" is not supported; ask for \"n\" and choose");
  if (reader.boolean("use_beam_search").value_or(false))
    reader.fail("use_beam_search", "\"use_beam_search\" is not supported; ask for \"n\" and choose");
}

/// "truncate_prompt_tokens", as vLLM has it: the last so many tokens of each prompt; -1: as many as fit beside the
/// answer. 0: all of it.
uint32_t read_prompt_limit(JsonReader& reader, const ServedModel& model, uint32_t max_tokens) {
  const std::optional<int64_t> limit = reader.whole(fields::kTruncatePromptTokens);
  if (limit == 0)
    reader.fail("truncate_prompt_tokens",
                "\"truncate_prompt_tokens\" is 0, it must be at least 1, or -1 for as many as the context holds");
  const uint32_t context = model.max_sequence_tokens(), answer = std::max(max_tokens, 1u);
  if (limit == -1) return context > answer ? context - answer : 1;
  return static_cast<uint32_t>(limit.value_or(0));
}

}  // namespace

Completion read_completion(JsonReader& reader, const ServedModel& model) {
  Completion body;
  refuse_what_is_not_there(reader);
  CompletionRequest request;
  request.limits = read_limits(reader, model);
  const int64_t max_tokens = reader.whole(fields::kMaxTokens).value_or(kDefaultMaxTokens);
  request.scores_only = max_tokens == 0;
  request.limits.max_tokens = request.scores_only ? 1 : static_cast<uint32_t>(std::max<int64_t>(max_tokens, 0));
  if (const std::optional<int64_t> logprobs = reader.whole(fields::kLogprobs))
    request.limits.top_logprobs = static_cast<uint32_t>(*logprobs);
  request.num_choices = body.num_choices = static_cast<uint32_t>(reader.whole(fields::kN).value_or(1));
  request.format = read_output_format(reader.object("response_format"), "response_format", reader);
  read_grammar_fields(reader, request.format);
  request.shows_specials = !reader.boolean("skip_special_tokens").value_or(true);
  body.echo = reader.boolean("echo").value_or(false);
  body.stream = reader.boolean("stream").value_or(false);
  body.return_token_ids = reader.boolean("return_token_ids").value_or(false);
  body.stream_options = read_stream_options(reader);
  request.prompt_logprobs = body.echo && request.limits.top_logprobs.has_value();
  if (body.stream && request.prompt_logprobs)
    reader.fail("echo",
                "\"echo\" with \"logprobs\" is not supported together with \"stream\": ask for the whole answer");

  const uint32_t prompt_limit = read_prompt_limit(reader, model, request.limits.max_tokens);
  PromptReader prompts(reader, *model.tokenizer());
  for (std::vector<TokenId>& prompt : prompts.read(reader.any("prompt"))) {
    if (prompt_limit > 0 && prompt.size() > prompt_limit) prompt.erase(prompt.begin(), prompt.end() - prompt_limit);
    request.prompt = std::move(prompt);
    body.requests.push_back(request);
  }
  return body;
}

}  // namespace gossamer::server
