#include "kv/kv_manager.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossamer {

KvManager::KvManager(const KvShape& shape, uint32_t num_pages, uint32_t checkpoint_tokens)
    : shape_(shape), checkpoint_tokens_(checkpoint_tokens), pool_(num_pages) {}

PrefixHit KvManager::lookup(std::span<const TokenId> tokens, CacheSalt salt) {
  PrefixHit hit;
  if (tokens.empty()) return hit;
  const size_t pages = (tokens.size() - 1) / kPageTokens;
  uint64_t parent = PrefixIndex::root(salt);
  for (size_t i = 0; i < pages; ++i) {
    PrefixNode* node = index_.find(parent, tokens.subspan(i * kPageTokens, kPageTokens));
    if (!node) break;
    hit.nodes.push_back(node);
    parent = node->id;
  }
  hit.matched_tokens = static_cast<uint32_t>(hit.nodes.size()) * kPageTokens;

  // From the right: the last place with a whole window of sliding pages before it.
  const uint32_t window = shape_.sliding_layers ? shape_.window_pages() : 0;
  auto end = static_cast<uint32_t>(hit.nodes.size());
  for (uint32_t i = end; i-- > 0 && end - i <= window;)
    if (hit.nodes[i]->sliding == kNoPage) end = i;
  hit.tokens = end * kPageTokens;
  return hit;
}

void KvManager::begin(SequencePages& sequence, const PrefixHit& hit, uint32_t prompt_tokens,
                      std::span<const uint32_t> wished) {
  const uint32_t pages = hit.tokens / kPageTokens;
  const uint32_t window = shape_.sliding_layers ? std::min(shape_.window_pages(), pages) : 0;
  sequence.nodes.assign(hit.nodes.begin(), hit.nodes.begin() + pages);
  sequence.full.clear();
  sequence.sliding.assign(pages, kNoPage);
  sequence.sliding_begin = pages - window;
  for (uint32_t i = 0; i < pages; ++i) {
    sequence.full.push_back(hit.nodes[i]->full);
    pool_.add_reference(hit.nodes[i]->full);
  }
  for (uint32_t i = pages - window; i < pages; ++i) {
    sequence.sliding[i] = hit.nodes[i]->sliding;
    hit.nodes[i]->spared = false;
    pool_.add_reference(hit.nodes[i]->sliding);
  }

  sequence.checkpoints.clear();
  sequence.next_checkpoint = 0;
  if (!sequence.shares_prefix || prompt_tokens == 0) return;
  const auto leave = [&](uint32_t tokens) {
    tokens = tokens / kPageTokens * kPageTokens;
    if (tokens > hit.tokens && tokens < prompt_tokens) sequence.checkpoints.push_back(tokens);
  };
  leave(prompt_tokens - 1);
  leave(hit.matched_tokens);
  for (uint32_t tokens : wished) leave(tokens);
  for (uint64_t tokens = checkpoint_tokens_; checkpoint_tokens_ && tokens < prompt_tokens; tokens += checkpoint_tokens_)
    leave(static_cast<uint32_t>(tokens));
  std::sort(sequence.checkpoints.begin(), sequence.checkpoints.end());
  sequence.checkpoints.erase(std::unique(sequence.checkpoints.begin(), sequence.checkpoints.end()),
                             sequence.checkpoints.end());
}

/// Does anybody need sliding page `page` once the step that ends at `end` has settled? Tokens from `lowest_settled` on
/// do: the window before the page boundary they stand behind; and so do checkpoints.
bool KvManager::keeps_sliding(const SequencePages& sequence, uint32_t page, uint32_t end,
                              uint32_t lowest_settled) const {
  const uint32_t window = shape_.window_pages();
  if (page + window >= lowest_settled / kPageTokens) return true;
  for (size_t i = sequence.next_checkpoint; i < sequence.checkpoints.size() && sequence.checkpoints[i] <= end; ++i) {
    const uint32_t boundary = sequence.checkpoints[i] / kPageTokens;
    if (page < boundary && page + window >= boundary) return true;
  }
  return false;
}

uint32_t KvManager::pages_needed(const SequencePages& sequence, uint32_t end, uint32_t lowest_settled) const {
  const auto have = static_cast<uint32_t>(sequence.full.size());
  const uint32_t want = pages_of(end);
  uint32_t needed = 0;
  for (uint32_t page = have; page < want; ++page) {
    needed += shape_.full_layers > 0;
    needed += shape_.sliding_layers > 0 && keeps_sliding(sequence, page, end, lowest_settled);
  }
  return needed;
}

