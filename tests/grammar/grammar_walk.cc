#include "grammar/grammar_walk.h"

#include <bit>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "base/json.h"

namespace gossamer::grammar::testing {
namespace {

std::string thousand_properties() {
  std::string properties, required;
  for (int i = 0; i < 1000; ++i) {
    properties += (i ? "," : "") + ("\"property_" + std::to_string(i)) + R"(":{"type":)" +
                  (i % 2 ? R"("integer"})" : R"("boolean"})");
    if (i % 250 == 0) required += (required.empty() ? "\"" : ",\"") + ("property_" + std::to_string(i)) + "\"";
  }
  return R"({"type":"object","properties":{)" + properties + R"(},"required":[)" + required +
         R"(],"additionalProperties":false})";
}

}  // namespace

std::shared_ptr<const Tokenizer> demo_tokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer = [] {
    std::stringstream text;
    text << std::ifstream(GOSSAMER_SOURCE_DIR "/models/gossamer-mini/tokenizer.json").rdbuf();
    return Tokenizer::from_tokenizer_json(text.str(), 2816, "the demo model's").value();
  }();
  return tokenizer;
}

const std::vector<std::pair<std::string, std::string>>& good_schemas() {
  static const std::vector<std::pair<std::string, std::string>> schemas = [] {
    std::stringstream text;
    text << std::ifstream(GOSSAMER_SOURCE_DIR "/tests/grammar/good_schemas.json").rdbuf();
    std::vector<std::pair<std::string, std::string>> all;
    const json::value read = parse_json(text.str(), "the schemas").value();
    for (const auto& [name, schema] : read.as_object()) all.emplace_back(name, json::serialize(schema));
    all.emplace_back("thousand properties", thousand_properties());
    return all;
  }();
  return schemas;
}

WalkSampler::WalkSampler(const Tokenizer& tokenizer, uint32_t seed) : random_(seed) {
  for (const char closer : std::string_view("\"}]"))
    if (const auto token = tokenizer.text_token({&closer, 1})) closers_.push_back(*token);
  for (std::string_view special : {"<|return|>", "<|call|>", "<|end|>", "<|message|>"})
    if (const auto token = tokenizer.special(special)) closers_.push_back(*token);
  for (int byte = 1; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    if (const auto token = tokenizer.text_token({&character, 1})) bytes_.push_back(*token);
  }
}

std::optional<TokenId> WalkSampler::one_of(const std::vector<TokenId>& tokens, const TokenMask& mask) {
  std::vector<TokenId> choice;
  for (TokenId token : tokens)
    if (mask.allows(token)) choice.push_back(token);
  if (choice.empty()) return std::nullopt;
  return choice[below(static_cast<uint32_t>(choice.size()))];
}

TokenId WalkSampler::draw(const TokenMask& mask) {
  const uint32_t kind = below(6);
  if (kind < 2)
    if (const auto token = one_of(closers_, mask)) return *token;
  if (kind < 4)
    if (const auto token = one_of(bytes_, mask)) return *token;
  std::vector<TokenId> choice;
  const auto words = mask.words();
  for (uint32_t word = 0; word < words.size(); ++word)
    for (uint32_t bits = words[word]; bits != 0; bits &= bits - 1)
      choice.push_back(32 * word + static_cast<uint32_t>(std::countr_zero(bits)));
  if (choice.empty()) throw std::runtime_error("a mask allows nothing");
  return choice[below(static_cast<uint32_t>(choice.size()))];
}

std::optional<std::vector<TokenId>> walk(TokenConstraint& constraint, WalkSampler& sampler, size_t max_tokens) {
  std::vector<TokenId> tokens;
  while (!constraint.must_end()) {
    if (tokens.size() == max_tokens) return std::nullopt;
    const Result<const TokenMask*> mask = constraint.allowed();
    if (!mask.ok()) throw std::runtime_error(mask.error().message);
    const TokenId token = sampler.draw(**mask);
    if (const Status accepted = constraint.accept(token); !accepted.ok())
      throw std::runtime_error(accepted.error().message);
    tokens.push_back(token);
  }
  return tokens;
}

std::string text_of(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  std::string text;
  for (TokenId token : tokens)
    if (tokenizer.kind(token) == TokenKind::kText) text += tokenizer.token_bytes(token);
  return text;
}

}  // namespace gossamer::grammar::testing
