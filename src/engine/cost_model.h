#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace gossamer {

/// How long a step takes: a + b * tokens + c * positions read + d * positions attended to + e * experts read, none of
/// them negative, fitted to the steps that were measured.
///
/// Steps are remembered by kind (how many tokens, how deep), each kind by a moving average. So a thousand steps of
/// decode do not wash away what was learned of prompts, and a machine that gets busy is noticed kind by kind.
/// (Recursive least squares with forgetting was tried and lost: after a stretch of equal steps its predictions for
/// other ones were anybody's guess.)
class CostModel {
 public:
  /// `experts` and `active`: of the model; a step of T tokens reads about experts * (1 - (1 - active / experts)^T).
  CostModel(uint32_t experts, uint32_t active) : experts_(experts), active_(active) {}

  struct Step {
    uint32_t tokens = 0;
    uint64_t kv_tokens = 0;        ///< positions that its rows read from the cache: once for each row
    uint64_t attended_tokens = 0;  ///< positions that its tokens attend to: once for each token
    bool has_prompt = false;       ///< computes tokens that are no answer's next

    /// `samples`: the row gives an answer's token; a single one that does not is a prompt's.
    void add_row(uint32_t start, uint32_t length, bool samples) {
      has_prompt |= length > 1 || !samples;
      tokens += length;
      kv_tokens += start + length;
      attended_tokens += uint64_t{length} * (start + length);
    }
  };

  void observe(const Step& step, double seconds);
  /// 0 before the first observation.
  double seconds(const Step& step) const;

  /// How many times as long as predicted the slowest of a hundred steps took lately, with prompts or without; 1 where
  /// too few have been seen to say.
  double p99_over_predicted(bool has_prompt) const { return (has_prompt ? prompt_ratios_ : answer_ratios_).p99(); }
  /// How many steps with prompts there were since the last one without.
  uint32_t steps_since_answers_alone() const { return steps_since_answers_alone_; }

  /// The most tokens whose step is predicted to take at most `limit_seconds`, those of `decode` among them; at most
  /// `most`, and at most twice the largest step that was ever seen. The others are of a prompt of which
  /// `prompt_depth` tokens are computed.
  uint32_t tokens_within(double limit_seconds, const Step& decode, uint32_t prompt_depth, uint32_t most) const;

 private:
  static constexpr size_t kTerms = 5;
  static constexpr size_t kTokenKinds = 16, kDepthKinds = 12;  // by powers of two; depth from 512 on
  using Terms = std::array<double, kTerms>;
  /// The average step of a kind.
  struct Kind {
    Terms terms{};
    double seconds = 0;
    uint32_t seen = 0;
  };
  /// Measured against predicted, of the last steps of a sort.
  class Ratios {
   public:
    void add(double ratio) { last_[count_++ % last_.size()] = static_cast<float>(ratio); }
    double p99() const;

   private:
    std::array<float, 128> last_{};
    uint32_t count_ = 0;
  };
  Terms terms(const Step& step) const;
  double fitted(const Step& step) const { return weighted(terms(step)); }
  double weighted(const Terms& terms) const;
  size_t kind_of(const Step& step) const;
  double answers_correction(const Step& step) const;
  void add(const Kind& kind, double sign);
  void fit();

  double experts_, active_;
  uint32_t largest_step_tokens_ = 0;
  std::array<Kind, 2 * kTokenKinds * kDepthKinds> kinds_{};  // steps of answers alone, then those with prompts
  std::array<Terms, kTerms>
      products_{};   // sum over kinds of terms * terms' / seconds^2: errors count relative to the step
  Terms targets_{};  // sum over kinds of terms / seconds
  Terms weights_{};
  double prompt_bias_ = 1;  // measured against fitted, lately, of steps with prompts
  Ratios answer_ratios_, prompt_ratios_;
  uint32_t steps_since_answers_alone_ = 0;
};

}  // namespace gossamer