void KvManager::extend(SequencePages& sequence, uint32_t end, uint32_t lowest_settled) {
  for (auto page = static_cast<uint32_t>(sequence.full.size()); page < pages_of(end); ++page) {
    sequence.full.push_back(shape_.full_layers ? take_page() : kNoPage);
    const bool keep = shape_.sliding_layers && keeps_sliding(sequence, page, end, lowest_settled);
    sequence.sliding.push_back(keep ? take_page() : kNoPage);
  }
}

PageId KvManager::take_page() {
  while (pool_.num_free() == 0) {
    const PageId page = pool_.eviction_candidate();
    PrefixNode& node = *node_of_page_[page];
    if (page == node.sliding && !node.spared) {
      node.spared = true;  // a checkpoint saves more than any other page: it is passed over once
      pool_.make_youngest(page);
    } else if (page == node.sliding) {
      node.sliding = kNoPage;
      node_of_page_[page] = nullptr;
      pool_.set_unnamed(page);
    } else {
      forget(node);
    }
  }
  const PageId page = pool_.take();
  if (node_of_page_.size() <= page) node_of_page_.resize(page + 1, nullptr);
  return page;
}

/// Removes a node and the names of its pages.
void KvManager::forget(PrefixNode& node) {
  for (PageId page : {node.full, node.sliding}) {
    if (page == kNoPage) continue;
    node_of_page_[page] = nullptr;
    pool_.set_unnamed(page);
  }
  index_.erase(node);
}

void KvManager::settle(SequencePages& sequence, std::span<const TokenId> tokens, uint32_t settled, StepId newest) {
  if (sequence.shares_prefix) publish(sequence, tokens, settled, newest);
  drop_left_behind(sequence, settled, newest);
}

/// Names the full pages that `settled` has completed, and the sliding pages of the checkpoints that it has passed.
void KvManager::publish(SequencePages& sequence, std::span<const TokenId> tokens, uint32_t settled, StepId newest) {
  if (shape_.full_layers == 0) return;
  const auto before = static_cast<uint32_t>(sequence.nodes.size()) * kPageTokens;
  for (auto i = static_cast<uint32_t>(sequence.nodes.size()); i < settled / kPageTokens; ++i) {
    const uint64_t parent = i ? sequence.nodes[i - 1]->id : PrefixIndex::root(sequence.salt);
    const auto content = tokens.subspan(static_cast<size_t>(i) * kPageTokens, kPageTokens);
    PrefixNode* node = index_.find(parent, content);
    if (node) {
      // Somebody else has computed the same meanwhile. Theirs is used from now on: then every sequence holds all the
      // nodes it stands on, and equal content takes memory once.
      pool_.add_reference(node->full);
      park(sequence.full[i], newest);
      sequence.full[i] = node->full;
    } else {
      node = index_.insert(parent, content, sequence.full[i]);
      node_of_page_[sequence.full[i]] = node;
      pool_.set_named(sequence.full[i], sequence.salt);
    }
    sequence.nodes.push_back(node);
  }
  while (sequence.next_checkpoint < sequence.checkpoints.size() &&
         sequence.checkpoints[sequence.next_checkpoint] <= settled)
    publish_checkpoint(sequence, sequence.checkpoints[sequence.next_checkpoint++]);
  // Long answers have checkpoints too; their window is held when they pass one.
  if (checkpoint_tokens_ && settled / checkpoint_tokens_ > before / checkpoint_tokens_)
    publish_checkpoint(sequence, settled / checkpoint_tokens_ * checkpoint_tokens_);
}

/// Names the sliding pages of the window before token `tokens` (a page boundary), so that others may begin there.
void KvManager::publish_checkpoint(SequencePages& sequence, uint32_t tokens) {
  if (shape_.sliding_layers == 0) return;
  const uint32_t end = tokens / kPageTokens, window = shape_.window_pages();
  for (uint32_t i = end > window ? end - window : 0; i < end; ++i) {
    PrefixNode& node = *sequence.nodes[i];
    const PageId page = sequence.sliding[i];
    if (node.sliding != kNoPage || page == kNoPage) continue;
    node.sliding = page;
    node.spared = false;
    node_of_page_[page] = &node;
    pool_.set_named(page, sequence.salt);
  }
}

