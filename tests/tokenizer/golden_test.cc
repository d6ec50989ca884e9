/// Every row of the tokenizer goldens: a small committed selection always, all 3,639 where ../shared is there. And
/// small, odd vocabularies against Hugging Face's tokenizers (tools/vocabulary/make_small_goldens.py).

#include <gtest/gtest.h>

#include <map>

#include "base/mmap_file.h"
#include "base/utf8.h"
#include "tokenizer/golden_rows.h"
#include "tokenizer/tokenizer.h"

namespace gossamer {
namespace {

using test::from_hex;
using test::ids_of;

std::string text_of(const json::object& row) {
  return std::string(row.at("text").as_string());
}

void check_bytes_row(const Tokenizer& tokenizer, const json::object& row) {
  const std::string bytes = tokenizer.decode_bytes(ids_of(row, "ids"));
  EXPECT_EQ(bytes, from_hex(row.at("hex").as_string()));
  EXPECT_EQ(utf8_lossy(bytes), text_of(row));
  Utf8Stream stream;
  std::string streamed;
  for (const TokenId id : ids_of(row, "ids")) stream.feed(tokenizer.token_bytes(id), streamed);
  stream.flush(streamed);
  EXPECT_EQ(streamed, text_of(row));
}

void check_token_bytes_row(const Tokenizer& tokenizer, const json::object& row) {
  const auto ids = ids_of(row, "ids");
  const json::array& hex = row.at("hex").as_array();
  ASSERT_EQ(ids.size(), hex.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(tokenizer.token_bytes(ids[i]), from_hex(hex[i].as_string())) << "token " << ids[i];
    EXPECT_EQ(tokenizer.kind(ids[i]), TokenKind::kText) << "token " << ids[i];
  }
}

void check_text_row(const Tokenizer& tokenizer, const json::object& row) {
  const std::string text = text_of(row);
  const auto ids = ids_of(row, "ids");
  EXPECT_EQ(tokenizer.encode(text), ids);
  EXPECT_EQ(tokenizer.decode_bytes(ids), text);
  if (row.contains("ids_special")) {
    std::vector<TokenId> with_specials;
    tokenizer.encode_with_specials(text, with_specials);
    EXPECT_EQ(with_specials, ids_of(row, "ids_special"));
    EXPECT_EQ(tokenizer.decode_bytes(with_specials), text);
  }
}

void check_rows(const std::vector<json::object>& rows) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  for (size_t i = 0; i < rows.size() && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    const std::string_view kind = rows[i].at("kind").as_string();
    if (kind == "bytes") {
      check_bytes_row(*tokenizer, rows[i]);
    } else if (kind == "token_bytes") {
      check_token_bytes_row(*tokenizer, rows[i]);
    } else {
      check_text_row(*tokenizer, rows[i]);
    }
  }
}

TEST(TokenizerGoldens, CommittedRows) {
  const auto rows = test::read_rows(GOSSAMER_SOURCE_DIR "/tests/data/tokenizer/o200k.jsonl");
  ASSERT_TRUE(rows.has_value());
  ASSERT_GT(rows->size(), 300u);
  check_rows(*rows);
}

TEST(TokenizerGoldens, AllRows) {
  const auto rows = test::read_rows(GOSSAMER_SHARED_DIR "/oracle/goldens/tokenizer.jsonl.gz");
  if (!rows)
    GTEST_SKIP() << "../shared/oracle/goldens/tokenizer.jsonl.gz is not there (or the tests are built without zlib)";
  ASSERT_EQ(rows->size(), 3639u);
  check_rows(*rows);
}

TEST(TokenizerGoldens, SmallVocabulariesOfTokenizerJson) {
  const std::string folder = GOSSAMER_SOURCE_DIR "/tests/data/tokenizer/";
  const auto rows = test::read_rows(folder + "small.jsonl");
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 240u);
  std::map<std::string, std::shared_ptr<const Tokenizer>> tokenizers;
  for (const json::object& row : *rows) {
    const std::string name(row.at("tokenizer").as_string());
    if (!tokenizers.contains(name)) {
      const auto text = read_file(folder + name, 1 << 20);
      ASSERT_TRUE(text.ok());
      const auto loaded = Tokenizer::from_tokenizer_json(*text, 0, name);
      ASSERT_TRUE(loaded.ok()) << loaded.error().message;
      tokenizers[name] = *loaded;
    }
    const Tokenizer& tokenizer = *tokenizers[name];
    std::vector<TokenId> ids;
    tokenizer.encode_with_specials(text_of(row), ids);
    ASSERT_EQ(ids, ids_of(row, "ids")) << name << ": " << row.at("text");
    EXPECT_EQ(tokenizer.decode_bytes(tokenizer.encode(text_of(row))), text_of(row));
  }
}

}  // namespace
}  // namespace gossamer
