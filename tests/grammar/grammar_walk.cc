#include "grammar/grammar_walk.h"

#include <bit>
#include <fstream>
#include <sstream>
#include <stdexcept>

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
  static const std::vector<std::pair<std::string, std::string>> schemas = {
      {"any object", R"({"type":"object"})"},
      {"nested", R"({"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"object","properties":
         {"c":{"type":"integer"}},"required":["c"],"additionalProperties":false}},"required":["b"],
         "additionalProperties":false}},"required":["a"],"additionalProperties":false})"},
      {"enum", R"({"enum":["red","green",1,null,true,[1,2],{"a":"b"}]})"},
      {"const", R"({"type":"object","properties":{"kind":{"const":"circle"},"n":{"const":3}},"required":["kind","n"],
         "additionalProperties":false})"},
      {"pattern", R"({"type":"object","properties":{"zip":{"type":"string","pattern":"^[0-9]{5}(-[0-9]{4})?$"},
         "any":{"type":"string","pattern":"ab+c"}},"required":["zip","any"],"additionalProperties":false})"},
      {"anyOf", R"({"anyOf":[{"type":"integer","minimum":10,"maximum":99},{"type":"array","items":{"type":"null"},
         "maxItems":2},{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"],
         "additionalProperties":false}]})"},
      {"oneOf by const",
       R"({"oneOf":[{"type":"object","properties":{"t":{"const":"a"},"x":{"type":"integer"}},"required":
         ["t","x"],"additionalProperties":false},{"type":"object","properties":{"t":{"const":"b"}},"required":["t"],
         "additionalProperties":false}]})"},
      {"allOf", R"({"allOf":[{"type":"integer"},{"minimum":5},{"maximum":50}]})"},
      {"tree", R"({"$defs":{"node":{"type":"object","properties":{"value":{"type":"integer"},"children":{"type":"array",
         "items":{"$ref":"#/$defs/node"},"maxItems":2}},"required":["value","children"],"additionalProperties":false}},
         "$ref":"#/$defs/node"})"},
      {"list", R"({"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["next"],
         "additionalProperties":false})"},
      {"items", R"({"type":"array","items":{"type":"integer","minimum":0,"maximum":9},"minItems":3,"maxItems":5})"},
      {"prefixItems", R"({"type":"array","prefixItems":[{"type":"string","maxLength":3},{"type":"number"}],"items":
         {"type":"boolean"},"minItems":2,"maxItems":4})"},
      {"lengths", R"({"type":"object","properties":{"s":{"type":"string","minLength":2,"maxLength":5}},"required":["s"],
         "additionalProperties":false})"},
      {"numbers",
       R"({"type":"object","properties":{"i":{"type":"integer","exclusiveMinimum":-3,"exclusiveMaximum":3},"x":
         {"type":"number","minimum":0.5,"maximum":1.5},"m":{"type":"integer","multipleOf":7,"minimum":0,"maximum":70}},
         "required":["i","x","m"],"additionalProperties":false})"},
      {"formats", R"({"type":"object","properties":{"d":{"type":"string","format":"date"},"u":{"type":"string","format":
         "uuid"},"t":{"type":"string","format":"date-time"}},"required":["d","u","t"],"additionalProperties":false})"},
      {"unicode", R"({"type":"object","properties":{"größe":{"enum":["groß","小さい","😀"]},"工具":{"type":"string",
         "maxLength":4}},"required":["größe","工具"],"additionalProperties":false})"},
      {"nullable", R"({"type":["string","null"],"maxLength":4})"},
      {"pattern properties", R"({"type":"object","patternProperties":{"^x[0-9]$":{"type":"integer"}},
         "additionalProperties":false})"},
      {"additional",
       R"({"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"boolean"}})"},
      {"properties count", R"({"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,
         "maxProperties":3})"},
      {"a string", R"({"type":"string","maxLength":8})"},
      {"a number", R"({"type":"integer","minimum":0,"maximum":1000})"},
      {"anything", "true"},
      {"thousand properties", thousand_properties()},
      {"weather tool",
       R"({"type":"object","properties":{"location":{"type":"string","description":"The city and state"},
         "format":{"type":"string","enum":["celsius","fahrenheit"],"default":"celsius"},"days":{"type":"integer",
         "minimum":1,"maximum":14}},"required":["location","format"],"additionalProperties":false})"},
      {"flight tool", R"({"type":"object","properties":{"from":{"type":"string","pattern":"^[A-Z]{3}$"},"to":{"type":
         "string","pattern":"^[A-Z]{3}$"},"date":{"type":"string","format":"date"},"passengers":{"type":"array","minItems":1,
         "maxItems":3,"items":{"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":12},"age":
         {"anyOf":[{"type":"integer","minimum":0,"maximum":120},{"type":"null"}]}},"required":["name","age"],
         "additionalProperties":false}},"class":{"$ref":"#/$defs/class"}},"required":["from","to","date","passengers",
         "class"],"additionalProperties":false,"$defs":{"class":{"enum":["economy","business","first"]}}})"},
      {"patch tool",
       R"({"type":"object","properties":{"ops":{"type":"array","items":{"anyOf":[{"type":"object","properties":
         {"op":{"const":"add"},"line":{"type":"integer","minimum":1,"maximum":9999},"text":{"type":"string"}},"required":
         ["op","line","text"],"additionalProperties":false},{"type":"object","properties":{"op":{"const":"remove"},"line":
         {"type":"integer","minimum":1,"maximum":9999}},"required":["op","line"],"additionalProperties":false}]},
         "maxItems":4}},"required":["ops"],"additionalProperties":false})"},
  };
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
