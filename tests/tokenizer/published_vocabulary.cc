#include "tokenizer/published_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/o200k_harmony.h"
#include "tokenizer/pretokenizer.h"

namespace gossamer::test {
namespace {

/// A JSON text; the alphabet needs only two escapes.
std::string quoted_json(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + '"';
}

constexpr std::string_view kHead = R"({
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [
)";

constexpr std::string_view kAddedToken = R"(    {{
      "id": {},
      "content": {},
      "single_word": false,
      "lstrip": false,
      "rstrip": false,
      "normalized": false,
      "special": true
    }}{}
)";

constexpr std::string_view kPipeline = R"(  ],
  "normalizer": null,
  "pre_tokenizer": {{
    "type": "Sequence",
    "pretokenizers": [
      {{
        "type": "Split",
        "pattern": {{
          "Regex": {}
        }},
        "behavior": "Isolated",
        "invert": false
      }},
      {{
        "type": "ByteLevel",
        "add_prefix_space": false,
        "trim_offsets": true,
        "use_regex": false
      }}
    ]
  }},
  "post_processor": {{
    "type": "ByteLevel",
    "add_prefix_space": true,
    "trim_offsets": false,
    "use_regex": true
  }},
  "decoder": {{
    "type": "ByteLevel",
    "add_prefix_space": true,
    "trim_offsets": true,
    "use_regex": true
  }},
  "model": {{
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": true,
    "vocab": {{
)";

std::vector<std::pair<std::string, std::string>> make_printable_merges() {
  const std::vector<std::string> tokens = o200k_printable_tokens();
  const TokenTable& table = built_in_o200k()->vocabulary()->tokens();
  std::vector<std::pair<std::string, std::string>> merges;
  for (TokenId id = 0; id < table.num_ids(); ++id) {
    const std::string_view bytes = table.bytes(id);
    std::vector<std::pair<TokenId, TokenId>> splits;
    for (size_t size = 1; size < bytes.size(); ++size) {
      const TokenId left = table.find(bytes.substr(0, size)), right = table.find(bytes.substr(size));
      if (left != kNoToken && right != kNoToken) splits.emplace_back(left, right);
    }
    std::sort(splits.begin(), splits.end());
    for (const auto& [left, right] : splits) merges.emplace_back(tokens[left], tokens[right]);
  }
  return merges;
}

std::string make_published_json() {
  std::string text(kHead);
  const SpecialTokens specials = o200k_special_tokens();
  for (const auto& [id, name] : specials.tokens())
    text += fmt::format(kAddedToken, id, quoted_json(name), id + 1 == kO200kNamedTokens ? "" : ",");
  text += fmt::format(kPipeline, quoted_json(kO200kPattern));
  const std::vector<std::string> tokens = o200k_printable_tokens();
  for (size_t id = 0; id < tokens.size(); ++id)
    text += fmt::format("      {}: {}{}\n", quoted_json(tokens[id]), id, id + 1 == tokens.size() ? "" : ",");
  text += "    },\n    \"merges\": [\n";
  const auto& merges = o200k_printable_merges();
  for (size_t i = 0; i < merges.size(); ++i)
    text += fmt::format("      [\n        {},\n        {}\n      ]{}\n", quoted_json(merges[i].first),
                        quoted_json(merges[i].second), i + 1 == merges.size() ? "" : ",");
  return text + "    ]\n  }\n}";
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
  std::vector<std::string> of_byte(256);
  for (unsigned byte = 0; byte < 256; ++byte) of_byte[byte] = printable(std::string(1, static_cast<char>(byte)));
  const TokenTable& table = built_in_o200k()->vocabulary()->tokens();
  std::vector<std::string> tokens(table.num_ids());
  for (TokenId id = 0; id < table.num_ids(); ++id)
    for (const char byte : table.bytes(id)) tokens[id] += of_byte[static_cast<unsigned char>(byte)];
  return tokens;
}

const std::vector<std::pair<std::string, std::string>>& o200k_printable_merges() {
  static const auto merges = make_printable_merges();
  return merges;
}

const std::string& published_tokenizer_json() {
  static const std::string text = make_published_json();
  return text;
}

}  // namespace gossamer::test
