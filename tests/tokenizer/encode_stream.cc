/// Not a test: encodes what comes, so that scripts can compare with other tokenizers (tools/vocabulary/compare.py).
///   encode_stream [tokenizer.json]
///   encode_stream --bench-text prose|code|"mixed scripts"    prints that text of `gossamer bench tokenizer`
/// Input: texts, each a little-endian 32-bit size and so many bytes. Output: for each its ids, a count and so many
/// 32-bit words.

#include <cstdio>
#include <string>
#include <vector>

#include "base/mmap_file.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_bench.h"

int main(int argc, char** argv) {
  using namespace gossamer;
  if (argc == 3) {
    for (const BenchText kind : kBenchTexts)
      if (bench_text_name(kind) == argv[2]) std::fputs(make_bench_text(kind, 2 << 20).c_str(), stdout);
    return 0;
  }
  auto tokenizer = Tokenizer::o200k_harmony();
  if (argc == 2) {
    const auto text = read_file(argv[1], uint64_t{1} << 30);
    auto loaded = text.ok() ? Tokenizer::from_tokenizer_json(*text, 0, argv[1]) : text.error();
    if (!loaded.ok()) {
      std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
      return 1;
    }
    tokenizer = *loaded;
  }
  uint32_t size;
  while (std::fread(&size, sizeof size, 1, stdin) == 1) {
    std::string text(size, '\0');
    if (std::fread(text.data(), 1, size, stdin) != size) return 1;
    const std::vector<TokenId> ids = tokenizer->encode(text);
    const auto count = static_cast<uint32_t>(ids.size());
    std::fwrite(&count, sizeof count, 1, stdout);
    std::fwrite(ids.data(), sizeof(TokenId), ids.size(), stdout);
  }
}
