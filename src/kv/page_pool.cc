#include "kv/page_pool.h"

namespace gossamer {

PagePool::PagePool(uint32_t num_pages) : num_pages_(num_pages) {}

PageId PagePool::take() {
  if (free_.empty()) {
    pages_.push_back({.references = 1});
    return static_cast<PageId>(pages_.size() - 1);
  }
  const PageId page = free_.back();
  free_.pop_back();
  pages_[page].references = 1;
  return page;
}

void PagePool::add_reference(PageId id) {
  Page& page = pages_[id];
  if (page.references == 0) end_evictable(id);
  num_coming_ -= is_coming(page);
  ++page.references;
}

void PagePool::drop_reference(PageId id) {
  Page& page = pages_[id];
  num_coming_ -= is_coming(page);
  --page.references;
  num_coming_ += is_coming(page);
  if (page.references > 0) return;
  if (page.named)
    make_evictable(id);
  else
    free_.push_back(id);
}

void PagePool::park(PageId id) {
  Page& page = pages_[id];
  ++page.parked;
  num_coming_ += is_coming(page);
}

void PagePool::unpark(PageId id) {
  Page& page = pages_[id];
  num_coming_ -= is_coming(page);
  --page.parked;
  num_coming_ += is_coming(page);
  drop_reference(id);
}

void PagePool::set_named(PageId id, uint64_t owner) {
  pages_[id].named = true;
  pages_[id].owner = owner;
}

void PagePool::set_unnamed(PageId id) {
  if (is_evictable(id)) {
    end_evictable(id);
    free_.push_back(id);
  }
  pages_[id].named = false;
}

PageId PagePool::eviction_candidate() const {
  const PageId of_majority = ages_.oldest_of_majority();
  return of_majority != kNoPage ? of_majority : ages_.oldest();
}

void PagePool::make_youngest(PageId id) {
  end_evictable(id);
  make_evictable(id);
}

void PagePool::make_evictable(PageId id) {
  ages_.push_youngest(id, pages_[id].owner);
  ++num_evictable_;
}

void PagePool::end_evictable(PageId id) {
  ages_.remove(id, pages_[id].owner);
  --num_evictable_;
}

}  // namespace gossamer
