#pragma once
/// The best of a row of logits without the row: what Backend::unembed() gives where a sampler looks at few tokens.

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace gossamer::kernels {

/// What is done to a token's logit before the best are chosen: logit bias, repetition penalty (logit / r where
/// positive, * r where negative), then what presence and frequency penalties come to.
struct LogitChange {
  uint32_t token = 0;
  float bias = 0;
  float repetition = 1;
  float penalty = 0;

  float apply(float logit) const {
    logit += bias;
    logit *= logit > 0 ? 1.f / repetition : repetition;
    return logit - penalty;
  }
};

struct Candidate {
  uint32_t token = 0;
  float logit = 0;  ///< changed
};

/// Largest first, the lower id among equals: the order does not depend on how it was sorted.
constexpr bool comes_before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

/// The sum of e^logit over a vocabulary, in double. It is made of stretches of kStretch ids from 0 on, each in order
/// relative to its own largest, added up in order: the same bits whoever computes which of them. Minus infinity and NaN
/// add nothing.
class ExpSum {
 public:
  static constexpr uint32_t kStretch = 64;

  /// One stretch, at most kStretch logits.
  static ExpSum of_stretch(std::span<const float> logits);
  void add(const ExpSum& next);
  double log() const;

 private:
  float largest_ = -std::numeric_limits<float>::infinity();
  double sum_ = 0;  // of e^(logit - largest_)
};

/// log(sum of e^logit) over `logits` [V], as ExpSum adds.
double log_sum_exp(std::span<const float> logits);

struct TopLogits {
  std::vector<Candidate> best;  ///< as comes_before() has them; fewer than asked for where fewer are allowed
  double log_sum_exp = 0;       ///< where asked for: of all allowed logits, unchanged
};

/// Keeps the best k of logits that come in the order of their ids.
class TopCollector {
 public:
  void reset(uint32_t k);
  /// Of the tokens first_token .. first_token + logits.size() - 1, none of which came before.
  void add(uint32_t first_token, std::span<const float> logits);
  /// At most k, or some more; in no order.
  std::span<const Candidate> candidates() const { return candidates_; }

 private:
  void drop_the_rest();

  uint32_t k_ = 0;
  float least_ = -std::numeric_limits<float>::infinity();  // what is not above it is not among the best
  std::vector<Candidate> candidates_;                      // at most 2k
};

/// The best k of what several collectors have.
std::vector<Candidate> best_of(std::vector<Candidate> candidates, uint32_t k);

}  // namespace gossamer::kernels
