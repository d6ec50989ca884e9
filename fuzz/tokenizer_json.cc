/// Any text as a tokenizer.json; what loads must encode without loss.

#include "base/check.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const uint32_t head_rows : {0u, 512u}) {
    const auto tokenizer = Tokenizer::from_tokenizer_json(text, head_rows, "input");
    if (!tokenizer.ok()) continue;
    const std::string_view sample = "abc zebra 123 <|end|> \n\n\u00e9\u4e2d";
    GOS_CHECK((*tokenizer)->decode_bytes((*tokenizer)->encode(sample)) == sample);
  }
  return 0;
}
