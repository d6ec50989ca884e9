#include "tokenizer/tokenizer_json_writer.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "tokenizer/pretokenizer.h"

namespace gossamer {
namespace {

// The layout of the published file: that of serde's pretty printer, with every key that the library writes.
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

/// A JSON text; the byte-level alphabet needs only two escapes.
std::string quoted_json(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + '"';
}

}  // namespace

std::string write_tokenizer_json(const SpelledVocabulary& vocabulary) {
  std::vector<std::string> tokens;
  for (const std::string& token : vocabulary.text_tokens) tokens.push_back(quoted_json(token));
  std::string text(kHead);
  const auto write = std::back_inserter(text);
  const auto comma = [](size_t i, const auto& list) { return i + 1 == list.size() ? "" : ","; };
  const auto& specials = vocabulary.special_tokens;
  for (size_t i = 0; i < specials.size(); ++i)
    fmt::format_to(write, kAddedToken, specials[i].first, quoted_json(specials[i].second), comma(i, specials));
  fmt::format_to(write, kPipeline, quoted_json(kO200kPattern));
  for (size_t id = 0; id < tokens.size(); ++id)
    fmt::format_to(write, "      {}: {}{}\n", tokens[id], id, comma(id, tokens));
  text += "    },\n    \"merges\": [\n";
  const auto& merges = vocabulary.merges;
  for (size_t i = 0; i < merges.size(); ++i)
    fmt::format_to(write, "      [\n        {},\n        {}\n      ]{}\n", tokens[merges[i].first],
                   tokens[merges[i].second], comma(i, merges));
  return text + "    ]\n  }\n}";
}

}  // namespace gossamer
