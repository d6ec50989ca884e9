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
    bool has_prompt = false;       ///< more than one token of a sequence

    void add_row(uint32_t start, uint32_t length) {
      has_prompt |= length > 1;
      tokens += length;
      kv_tokens += start + length;
      attended_tokens += uint64_t{length} * (start + length);
    }
  };

  void observe(const Step& step, double seconds);
  /// 0 before the first observation.
  double seconds(const Step& step) const;

  /// The most tokens whose step is predicted to take at most `limit_seconds`, those of `decode` among them; at most
  /// `most`, and at most twice the largest step that was ever seen. The others are of a prompt of which `prompt_depth`
  /// tokens are computed.
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
};

}  // namespace gossamer
