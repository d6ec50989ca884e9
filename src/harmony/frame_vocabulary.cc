#include "harmony/frame_vocabulary.h"

#include <utility>

namespace gossamer::harmony {

FrameVocabulary::FrameVocabulary(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}

Result<std::shared_ptr<const FrameVocabulary>> FrameVocabulary::create(std::shared_ptr<const Tokenizer> tokenizer) {
  std::shared_ptr<FrameVocabulary> vocabulary(new FrameVocabulary(std::move(tokenizer)));
  struct Wanted {
    std::string_view name;
    TokenId* id;
    bool is_needed;
  };
  const Wanted all_wanted[] = {
      {"<|start|>", &vocabulary->start_, true},          {"<|channel|>", &vocabulary->channel_, true},
      {"<|message|>", &vocabulary->message_, true},      {"<|end|>", &vocabulary->end_, true},
      {"<|constrain|>", &vocabulary->constrain_, false}, {"<|call|>", &vocabulary->call_, false},
      {"<|return|>", &vocabulary->return_, false}};
  for (const Wanted& wanted : all_wanted) {
    const std::optional<TokenId> id = vocabulary->tokenizer_->special(wanted.name);
    if (!id && wanted.is_needed)
      return make_error(ErrorCode::kUnsupported,
                        "the vocabulary has no special token {}, without which no message can be framed: use a gpt-oss "
                        "tokenizer, or leave frames unconstrained",
                        wanted.name);
    *wanted.id = id.value_or(kNoFrameToken);
  }
  vocabulary->find_text_tokens();
  return std::shared_ptr<const FrameVocabulary>(std::move(vocabulary));
}

void FrameVocabulary::find_text_tokens() {
  beginnings_.resize(size_t{1} << kHashBits);
  TokenMask text(tokenizer_->head_rows(), false);
  for (TokenId token = 0; token < tokenizer_->head_rows(); ++token) {
    if (tokenizer_->kind(token) != TokenKind::kText) continue;
    text.allow(token);
    add_beginnings(tokenizer_->token_bytes(token));
  }
  bodies_.assign(kNumEnds, text);
  for (uint8_t ends = 0; ends < kNumEnds; ++ends) allow_ends(ends, bodies_[ends]);
}

void FrameVocabulary::add_beginnings(std::string_view bytes) {
  uint64_t hash = 0;
  for (const char byte : bytes) {
    hash = grown_hash(hash, static_cast<unsigned char>(byte));
    beginnings_[hash >> kHashShift] = true;
  }
}

void FrameVocabulary::allow_ends(uint8_t ends, TokenMask& mask) const {
  const auto allow = [&](BodyEnd end, TokenId token) {
    if ((ends & end) != 0 && token != kNoFrameToken) mask.allow(token);
  };
  allow(kEndsByEnd, end_);
  allow(kEndsByReturn, return_);
  allow(kEndsByCall, call_);
}

}  // namespace gossamer::harmony
