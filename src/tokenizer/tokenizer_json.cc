#include <unordered_map>

#include "base/json.h"
#include "tokenizer/o200k_harmony.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/published_tokenizer_json.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/vocabulary_source.h"

namespace gossamer {
namespace {

/// Reads one tokenizer.json. Members are views into `root`.
class TokenizerJsonReader {
 public:
  TokenizerJsonReader(const json::value& root, std::string_view what) : root_(root), what_(what) {}

  Result<VocabularySource> read() {
    GOS_TRY_STATUS(check_pipeline());
    GOS_TRY_STATUS(check_split(member(root_, "pre_tokenizer")));
    GOS_TRY_STATUS(read_added_tokens());
    GOS_TRY_STATUS(read_vocab());
    GOS_TRY_STATUS(read_merges());
    return std::move(source_);
  }

 private:
  static const json::value& member(const json::value& value, std::string_view key) {
    static const json::value null;
    const json::value* found = find_member(value, key);
    return found != nullptr ? *found : null;
  }
  static std::string_view text_of(const json::value& value) {
    const json::string* text = value.if_string();
    return text != nullptr ? std::string_view(text->data(), text->size()) : std::string_view();
  }
  static bool is_false(const json::value& value) { return value.is_null() || (value.is_bool() && !value.get_bool()); }
  static bool is_true(const json::value& value) { return value.is_bool() && value.get_bool(); }

  template <class... Args>
  Error unsupported(fmt::format_string<Args...> text, Args&&... args) const {
    return Error{ErrorCode::kUnsupported, fmt::format("{}: {}", what_, fmt::format(text, std::forward<Args>(args)...))};
  }
  template <class... Args>
  Error malformed(fmt::format_string<Args...> text, Args&&... args) const {
    return Error{ErrorCode::kInvalidInput,
                 fmt::format("{}: {}", what_, fmt::format(text, std::forward<Args>(args)...))};
  }

  Result<TokenId> id_of(const json::value& value, std::string_view token) const {
    const int64_t* id = value.if_int64();
    if (id == nullptr || *id < 0 || *id >= kMaxTokenIds)
      return malformed("token {} has no id from 0 to {}", in_quotes(token), kMaxTokenIds - 1);
    return static_cast<TokenId>(*id);
  }

