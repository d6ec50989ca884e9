#pragma once

#include <cstdint>
#include <vector>

#include "kv/age_lists.h"

namespace gossamer {

/// The pages of the cache and who needs them. Every page is in exactly one state:
///   free       nobody needs it
///   held       one or more references: block tables of sequences, or steps that still compute with it (parked)
///   evictable  no reference, but the prefix index knows its content under a name: it can be found again, until
///   somebody
///              needs the memory
/// free + evictable + held = all, always. What it notes of a page begins with the first use of the page.
class PagePool {
 public:
  explicit PagePool(uint32_t num_pages);

  uint32_t num_pages() const { return num_pages_; }
  uint32_t num_free() const { return static_cast<uint32_t>(free_.size() + num_pages_ - pages_.size()); }
  /// Pages 0 .. num_used() - 1 have been in use at some time.
  uint32_t num_used() const { return static_cast<uint32_t>(pages_.size()); }
  uint32_t num_evictable() const { return num_evictable_; }
  uint32_t num_held() const { return num_pages() - num_free() - num_evictable_; }
  /// What take() can give after evicting.
  uint32_t num_available() const { return num_free() + num_evictable_; }
  /// Held by parked references alone: available once their steps have ended.
  uint32_t num_coming() const { return num_coming_; }

  /// A free page, now held by one reference. Precondition: num_free() > 0.
  PageId take();
  void add_reference(PageId page);
  /// The last one gone, a named page becomes evictable (the youngest of `owner`), an unnamed one free.
  void drop_reference(PageId page);

  /// A reference that will be dropped when a step has ended; park() and unpark() come in pairs.
  void park(PageId page);
  /// Ends a park() and drops the reference.
  void unpark(PageId page);

  /// The prefix index knows the content of this held page from now on; `owner`: the cache salt, which decides who is
  /// evicted first.
  void set_named(PageId page, uint64_t owner);
  /// The prefix index has forgotten it; an evictable page becomes free.
  void set_unnamed(PageId page);
  bool is_named(PageId page) const { return pages_[page].named; }
  uint32_t references(PageId page) const { return pages_[page].references; }
  bool is_evictable(PageId page) const { return pages_[page].named && pages_[page].references == 0; }

  /// The page to evict next: the one that has been evictable longest, of the owner with more than half of them where
  /// there is one (who floods the cache evicts himself). Precondition: num_evictable() > 0.
  PageId eviction_candidate() const;
  /// Its turn passes: the youngest again.
  void make_youngest(PageId page);

 private:
  struct Page {
    uint32_t references = 0;
    uint32_t parked = 0;
    bool named = false;
    uint64_t owner = 0;
  };

  bool is_coming(const Page& page) const { return page.references > 0 && page.references == page.parked; }
  void make_evictable(PageId page);
  void end_evictable(PageId page);

  uint32_t num_pages_;
  std::vector<Page> pages_;   // of those that were ever used
  std::vector<PageId> free_;  // again
  uint32_t num_evictable_ = 0;
  uint32_t num_coming_ = 0;
  AgeLists ages_;
};

}  // namespace gossamer