/// Drops the sliding pages that no token from `settled` on can see.
void KvManager::drop_left_behind(SequencePages& sequence, uint32_t settled, StepId newest) {
  const uint32_t boundary = settled / kPageTokens, window = shape_.window_pages();
  const uint32_t first = boundary > window ? boundary - window : 0;
  for (; sequence.sliding_begin < first; ++sequence.sliding_begin) {
    PageId& page = sequence.sliding[sequence.sliding_begin];
    if (page != kNoPage) park(page, newest);
    page = kNoPage;
  }
}

void KvManager::release(SequencePages& sequence, uint32_t settled, StepId newest) {
  if (sequence.shares_prefix && shape_.full_layers && settled >= kPageTokens)
    publish_checkpoint(sequence, settled / kPageTokens * kPageTokens);
  for (auto i = static_cast<uint32_t>(sequence.full.size()); i-- > 0;) {
    if (sequence.sliding[i] != kNoPage) park(sequence.sliding[i], newest);
    if (sequence.full[i] != kNoPage) park(sequence.full[i], newest);
  }
  sequence.full.clear();
  sequence.sliding.clear();
  sequence.nodes.clear();
  sequence.checkpoints.clear();
  sequence.next_checkpoint = 0;
  sequence.sliding_begin = 0;
}

void KvManager::park(PageId page, StepId newest) {
  if (newest <= retired_) return pool_.drop_reference(page);
  pool_.park(page);
  parked_.push_back({newest, page});
}

void KvManager::retire(StepId step) {
  retired_ = std::max(retired_, step);
  for (; !parked_.empty() && parked_.front().step <= retired_; parked_.pop_front()) pool_.unpark(parked_.front().page);
}

void KvManager::forget_prefixes() {
  std::vector<PrefixNode*> unused;
  index_.for_each([&](const PrefixNode& node) {
    if (pool_.references(node.full) == 0) unused.push_back(const_cast<PrefixNode*>(&node));
  });
  for (PrefixNode* node : unused) forget(*node);
}

std::string KvManager::check_integrity(std::span<const SequencePages* const> live) const {
  std::vector<uint32_t> expected(pool_.num_pages(), 0);
  for (const SequencePages* sequence : live) {
    if (sequence->full.size() != sequence->sliding.size()) return "the two tables of a sequence differ in length";
    for (const auto* table : {&sequence->full, &sequence->sliding})
      for (PageId page : *table)
        if (page != kNoPage) ++expected[page];
    for (size_t i = 0; i < sequence->nodes.size(); ++i)
      if (sequence->nodes[i]->full != sequence->full[i]) return fmt::format("node {} of a sequence is not its page", i);
    for (uint32_t i = 0; i < sequence->sliding_begin; ++i)
      if (sequence->sliding[i] != kNoPage) return fmt::format("sliding page {} should have been dropped", i);
  }
  for (const Parked& parked : parked_) ++expected[parked.page];
  uint32_t held = 0, evictable = 0;
  for (PageId page = 0; page < pool_.num_used(); ++page) {
    if (pool_.references(page) != expected[page])
      return fmt::format("page {} has {} references, but {} are known", page, pool_.references(page), expected[page]);
    held += expected[page] > 0;
    evictable += pool_.is_evictable(page);
    const PrefixNode* node = node_of_page_[page];
    if (pool_.is_named(page) != (node != nullptr))
      return fmt::format("page {} and the index disagree on its name", page);
    if (node && node->full != page && node->sliding != page) return fmt::format("page {} has a foreign name", page);
  }
  if (held != pool_.num_held() || evictable != pool_.num_evictable())
    return fmt::format("{} held and {} evictable pages, but the pool counts {} and {}", held, evictable,
                       pool_.num_held(), pool_.num_evictable());
  size_t named = 0;
  index_.for_each([&](const PrefixNode& node) { named += 1 + (node.sliding != kNoPage); });
  size_t pages_with_names = 0;
  for (const PrefixNode* node : node_of_page_) pages_with_names += node != nullptr;
  if (named != pages_with_names) return fmt::format("{} names for {} pages", named, pages_with_names);
  return {};
}

}  // namespace gossamer
