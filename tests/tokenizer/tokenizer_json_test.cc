#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/mmap_file.h"
#include "tokenizer/o200k_harmony.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/published_tokenizer_json.h"
#include "tokenizer/published_vocabulary.h"
#include "tokenizer/spelled_vocabulary.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_json_writer.h"

namespace gossamer {
namespace {

/// A list of one. In braces it is that for one compiler, for another the element itself.
json::array list_of(json::value only) {
  json::array list;
  list.push_back(std::move(only));
  return list;
}

using testing::HasSubstr;

Result<std::shared_ptr<const Tokenizer>> load(std::string_view text, uint32_t head_rows = 0) {
  return Tokenizer::from_tokenizer_json(text, head_rows, "tokenizer.json");
}

/// A small tokenizer.json: the 256 bytes, " t" and one special token.
json::object small_json() {
  json::object vocab;
  for (unsigned byte = 0; byte < 256; ++byte) vocab[test::printable(std::string(1, static_cast<char>(byte)))] = byte;
  vocab[test::printable(" t")] = 256;
  json::object root = json::parse(R"({
    "added_tokens": [{"id": 300, "content": "<|end|>", "special": true}], "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "ignore_merges": true, "merges": []}})")
                          .as_object();
  root.at("pre_tokenizer").at("pretokenizers").at(0).at("pattern").at("Regex") = kO200kPattern;
  root.at("model").as_object()["vocab"] = vocab;
  root.at("model").as_object()["merges"] = list_of(json::array{test::printable(" "), "t"});
  return root;
}

TEST(TokenizerJson, PublishedFileIsTheBuiltInTokenizer) {
  const std::string text = test::published_tokenizer_json();
  ASSERT_TRUE(is_published_tokenizer_json(text));
  const auto built_in = Tokenizer::o200k_harmony();
  EXPECT_EQ(*load(text, 201088), built_in);

  // A head of another size: the same vocabulary, other rows.
  const auto named_only = load(text, 0);
  ASSERT_TRUE(named_only.ok());
  EXPECT_EQ((*named_only)->head_rows(), 200019u);
  EXPECT_EQ((*named_only)->named_tokens(), 200019u);
  const auto too_small = load(text, 1000);
  ASSERT_FALSE(too_small.ok());
  EXPECT_EQ(too_small.error().message,
            "tokenizer.json names the token id 200018, but the model's head has only 1000 rows");
}

TEST(TokenizerJson, TheBeginningOfO200kIsAVocabulary) {
  const SpelledVocabulary spelled = spell_o200k(1000);
  const auto loaded = load(write_tokenizer_json(spelled));
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ((*loaded)->named_tokens(), 1000u + kO200kNamedTokens - kO200kTextTokens);
  EXPECT_EQ((*loaded)->special("<|startoftext|>"), 1000u);
  for (TokenId id = 0; id < 1000; ++id)
    EXPECT_EQ((*loaded)->token_bytes(id), Tokenizer::o200k_harmony()->token_bytes(id));
  EXPECT_EQ((*loaded)->decode_bytes((*loaded)->encode("Füße, 脚 and feet")), "Füße, 脚 and feet");
  for (const auto& [left, right] : spelled.merges) EXPECT_TRUE(left < 1000 && right < 1000);
}

TEST(TokenizerJson, OtherSpellingsOfThePublishedFileAreFoundEqual) {
  std::string text = test::published_tokenizer_json() + "\n";
  ASSERT_FALSE(is_published_tokenizer_json(text));
  EXPECT_EQ(*load(text, 201088), Tokenizer::o200k_harmony());

  // A special token less: other names, but the text tokens are shared.
  const size_t last_special = text.find("<|endofprompt|>");
  text.replace(last_special, 15, "<|somethingel|>");
  const auto renamed = load(text, 201088);
  ASSERT_TRUE(renamed.ok()) << renamed.error().message;
  EXPECT_NE(*renamed, Tokenizer::o200k_harmony());
  EXPECT_EQ((*renamed)->special("<|somethingel|>"), 200018u);
  EXPECT_EQ(dynamic_cast<const BpeTokenizer&>(**renamed).vocabulary(), built_in_o200k()->vocabulary());
}

TEST(TokenizerJson, OneByteMoreOrLessIsNotThePublishedFile) {
  std::string text = test::published_tokenizer_json();
  for (const size_t at : {size_t{0}, text.size() / 2, text.size() - 30, text.size() - 1}) {
    text[at] ^= 1;
    EXPECT_FALSE(is_published_tokenizer_json(text)) << at;
    text[at] ^= 1;
  }
  EXPECT_TRUE(is_published_tokenizer_json(text));
}

TEST(TokenizerJson, DifferentMergesAreNotTheBuiltInTokenizer) {
  // The merges of "in" and " t" in the other order: the ids stay, the text they make does not always.
  std::string text = test::published_tokenizer_json();
  const size_t merges = text.find("\"merges\"");
  const std::string first =
      text.substr(text.find("      [\n", merges), text.find("],\n", merges) + 3 - text.find("      [\n", merges));
  const size_t first_at = text.find(first, merges);
  text.erase(first_at, first.size());
  text.insert(text.find("      [\n", first_at + first.size()), first);
  const auto loaded = load(text, 201088);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const auto built_in = Tokenizer::o200k_harmony();
  EXPECT_NE(*loaded, built_in);
  const std::string_view sample = "It isn't 1234 times; naïve Größe, 你好,世界! tokenisationally";
  EXPECT_EQ((*loaded)->encode(sample), built_in->encode(sample));
}

TEST(TokenizerJson, SmallVocabulary) {
  const auto loaded = load(json::serialize(small_json()), 400);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const Tokenizer& tokenizer = **loaded;
  EXPECT_EQ(tokenizer.head_rows(), 400u);
  EXPECT_EQ(tokenizer.named_tokens(), 258u);
  EXPECT_EQ(tokenizer.encode(" to"), (std::vector<TokenId>{256, 'o'}));
  EXPECT_EQ(tokenizer.special("<|end|>"), 300u);
  EXPECT_EQ(tokenizer.kind(300), TokenKind::kSpecial);
  EXPECT_EQ(tokenizer.kind(299), TokenKind::kUnnamed);
  EXPECT_EQ(tokenizer.kind(399), TokenKind::kUnnamed);
  EXPECT_EQ(tokenizer.token_bytes(256), " t");
}

TEST(TokenizerJson, DemoModel) {
  const auto text = read_file(GOSSAMER_SOURCE_DIR "/models/gossamer-mini/tokenizer.json", 1 << 24);
  if (!text.ok()) GTEST_SKIP() << "models/gossamer-mini is not there";
  const auto loaded = load(*text);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const Tokenizer& tokenizer = **loaded;
  for (const char* name : {"<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>",
                           "<|start|>", "<|end|>", "<|message|>", "<|call|>"})
    EXPECT_TRUE(tokenizer.special(name).has_value()) << name;
  for (const char* sample :
       {"", "What is the capital of France?", "12345", "naïve 你好 😀\r\n\t", "<|start|>assistant"}) {
    const auto ids = tokenizer.encode(sample);
    EXPECT_EQ(tokenizer.decode_bytes(ids), sample);
    for (const TokenId id : ids) EXPECT_EQ(tokenizer.kind(id), TokenKind::kText) << sample;
  }
}

struct BadJson {
  const char* name;
  void (*spoil)(json::object& root);
  const char* sentence;  // a part of it
};

json::object& model_of(json::object& root) {
  return root.at("model").as_object();
}
json::object& step(json::object& root, size_t index) {
  return root.at("pre_tokenizer").at("pretokenizers").at(index).as_object();
}
json::object& added(json::object& root) {
  return root.at("added_tokens").at(0).as_object();
}

const BadJson kBadJson[] = {
    {"ModelType", [](json::object& root) { model_of(root)["type"] = "Unigram"; }, "its model has the type \"Unigram\""},
    {"NoModel", [](json::object& root) { root.erase("model"); }, "its model has the type \"\""},
    {"Normalizer", [](json::object& root) { root["normalizer"] = json::object{{"type", "NFC"}}; },
     "it has a normalizer"},
    {"Dropout", [](json::object& root) { model_of(root)["dropout"] = 0.1; }, "dropout"},
    {"Prefix", [](json::object& root) { model_of(root)["continuing_subword_prefix"] = "##"; },
     "continuing_subword_prefix"},
    {"Decoder", [](json::object& root) { root["decoder"] = json::object{{"type", "WordPiece"}}; },
     "its decoder has the type"},
    {"NoPreTokenizer", [](json::object& root) { root["pre_tokenizer"] = nullptr; },
     "not a Sequence of Split and ByteLevel"},
    {"Pattern", [](json::object& root) { step(root, 0)["pattern"] = json::object{{"Regex", "\\s+"}}; },
     "split pattern"},
    {"Behavior", [](json::object& root) { step(root, 0)["behavior"] = "Removed"; }, "\"Isolated\""},
    {"Invert", [](json::object& root) { step(root, 0)["invert"] = true; }, "not inverted"},
    {"UseRegex", [](json::object& root) { step(root, 1).erase("use_regex"); }, "use_regex"},
    {"PrefixSpace", [](json::object& root) { step(root, 1)["add_prefix_space"] = true; }, "add_prefix_space"},
    {"AddedNotArray", [](json::object& root) { root["added_tokens"] = 3; }, "added_tokens is not an array"},
    {"AddedNotSpecial", [](json::object& root) { added(root)["special"] = false; },
     "the added token 300 (\"<|end|>\") is not special"},
    {"AddedStrips", [](json::object& root) { added(root)["lstrip"] = true; }, "has lstrip"},
    {"AddedNoId", [](json::object& root) { added(root).erase("id"); }, "token \"<|end|>\" has no id from 0 to"},
    {"AddedHugeId", [](json::object& root) { added(root)["id"] = 1e15; }, "has no id from 0 to"},
    {"AddedNegativeId", [](json::object& root) { added(root)["id"] = -1; }, "has no id from 0 to"},
    {"AddedNameless", [](json::object& root) { added(root)["content"] = ""; }, "has 0 bytes, wanted 1 to 256"},
    {"AddedIdOfText", [](json::object& root) { added(root)["id"] = 5; }, "id 5 is given to the special token"},
    {"AddedOtherIdInVocab", [](json::object& root) { model_of(root)["vocab"].as_object()["<|end|>"] = 299; },
     "has the id 300 in added_tokens and 299 in model.vocab"},
    {"AddedBeyondHead", [](json::object& root) { added(root)["id"] = 4000; },
     "names the token id 4000, but the model's head has only 400 rows"},
    {"NoVocab", [](json::object& root) { model_of(root).erase("vocab"); }, "model.vocab is not an object"},
    {"VocabIdTwice", [](json::object& root) { model_of(root)["vocab"].as_object()["xy"] = 256; },
     "id 256 is given to two tokens"},
    {"VocabNoId", [](json::object& root) { model_of(root)["vocab"].as_object()["xy"] = "xy"; },
     "token \"xy\" has no id"},
    {"VocabOutsideAlphabet", [](json::object& root) { model_of(root)["vocab"].as_object()["a b"] = 257; },
     "outside the byte-level alphabet"},
    {"VocabEmptyToken", [](json::object& root) { model_of(root)["vocab"].as_object()[""] = 257; },
     "token 257 is empty"},
    {"VocabLacksByte", [](json::object& root) { model_of(root)["vocab"].as_object().erase("A"); },
     "no token for the byte 0x41"},
    {"NoMerges", [](json::object& root) { model_of(root).erase("merges"); }, "model.merges is not an array"},
    {"MergeOfUnknown", [](json::object& root) { model_of(root)["merges"] = list_of(json::array{"a", "b"}); },
     "merge 0 joins \"a\" and \"b\", but the two together are not a token"},
    {"MergeNotAPair", [](json::object& root) { model_of(root)["merges"] = list_of(json::array{"a"}); },
     "merge 0 is neither"},
    {"MergeWithoutSpace", [](json::object& root) { model_of(root)["merges"] = list_of("ab"); }, "merge 0 is neither"},
};

class TokenizerJsonErrors : public testing::TestWithParam<BadJson> {};

TEST_P(TokenizerJsonErrors, AreSentences) {
  json::object root = small_json();
  ASSERT_TRUE(load(json::serialize(root), 400).ok());
  GetParam().spoil(root);
  const auto loaded = load(json::serialize(root), 400);
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message, testing::StartsWith("tokenizer.json"));
  EXPECT_THAT(loaded.error().message, HasSubstr(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerJsonErrors, testing::ValuesIn(kBadJson),
                         [](const auto& bad) { return bad.param.name; });

TEST(TokenizerJson, NotJson) {
  const auto loaded = load("{\"model\": ");
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message, HasSubstr("tokenizer.json is not valid JSON"));
  EXPECT_FALSE(load("").ok());
  EXPECT_FALSE(load("[]").ok());
}

}  // namespace
}  // namespace gossamer
