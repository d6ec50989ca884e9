#include "tokenizer/published_vocabulary.h"

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/o200k_harmony.h"
#include "tokenizer/spelled_vocabulary.h"
#include "tokenizer/tokenizer_json_writer.h"

namespace gossamer::test {
namespace {

std::vector<std::pair<std::string, std::string>> make_printable_merges() {
  const SpelledVocabulary spelled = spell_o200k(kO200kTextTokens);
  std::vector<std::pair<std::string, std::string>> merges;
  for (const auto& [left, right] : spelled.merges)
    merges.emplace_back(spelled.text_tokens[left], spelled.text_tokens[right]);
  return merges;
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    // The alphabet by its inverse: the one character that spells the byte.
    for (unsigned character = 33; character < 256 + 68; ++character) {
      std::string utf8;
      if (character < 0x80) {
        utf8 = {static_cast<char>(character)};
      } else {
        utf8 = {static_cast<char>(0xC0 | character >> 6), static_cast<char>(0x80 | (character & 0x3F))};
      }
      if (bytes_of_printable(utf8) == std::string(1, byte)) text += utf8;
    }
  }
  return text;
}

std::vector<std::string> o200k_printable_tokens() {
  return spell_o200k(kO200kTextTokens).text_tokens;
}

const std::vector<std::pair<std::string, std::string>>& o200k_printable_merges() {
  static const auto merges = make_printable_merges();
  return merges;
}

const std::string& published_tokenizer_json() {
  static const std::string text = write_tokenizer_json(spell_o200k(kO200kTextTokens));
  return text;
}

}  // namespace gossamer::test
