#pragma once

#include <deque>
#include <span>
#include <string>

#include "kv/page_pool.h"
#include "kv/sequence_pages.h"

namespace gossamer {

/// A number that rises with every step that is launched: pages that a step reads may be given away once it has ended.
using StepId = uint64_t;

/// How much of a prompt is there already.
struct PrefixHit {
  uint32_t tokens = 0;          ///< a sequence may begin behind these (a multiple of 32)
  uint32_t matched_tokens = 0;  ///< cached in the full layers; at least `tokens`. More: a checkpoint is missing there
  std::vector<PrefixNode*> nodes;  ///< of the matched tokens, valid until the next change
};

/// Decides which page holds what. One engine thread uses it; it computes nothing and knows page numbers only.
///
/// Life of a page: free -> held (extend) -> named in the prefix index (settle, if its content is of use to others) ->
/// parked until the last step that may read it has ended (settle, release) -> evictable or free (retire).
/// Everything is decided on settled tokens, those whose keys and values can no longer be taken back: a page that a
/// planned step still reads or writes is never given away.
class KvManager {
 public:
  /// `checkpoint_tokens`: long prompts get a checkpoint every so many tokens (a multiple of 32; 0: none).
  KvManager(const KvShape& shape, uint32_t num_pages, uint32_t checkpoint_tokens = 2048);

  const KvShape& shape() const { return shape_; }
  const PagePool& pool() const { return pool_; }
  const PrefixIndex& index() const { return index_; }

  /// The longest prefix of `tokens` behind which a sequence may begin: all its full pages are cached, and the sliding
  /// pages of the window before that point too. At most tokens.size() - 1: one token is always computed.
  PrefixHit lookup(std::span<const TokenId> tokens, CacheSalt salt);

  /// Begins an empty sequence behind `hit` and notes where it will leave checkpoints: at the end of its prompt, every
  /// `checkpoint_tokens`, where the cache knows more than it can give (hit.matched_tokens), and at `wished` (token
  /// counts, any order, rounded down). Takes references on all pages of the hit before anything can be evicted.
  void begin(SequencePages& sequence, const PrefixHit& hit, uint32_t prompt_tokens, std::span<const uint32_t> wished);

  /// Pages that extend() would take. `end`: tokens of the sequence after the step; `lowest_settled`: how many of them
  /// are settled then at least (less than `end` where drafted tokens may be rejected).
  uint32_t pages_needed(const SequencePages& sequence, uint32_t end, uint32_t lowest_settled) const;

  /// Gives the sequence pages for tokens up to `end`, evicting what it must. Sliding pages that no later token needs
  /// are left out (kNoPage): the step computes with its own memory there. Precondition: pages_needed() <=
  /// pool().num_available().
  void extend(SequencePages& sequence, uint32_t end, uint32_t lowest_settled);

  /// The first `settled` tokens are computed for good: publishes their pages, drops what has left the window.
  /// `newest`: the newest launched step, which may still read the dropped pages.
  void settle(SequencePages& sequence, std::span<const TokenId> tokens, uint32_t settled, StepId newest);

  /// Gives everything back, the last page first. What is named stays findable, and there is a checkpoint at the end of
  /// the `settled` tokens: for the next turn of a conversation, or for the sequence itself where it made room for
  /// another.
  void release(SequencePages& sequence, uint32_t settled, StepId newest);

  /// All steps up to `step` have ended.
  void retire(StepId step);

  /// Forgets every prefix. Held pages stay held.
  void forget_prefixes();

  /// Empty, or what does not add up: page conservation, references against the tables of `live` sequences, names
  /// against the index. For tests and debug builds.
  std::string check_integrity(std::span<const SequencePages* const> live) const;

 private:
  bool keeps_sliding(const SequencePages& sequence, uint32_t page, uint32_t end, uint32_t lowest_settled) const;
  PageId take_page();
  void forget(PrefixNode& node);
  void publish(SequencePages& sequence, std::span<const TokenId> tokens, uint32_t settled, StepId newest);
  void publish_checkpoint(SequencePages& sequence, uint32_t tokens);
  void drop_left_behind(SequencePages& sequence, uint32_t settled, StepId newest);
  void park(PageId page, StepId newest);

  struct Parked {
    StepId step;
    PageId page;
  };

  KvShape shape_;
  uint32_t checkpoint_tokens_;
  PagePool pool_;
  PrefixIndex index_;
  std::vector<PrefixNode*> node_of_page_;  // of named pages
  std::deque<Parked> parked_;              // oldest step first
  StepId retired_ = 0;
};

}  // namespace gossamer
