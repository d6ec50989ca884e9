/// Any tokens, types and merges as a GGUF vocabulary; what loads must encode without loss.
/// Input: lines. "m..." is a merge; any other line is a token whose type is its first byte. The 256 bytes come first.

#include "base/check.h"
#include "tokenizer/tokenizer.h"

namespace {

/// GPT-2's letters of the 256 bytes.
std::vector<std::string> byte_letters() {
  std::vector<std::string> letters;
  unsigned stand_in = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const unsigned character = printable ? byte : stand_in++;
    if (character < 0x80) {
      letters.push_back({static_cast<char>(character)});
    } else {
      letters.push_back({static_cast<char>(0xC0 | character >> 6), static_cast<char>(0x80 | (character & 0x3F))});
    }
  }
  return letters;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  static const std::vector<std::string> letters = byte_letters();
  GgufVocabulary vocabulary{"gpt2", "gpt-4o", {letters.begin(), letters.end()}, std::vector<int32_t>(256, 1), {}};
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.starts_with('m')) {
      vocabulary.merges.push_back(line.substr(1));
    } else if (!line.empty()) {
      vocabulary.tokens.push_back(line.substr(1));
      vocabulary.types.push_back(line[0] - '0');
    }
  }
  for (const uint32_t head_rows : {0u, 300u}) {
    const auto tokenizer = Tokenizer::from_gguf(vocabulary, head_rows, "input");
    if (!tokenizer.ok()) continue;
    const std::string_view sample = "abc zebra 123 <|end|> \n\n\u00e9\u4e2d";
    GOS_CHECK((*tokenizer)->decode_bytes((*tokenizer)->encode(sample)) == sample);
  }
  return 0;
}
