#include "tokenizer/vocabulary_source.h"

namespace gossamer {
namespace {

// tokenizer.ggml.token_type, as llama.cpp numbers them
enum GgufTokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5 };

Status sort_tokens(const GgufVocabulary& vocabulary, std::string_view what, VocabularySource& source) {
  source.text_tokens.reserve(vocabulary.tokens.size());
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const VocabularySource::Token token{static_cast<TokenId>(i), vocabulary.tokens[i]};
    switch (vocabulary.types.empty() ? kNormal : vocabulary.types[i]) {
      case kNormal:
        source.text_tokens.push_back(token);
        break;
      case kUnknown:
      case kControl:
      case kUserDefined:
        source.special_tokens.push_back(token);
        break;
      case kUnused:
        break;  // "[PAD200019]": a row of the head without a name
      default:
        return make_error(ErrorCode::kUnsupported, "{}: token {} ({}) has type {}, which byte-level BPE has no use for",
                          what, i, in_quotes(token.text), vocabulary.types[i]);
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_gguf(const GgufVocabulary& vocabulary, uint32_t head_rows,
                                                              std::string_view what) {
  if (vocabulary.model != "gpt2")
    return make_error(ErrorCode::kUnsupported,
                      "{}: its tokenizer is of the kind {}, gossamer knows byte-level BPE (\"gpt2\") only", what,
                      in_quotes(vocabulary.model));
  if (vocabulary.pre != "gpt-4o")
    return make_error(ErrorCode::kUnsupported, "{}: its tokenizer splits text as {}, gossamer knows \"gpt-4o\" only",
                      what, in_quotes(vocabulary.pre));
  if (!vocabulary.types.empty() && vocabulary.types.size() != vocabulary.tokens.size())
    return make_error(ErrorCode::kInvalidInput, "{}: it has {} tokens, but types for {}", what,
                      vocabulary.tokens.size(), vocabulary.types.size());
  if (vocabulary.tokens.size() > UINT32_MAX)
    return make_error(ErrorCode::kUnsupported, "{}: it has {} tokens", what, vocabulary.tokens.size());

  VocabularySource source;
  GOS_TRY_STATUS(sort_tokens(vocabulary, what, source));
  source.merges.reserve(vocabulary.merges.size());
  for (const std::string_view merge : vocabulary.merges) {
    const size_t space = merge.find(' ');
    if (space == std::string_view::npos)
      return make_error(ErrorCode::kInvalidInput, "{}: merge {} ({}) is not two tokens with a space between them", what,
                        source.merges.size(), in_quotes(merge));
    source.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return make_tokenizer(source, head_rows, what);
}

}  // namespace gossamer