  /// Everything that would change how text becomes tokens must be off.
  Status check_pipeline() const {
    const json::value& model = member(root_, "model");
    if (text_of(member(model, "type")) != "BPE")
      return unsupported("its model has the type {}, gossamer knows \"BPE\" only",
                         in_quotes(text_of(member(model, "type"))));
    if (!member(root_, "normalizer").is_null()) return unsupported("it has a normalizer, gossamer takes text as it is");
    if (!member(model, "dropout").is_null()) return unsupported("its model has a dropout, gossamer merges always");
    for (std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (!text_of(member(model, key)).empty()) return unsupported("its model has a {}, byte-level BPE has none", key);
    const json::value& decoder = member(root_, "decoder");
    if (!decoder.is_null() && text_of(member(decoder, "type")) != "ByteLevel")
      return unsupported("its decoder has the type {}, gossamer knows \"ByteLevel\" only",
                         in_quotes(text_of(member(decoder, "type"))));
    return {};
  }

  /// The pre-tokenizer: the o200k split, then the byte-level alphabet without a split of its own.
  Status check_split(const json::value& pre_tokenizer) const {
    const json::array* steps = member(pre_tokenizer, "pretokenizers").if_array();
    if (text_of(member(pre_tokenizer, "type")) != "Sequence" || steps == nullptr || steps->size() != 2)
      return unsupported("its pre_tokenizer is not a Sequence of Split and ByteLevel");
    const json::value &split = (*steps)[0], &byte_level = (*steps)[1];
    if (text_of(member(split, "type")) != "Split" || text_of(member(byte_level, "type")) != "ByteLevel")
      return unsupported("its pre_tokenizer is not a Sequence of Split and ByteLevel");
    if (text_of(member(member(split, "pattern"), "Regex")) != kO200kPattern)
      return unsupported("its split pattern is not that of o200k, the only one gossamer knows");
    if (text_of(member(split, "behavior")) != "Isolated" || !is_false(member(split, "invert")))
      return unsupported("its Split is not \"Isolated\" and not inverted");
    // Where it is absent, use_regex is true.
    const json::value& use_regex = member(byte_level, "use_regex");
    if (!use_regex.is_bool() || use_regex.get_bool() || !is_false(member(byte_level, "add_prefix_space")))
      return unsupported("its ByteLevel step splits or adds a space; wanted use_regex and add_prefix_space false");
    return {};
  }

  Status read_added_tokens() {
    const json::value& added = member(root_, "added_tokens");
    if (added.is_null()) return {};
    const json::array* tokens = added.if_array();
    if (tokens == nullptr) return malformed("added_tokens is not an array");
    for (const json::value& token : *tokens) {
      const std::string_view name = text_of(member(token, "content"));
      GOS_TRY(const TokenId id, id_of(member(token, "id"), name));
      if (!is_true(member(token, "special")))
        return unsupported("the added token {} ({}) is not special; gossamer has text tokens and special tokens only",
                           id, in_quotes(name));
      for (std::string_view key : {"single_word", "lstrip", "rstrip"})
        if (!is_false(member(token, key)))
          return unsupported("the added token {} ({}) has {}, which gossamer does not do", id, in_quotes(name), key);
      source_.special_tokens.push_back({id, name});
      added_.emplace(name, id);
    }
    return {};
  }

  /// model.vocab; trainers put the special tokens in there too.
  Status read_vocab() {
    const json::object* vocab = member(member(root_, "model"), "vocab").if_object();
    if (vocab == nullptr) return malformed("model.vocab is not an object");
    source_.text_tokens.reserve(vocab->size());
    for (const json::key_value_pair& entry : *vocab) {
      const std::string_view text(entry.key().data(), entry.key().size());
      GOS_TRY(const TokenId id, id_of(entry.value(), text));
      if (const auto added = added_.find(text); added == added_.end()) {
        source_.text_tokens.push_back({id, text});
      } else if (added->second != id) {
        return malformed("the token {} has the id {} in added_tokens and {} in model.vocab", in_quotes(text),
                         added->second, id);
      }
    }
    return {};
  }

  /// model.merges: pairs, or (as older files have it) texts with a space between the two.
  Status read_merges() {
    const json::value& model = member(root_, "model");
    source_.whole_pieces = is_true(member(model, "ignore_merges"));
    const json::array* merges = member(model, "merges").if_array();
    if (merges == nullptr) return malformed("model.merges is not an array");
    source_.merges.reserve(merges->size());
    for (const json::value& merge : *merges) {
      const json::array* pair = merge.if_array();
      const std::string_view joined = text_of(merge);
      const size_t space = joined.find(' ');
      if (pair != nullptr && pair->size() == 2 && (*pair)[0].is_string() && (*pair)[1].is_string()) {
        source_.merges.emplace_back(text_of((*pair)[0]), text_of((*pair)[1]));
      } else if (space != std::string_view::npos) {
        source_.merges.emplace_back(joined.substr(0, space), joined.substr(space + 1));
      } else {
        return malformed("merge {} is neither a pair of texts nor a text with a space", source_.merges.size());
      }
    }
    return {};
  }

  const json::value& root_;
  std::string_view what_;
  VocabularySource source_;
  std::unordered_map<std::string_view, TokenId> added_;
};

/// The built-in tokenizer for a head of another size.
Result<std::shared_ptr<const Tokenizer>> o200k_with_head(uint32_t head_rows, std::string_view what) {
  const auto& built_in = built_in_o200k();
  if (head_rows == built_in->head_rows()) return std::shared_ptr<const Tokenizer>(built_in);
  if (head_rows == 0) head_rows = kO200kNamedTokens;
  if (head_rows < kO200kNamedTokens)
    return make_error(ErrorCode::kInvalidInput, "{} names the token id {}, but the model's head has only {} rows", what,
                      kO200kNamedTokens - 1, head_rows);
  return std::shared_ptr<const Tokenizer>(
      std::make_shared<BpeTokenizer>(built_in->vocabulary(), o200k_special_tokens(), head_rows));
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_tokenizer_json(std::string_view text, uint32_t head_rows,
                                                                        std::string_view what) {
  if (is_published_tokenizer_json(text)) return o200k_with_head(head_rows, what);
  GOS_TRY(const json::value root, parse_json(text, what));
  GOS_TRY(const VocabularySource source, TokenizerJsonReader(root, what).read());
  return make_tokenizer(source, head_rows, what);
}

}  // namespace gossamer
