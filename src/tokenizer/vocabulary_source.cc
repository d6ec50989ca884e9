#include "tokenizer/vocabulary_source.h"

#include <algorithm>

#include "base/utf8.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/o200k_harmony.h"

namespace gossamer {
namespace {

using VocabularyPtr = std::shared_ptr<const Vocabulary>;

/// Whether `merges` are the published ones. The published list holds every way to split each text token into two, by
/// token, then by left part. So a list of as many splits, strictly in that order, is that list; no copy of it is needed
/// to compare with.
bool are_o200k_merges(const std::vector<std::pair<std::string_view, std::string_view>>& merges,
                      const TokenTable& tokens) {
  if (merges.size() != kO200kMerges) return false;
  TokenId merged = 0, last_left = kNoToken;
  std::string spelling;
  for (const auto& [left, right] : merges) {
    spelling.assign(left).append(right);
    while (!printable_spells(spelling, tokens.bytes(merged))) {
      if (++merged == tokens.num_ids()) return false;
      last_left = kNoToken;
    }
    // Each character of the alphabet is one byte: count the characters of the left part.
    const auto left_bytes =
        static_cast<size_t>(std::count_if(left.begin(), left.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    const TokenId left_id = tokens.find(tokens.bytes(merged).substr(0, left_bytes));
    const TokenId right_id = tokens.find(tokens.bytes(merged).substr(left_bytes));
    if (left_id == kNoToken || right_id == kNoToken || (last_left != kNoToken && left_id <= last_left)) return false;
    last_left = left_id;
  }
  return true;
}

bool has_o200k_text(const VocabularySource& source, const TokenTable& tokens) {
  return source.whole_pieces && source.text_tokens.size() == kO200kTextTokens &&
         std::all_of(source.text_tokens.begin(), source.text_tokens.end(),
                     [&](const auto& token) { return printable_spells(token.text, tokens.bytes(token.id)); }) &&
         are_o200k_merges(source.merges, tokens);
}

Result<TokenTable> build_token_table(const VocabularySource& source, std::string_view what) {
  TokenId end = 0;
  for (const auto& token : source.text_tokens) end = std::max(end, token.id + 1);
  std::vector<std::string_view> by_id(end);
  uint64_t total_bytes = 0;
  for (const auto& [id, text] : source.text_tokens) {
    if (text.empty()) return make_error(ErrorCode::kInvalidInput, "{}: token {} is empty", what, id);
    if (!by_id[id].empty())
      return make_error(ErrorCode::kInvalidInput, "{}: id {} is given to two tokens, {} and {}", what, id,
                        in_quotes(by_id[id]), in_quotes(text));
    by_id[id] = text;
    total_bytes += text.size();
  }
  if (total_bytes > UINT32_MAX)
    return make_error(ErrorCode::kUnsupported, "{}: its tokens have {} bytes together, more than 4 GiB", what,
                      total_bytes);

  std::string blob;
  std::vector<uint32_t> offsets = {0};
  blob.reserve(total_bytes);
  offsets.reserve(by_id.size() + 1);
  for (TokenId id = 0; id < end; ++id) {
    if (!append_bytes_of_printable(by_id[id], blob))
      return make_error(ErrorCode::kInvalidInput,
                        "{}: token {} ({}) has a character outside the byte-level alphabet; is it a special token?",
                        what, id, in_quotes(by_id[id]));
    offsets.push_back(static_cast<uint32_t>(blob.size()));
  }
  return TokenTable::build(std::move(blob), std::move(offsets), what);
}

Result<MergeTable> build_merge_table(const VocabularySource& source, const TokenTable& tokens, std::string_view what) {
  if (source.merges.size() >= kMaxTokenIds)
    return make_error(ErrorCode::kUnsupported, "{} has {} merges, gossamer takes fewer than {}", what,
                      source.merges.size(), kMaxTokenIds);
  MergeTable table(source.merges.size());
  std::string bytes;
  for (uint32_t rank = 0; rank < source.merges.size(); ++rank) {
    const auto& [left, right] = source.merges[rank];
    bytes.clear();
    if (!append_bytes_of_printable(left, bytes)) bytes.clear();
    const size_t left_bytes = bytes.size();
    const TokenId left_id = tokens.find(bytes);
    const bool right_spelt = append_bytes_of_printable(right, bytes);
    const TokenId right_id = right_spelt ? tokens.find(std::string_view(bytes).substr(left_bytes)) : kNoToken;
    const TokenId merged = tokens.find(bytes);
    if (left_id == kNoToken || right_id == kNoToken || merged == kNoToken)
      return make_error(ErrorCode::kInvalidInput, "{}: merge {} joins {} and {}, but {} not a token of the vocabulary",
                        what, rank, in_quotes(left), in_quotes(right),
                        left_id == kNoToken    ? "the first is"
                        : right_id == kNoToken ? "the second is"
                                               : "the two together are");
    if (!table.add(left_id, right_id, merged))
      return make_error(ErrorCode::kInvalidInput, "{}: the merges were chosen so that their hashes collide (merge {})",
                        what, rank);
  }
  return table;
}

Result<VocabularyPtr> make_vocabulary(const VocabularySource& source, std::string_view what) {
  const VocabularyPtr& o200k = built_in_o200k()->vocabulary();
  if (has_o200k_text(source, o200k->tokens())) return o200k;
  GOS_TRY(TokenTable tokens, build_token_table(source, what));
  GOS_TRY(MergeTable merges, build_merge_table(source, tokens, what));
  GOS_TRY(Vocabulary vocabulary,
          Vocabulary::by_merges(std::move(tokens), std::move(merges), source.whole_pieces, what));
  return VocabularyPtr(std::make_shared<const Vocabulary>(std::move(vocabulary)));
}

/// Rows of the head, with every id below it. Bounds what a file can make us allocate.
Result<uint32_t> checked_head_rows(const VocabularySource& source, uint32_t head_rows, std::string_view what) {
  uint64_t rows_named = 0;
  for (const auto* tokens : {&source.text_tokens, &source.special_tokens})
    for (const auto& token : *tokens) rows_named = std::max(rows_named, uint64_t{token.id} + 1);
  if (head_rows != 0 && rows_named > head_rows)
    return make_error(ErrorCode::kInvalidInput, "{} names the token id {}, but the model's head has only {} rows", what,
                      rows_named - 1, head_rows);
  const uint64_t rows = head_rows != 0 ? head_rows : rows_named;
  if (rows > kMaxTokenIds)
    return make_error(ErrorCode::kUnsupported, "{} has ids up to {}, gossamer takes fewer than {}", what, rows - 1,
                      kMaxTokenIds);
  return static_cast<uint32_t>(rows);
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr size_t kShownBytes = 40;
  std::string shown = utf8_lossy(text.substr(0, kShownBytes));
  std::replace_if(shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return '"' + shown + (text.size() > kShownBytes ? "...\"" : "\"");
}

Result<std::shared_ptr<const Tokenizer>> make_tokenizer(const VocabularySource& source, uint32_t head_rows,
                                                        std::string_view what) {
  GOS_TRY(head_rows, checked_head_rows(source, head_rows, what));
  GOS_TRY(VocabularyPtr vocabulary, make_vocabulary(source, what));
  std::vector<std::pair<TokenId, std::string>> names;
  for (const auto& [id, name] : source.special_tokens) {
    if (!vocabulary->tokens().bytes(id).empty())
      return make_error(ErrorCode::kInvalidInput, "{}: id {} is given to the special token {} and to a text token",
                        what, id, in_quotes(name));
    names.emplace_back(id, name);
  }
  GOS_TRY(SpecialTokens specials, SpecialTokens::build(std::move(names), what));
  const auto& built_in = built_in_o200k();
  if (vocabulary == built_in->vocabulary() && head_rows == built_in->head_rows() &&
      specials.tokens() == built_in->specials().tokens())
    return std::shared_ptr<const Tokenizer>(built_in);
  return std::shared_ptr<const Tokenizer>(
      std::make_shared<BpeTokenizer>(std::move(vocabulary), std::move(specials), head_rows));
}

}  // namespace gossamer
