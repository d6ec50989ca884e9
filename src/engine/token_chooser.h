#pragma once

#include <memory>
#include <optional>
#include <span>

#include "engine/constrained_answer.h"
#include "engine/engine.h"
#include "engine/mask_worker.h"
#include "model/batch.h"
#include "sampling/sampler.h"

namespace gossamer {

/// Chooses the tokens of one answer: which logits it needs for that, what is forbidden, and which token it is.
class TokenChooser {
 public:
  struct Choice {
    Result<TokenId> token = TokenId{0};
    Logprobs logprobs;         ///< where asked for
    bool is_complete = false;  ///< the constraint lets nothing follow
    double mask_wait_seconds = 0;
  };

  /// `sampleable`: tokens that may be chosen at all; null: all. It outlives the chooser. `draws_elsewhere`: logits stay
  /// where they are computed, and tokens are drawn there.
  TokenChooser(const EngineRequest& request, uint32_t vocab_size, const TokenMask* sampleable, bool draws_elsewhere);

  /// What the head forbids for the next token of an answer that has so many; null: nothing. What a constraint forbids
  /// comes later: its mask is computed beside the forward pass.
  const TokenMask* head_mask(size_t answer_tokens) const;
  /// What the head gives for the next token: the best logits where they decide; all of them where any token may be
  /// drawn, where a constraint has its say afterwards, or where logprobs, which are of the model's own logits, are
  /// wanted beside changed ones. Where tokens are drawn elsewhere all logits stay there, and the best are for logprobs.
  /// Valid until choose().
  TopWish wish(kernels::TopLogits* top) const;

  /// The next token, from all `logits` [V], or from `top` where they are empty. `position` is where it will stand. On
  /// any thread, one at a time.
  Choice choose(std::span<const float> logits, const kernels::TopLogits& top, uint32_t position);

  /// Where tokens are drawn elsewhere: whether that has to wait for a mask that is computed beside the forward pass.
  bool waits_for_mask() const { return constrained_ != nullptr; }
  /// What draws the next token of row `row` of the logits that stayed; waits for the mask. Valid until choose(). On any
  /// thread, one at a time. Errors: there is no mask.
  Result<DrawWish> draw_wish(uint32_t row, uint32_t position, Drawn* drawn);
  /// The next token, as it was drawn.
  Choice choose(const Drawn& drawn, const kernels::TopLogits& top, uint32_t position);

  /// Lets the mask for the next token be computed beside whatever comes first: the forward pass, or the prompt.
  void prepare(MaskWorker& worker) const;

  const MaskedMass& masked() const { return masked_; }

 private:
  Result<const TokenMask*> wait_for_mask();
  void accept(Choice& choice);

  Sampler sampler_;
  std::optional<uint32_t> top_logprobs_;
  const TokenMask* sampleable_;
  size_t min_tokens_;
  uint32_t vocab_size_;
  bool draws_elsewhere_;
  std::optional<TokenMask> early_mask_;             // of an answer with min_tokens: no stop tokens
  std::shared_ptr<ConstrainedAnswer> constrained_;  // null: nothing is
  MaskedMass masked_;
  double mask_wait_seconds_ = 0;  // of the next token
};

}  // namespace gossamer
