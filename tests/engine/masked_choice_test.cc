/// A mask and the cuts of sampling together, as the engine has them: what is forbidden goes before anything is cut.

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/unembed_columns.h"
#include "model/batch.h"
#include "sampling/sampler.h"

namespace gossamer {
namespace {

constexpr uint32_t kVocabSize = 201'088;

void forbid(const TokenMask& mask, std::span<float> logits) {
  kernels::forbid_columns({.allowed = mask.words().data()}, 0, logits);
}

/// Token t is the one of rank (t * 7919 + 5) % V; 7919 has no factor in common with V.
uint32_t rank_of(TokenId token) {
  return static_cast<uint32_t>((uint64_t{token} * 7919 + 5) % kVocabSize);
}

TEST(MaskedChoice, OneAllowedTokenIsTakenHoweverUnlikely) {
  std::vector<float> logits(kVocabSize);
  TokenMask mask(kVocabSize, false);
  TokenId allowed = 0;
  for (TokenId token = 0; token < kVocabSize; ++token) {
    logits[token] = -0.001f * static_cast<float>(rank_of(token));
    if (rank_of(token) == 150'000) mask.allow(allowed = token);
  }
  forbid(mask, logits);
  SamplingParams params;
  params.top_k = 40;
  params.top_p = 0.5f;
  params.min_p = 0.1f;
  for (const float temperature : {0.f, 0.1f, 1.f}) {
    params.temperature = temperature;
    Sampler sampler(params, {});
    const auto chosen = sampler.sample(logits, 7);
    ASSERT_TRUE(chosen.ok()) << chosen.error().message;
    EXPECT_EQ(*chosen, allowed);
  }
}

TEST(MaskedChoice, AMaskForbidsNeitherMoreNorLessThanItSays) {
  std::vector<float> logits(1001, 1.f);  // the last word of the mask is a part of one
  TokenMask mask(1001, true);
  for (const TokenId token : {0u, 31u, 32u, 63u, 999u, 1000u}) mask.forbid(token);
  forbid(mask, logits);
  for (TokenId token = 0; token < logits.size(); ++token)
    EXPECT_EQ(logits[token], mask.allows(token) ? 1.f : -INFINITY) << token;
}

}  // namespace
}  // namespace gossamer
