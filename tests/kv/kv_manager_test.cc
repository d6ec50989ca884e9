#include "kv/kv_manager.h"

#include <gtest/gtest.h>

#include <numeric>

namespace gossamer {
namespace {

constexpr KvShape kShape{.full_layers = 12, .sliding_layers = 12, .window_tokens = 128, .token_bytes_of_a_layer = 2048};

/// Tokens first, first + 1, ...
std::vector<TokenId> text(uint32_t tokens, TokenId first = 0) {
  std::vector<TokenId> all(tokens);
  std::iota(all.begin(), all.end(), first);
  return all;
}

std::vector<TokenId> operator+(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A sequence that is computed in chunks, without a scheduler.
struct Computed {
  KvManager& kv;
  SequencePages pages;
  uint32_t settled = 0;
  PrefixHit hit;

  Computed(KvManager& manager, const std::vector<TokenId>& prompt, uint32_t chunk = 512, CacheSalt salt = 0,
           std::vector<uint32_t> wished = {})
      : kv(manager) {
    pages.salt = salt;
    hit = kv.lookup(prompt, salt);
    kv.begin(pages, hit, static_cast<uint32_t>(prompt.size()), wished);
    settled = hit.tokens;
    while (settled < prompt.size())
      grow(prompt, std::min<uint32_t>(chunk, static_cast<uint32_t>(prompt.size()) - settled));
  }
  void grow(const std::vector<TokenId>& known, uint32_t tokens) {
    kv.extend(pages, settled + tokens, settled + tokens);
    settled += tokens;
    kv.settle(pages, known, settled, 0);
  }
  /// Generates `answer` after `prompt`; its last token is known, but not computed.
  void answer(const std::vector<TokenId>& prompt, const std::vector<TokenId>& said) {
    const std::vector<TokenId> known = prompt + said;
    for (size_t i = 0; i + 1 < said.size(); ++i) grow(known, 1);
  }
  void release() { kv.release(pages, settled, 0); }
  uint32_t num_sliding() const {
    uint32_t held = 0;
    for (PageId page : pages.sliding) held += page != kNoPage;
    return held;
  }
};

TEST(KvShape, CountsPagesAsTheFormulaSays) {
  EXPECT_EQ(kShape.page_bytes(), 12u * 2048 * 32);
  EXPECT_EQ(kShape.window_pages(), 4u);
  EXPECT_EQ(kShape.max_sliding_pages(1), 5u);
  EXPECT_EQ(kShape.pages_of_sequence(131072, 1), 4096u + 5);
  EXPECT_EQ(kShape.sequences_in(4101 * 3 + 4100, 131072), 3u);
  EXPECT_EQ(kShape.longest_sequence(4101, 1), 131072u);
  EXPECT_EQ(kShape.longest_sequence(5, 1), 0u);
}

/// The formula is no looser than it has to be: the worst place really touches that many pages.
TEST(KvShape, SlidingPagesAreCountedExactly) {
  for (uint32_t window : {2u, 33u, 64u, 128u, 129u})
    for (uint32_t unsettled : {1u, 2u, 31u, 32u, 33u, 512u}) {
      const KvShape shape{1, 1, window, 1};
      uint32_t most = 0;
      for (uint32_t settled = window; settled < window + 64; ++settled)
        most = std::max(most, (settled + unsettled - 1) / kPageTokens - (settled - (window - 1)) / kPageTokens + 1);
      EXPECT_EQ(shape.max_sliding_pages(unsettled), most) << window << " " << unsettled;
    }
}

TEST(KvManager, SlidingLayersKeepTheirWindowOnly) {
  KvManager kv(kShape, 1000);
  const auto prompt = text(3000);
  Computed sequence(kv, prompt);
  EXPECT_EQ(sequence.pages.full.size(), pages_of(3000));
  EXPECT_LE(sequence.num_sliding(), 5u);
  sequence.answer(prompt, text(500, 9000));
  EXPECT_EQ(sequence.num_sliding(), 5u);
  // held: the full pages, the window, and nothing else; the checkpoints at 2048 and 2976 can be evicted
  EXPECT_EQ(kv.pool().num_held(), pages_of(3499) + 5);
  EXPECT_EQ(kv.pool().num_evictable(), 4u + 4u);
  const SequencePages* live[] = {&sequence.pages};
  EXPECT_EQ(kv.check_integrity(live), "");
}

TEST(KvManager, ALongChunkTakesNoSlidingPagesThatItWillDrop) {
  KvManager kv(kShape, 1000, 0);
  SequencePages pages;
  kv.begin(pages, {}, 1000, {});
  // the chunk's last window, and with the checkpoint at 992 not a page more
  EXPECT_EQ(kv.pages_needed(pages, 1000, 1000), pages_of(1000) + 5);
  kv.extend(pages, 1000, 1000);
  EXPECT_EQ(kv.pool().num_held(), pages_of(1000) + 5);
  kv.settle(pages, text(1000), 1000, 0);
  EXPECT_EQ(kv.pool().num_held(), pages_of(1000) + 5);
}

TEST(KvManager, APromptIsFoundAgain) {
  KvManager kv(kShape, 200);
  for (uint32_t tokens : {1u, 31u, 32u, 33u, 64u, 65u, 127u, 128u, 129u, 500u}) {
    Computed first(kv, text(tokens, 1000 * tokens));
    first.release();
    const uint32_t expected = (tokens - 1) / kPageTokens * kPageTokens;
    EXPECT_EQ(kv.lookup(text(tokens, 1000 * tokens), 0).tokens, expected) << tokens;
    EXPECT_EQ(kv.lookup(text(tokens, 1000 * tokens) + text(7, 5), 0).tokens, tokens / kPageTokens * kPageTokens)
        << tokens;
    kv.forget_prefixes();
    EXPECT_EQ(kv.pool().num_free(), 200u);
  }
}

TEST(KvManager, ABeginningAloneIsNoPlaceToBeginWithoutItsWindow) {
  KvManager kv(kShape, 200, 0);
  Computed first(kv, text(1000));
  first.release();
  const auto other = text(600) + text(100, 5000);  // shares 600 tokens, but the window there was dropped long ago
  const PrefixHit hit = kv.lookup(other, 0);
  EXPECT_EQ(hit.tokens, 0u);
  EXPECT_EQ(hit.matched_tokens, 18 * kPageTokens);
  // it leaves a checkpoint where the two part, and the third gains from it
  Computed second(kv, other);
  second.release();
  EXPECT_EQ(kv.lookup(text(600) + text(100, 7000), 0).tokens, 18 * kPageTokens);
}

TEST(KvManager, WishedCheckpointsServeTheFirstWhoComes) {
  KvManager kv(kShape, 200);
  Computed first(kv, text(600) + text(100, 5000), 512, 0, {600});
  first.release();
  EXPECT_EQ(kv.lookup(text(600) + text(100, 7000), 0).tokens, 18 * kPageTokens);
}

TEST(KvManager, TheNextTurnOfAHarmonyChatFindsNearlyAllOfItsPrompt) {
  KvManager kv(kShape, 2000);
  std::vector<TokenId> prompt = text(300, 100000);
  uint32_t reusable = 0, hit = 0;
  for (uint32_t turn = 0; turn < 10; ++turn) {
    const auto question = text(40, 1000 * turn), analysis = text(400, 50000 + 1000 * turn),
               said = text(150, 70000 + 1000 * turn);
    const uint32_t before = static_cast<uint32_t>(prompt.size());
    prompt = prompt + question;
    Computed sequence(kv, prompt);
    if (turn) reusable += before, hit += sequence.hit.tokens;
    sequence.answer(prompt, analysis + said);
    sequence.release();
    prompt = prompt + said;  // the analysis is dropped: the next prompt agrees with this one to its end only
    if (turn) reusable -= static_cast<uint32_t>(said.size());
  }
  EXPECT_GE(hit, reusable * 9 / 10) << "of " << reusable;
}

TEST(KvManager, AToolTurnGoesOnBehindTheAnswer) {
  KvManager kv(kShape, 200);
  const auto prompt = text(100), said = text(300, 1000);
  Computed sequence(kv, prompt);
  sequence.answer(prompt, said);
  sequence.release();
  EXPECT_EQ(kv.lookup(prompt + said + text(20, 3000), 0).tokens, 399 / kPageTokens * kPageTokens);
}

TEST(KvManager, LongAnswersHaveCheckpointsToo) {
  KvManager kv(kShape, 1000);
  const auto prompt = text(100), said = text(5000, 1000);
  Computed sequence(kv, prompt);
  sequence.answer(prompt, said);
  sequence.release();
  // a prompt that leaves the answer in its middle goes on from the last 2,048
  std::vector<TokenId> next = prompt + said;
  next.resize(4500);
  EXPECT_EQ(kv.lookup(next + text(20, 90000), 0).tokens, 4096u);
}

TEST(KvManager, TenantsDoNotShare) {
  KvManager kv(kShape, 200);
  Computed(kv, text(500), 512, 1).release();
  EXPECT_EQ(kv.lookup(text(500), 2).matched_tokens, 0u);
  EXPECT_EQ(kv.lookup(text(500), 1).tokens, 480u);
}

TEST(KvManager, EqualPagesBecomeOne) {
  KvManager kv(kShape, 200, 0);
  const auto prompt = text(320);
  // both begin before either has published anything
  SequencePages pages[2];
  for (SequencePages& p : pages) {
    kv.begin(p, kv.lookup(prompt, 0), 320, {});
    kv.extend(p, 320, 320);
  }
  EXPECT_EQ(kv.pool().num_held(), 2u * (10 + 5));
  for (SequencePages& p : pages) kv.settle(p, prompt, 320, 0);
  EXPECT_EQ(pages[0].full, pages[1].full);
  EXPECT_EQ(kv.pool().num_held(), 10u + 2 * 4);
  const SequencePages* live[] = {&pages[0], &pages[1]};
  EXPECT_EQ(kv.check_integrity(live), "");
}

TEST(KvManager, PagesComeBackWhenTheStepThatReadsThemHasEnded) {
  KvManager kv(kShape, 100, 0);
  const auto prompt = text(320);
  SequencePages pages;
  kv.begin(pages, {}, 320, {});
  kv.extend(pages, 320, 320);
  kv.release(pages, 0, 7);
  EXPECT_EQ(kv.pool().num_free(), 85u);
  EXPECT_EQ(kv.pool().num_coming(), 15u);
  kv.retire(6);
  EXPECT_EQ(kv.pool().num_free(), 85u);
  kv.retire(7);
  EXPECT_EQ(kv.pool().num_free(), 100u);
  EXPECT_EQ(kv.check_integrity({}), "");
}

TEST(KvManager, TheOldestIsEvictedFirstAndCheckpointsLast) {
  KvManager kv(kShape, 40, 0);
  Computed(kv, text(320, 0)).release();     // 10 full pages, 5 sliding ones: checkpoints at 288 and 320
  Computed(kv, text(320, 1000)).release();  // 15 more
  EXPECT_EQ(kv.pool().num_evictable(), 2u * 15);
  Computed third(kv, text(320, 2000));  // takes the 10 free pages and evicts five
  EXPECT_EQ(kv.lookup(text(320, 1000), 0).tokens, 288u);
  EXPECT_LT(kv.lookup(text(320, 0), 0).matched_tokens, 288u);
  const SequencePages* live[] = {&third.pages};
  EXPECT_EQ(kv.check_integrity(live), "");
}

TEST(KvManager, WhoFloodsTheCacheEvictsHimself) {
  KvManager kv(kShape, 100, 0);
  Computed(kv, text(320, 0), 512, 1).release();
  for (uint32_t i = 1; i < 50; ++i) Computed(kv, text(320, 1000 * i), 512, 2).release();
  EXPECT_EQ(kv.lookup(text(320, 0), 1).tokens, 288u);
}

TEST(KvManager, DraftedTokensCanBeTakenBack) {
  KvManager kv(kShape, 100);
  std::vector<TokenId> known = text(320);
  Computed sequence(kv, known);
  for (uint32_t step = 0; step < 100; ++step) {
    // one known token and seven drafted ones are computed, two of them stay
    kv.extend(sequence.pages, sequence.settled + 8, sequence.settled + 1);
    known = known + text(8, 10000 + step);
    sequence.settled += 2;
    kv.settle(sequence.pages, known, sequence.settled, 0);
    known.resize(sequence.settled);
    for (uint32_t p = (sequence.settled - 127) / kPageTokens; p < pages_of(sequence.settled); ++p)
      ASSERT_NE(sequence.pages.sliding[p], kNoPage);
    const SequencePages* live[] = {&sequence.pages};
    ASSERT_EQ(kv.check_integrity(live), "");
  }
}

}  // namespace
}  // namespace gossamer
