#include <fmt/format.h>

#include "base/utf8.h"
#include "grammar/grammar_constraint.h"
#include "server/chat_answer.h"

namespace gossamer::server {
namespace {

json::object token_json(std::string_view bytes, float logprob) {
  // JSON has no minus infinity; OpenAI writes what is as unlikely as this.
  constexpr float kLeastLogprob = -9999.f;
  json::array numbers;
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return {{"token", utf8_lossy(bytes)},
          {"logprob", logprob > kLeastLogprob ? logprob : kLeastLogprob},
          {"bytes", std::move(numbers)}};
}

}  // namespace

json::array chat_logprobs(const std::vector<ScoredToken>& tokens) {
  json::array list;
  for (const ScoredToken& token : tokens) {
    json::object entry = token_json(token.bytes, token.logprob);
    json::array top;
    for (const ScoredToken::Other& other : token.top) top.push_back(token_json(other.bytes, other.logprob));
    entry["top_logprobs"] = std::move(top);
    list.push_back(std::move(entry));
  }
  return list;
}

ApiError answer_failed(std::string_view why) {
  ApiError error;
  error.status = 500;
  error.type = "server_error";
  error.code = "generation_failed";
  error.message = why.starts_with(grammar::kGrammarFailed)
                      ? fmt::format("the answer could not be completed, because {}; a simpler one may help", why)
                      : "the answer could not be completed; trying again may help";
  return error;
}

}  // namespace gossamer::server
