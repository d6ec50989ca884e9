#include "kv/age_lists.h"

namespace gossamer {

void AgeLists::push(List& list, Link Links::* link, PageId page) {
  Link& own = links_[page].*link;
  own = {list.youngest, kNoPage};
  if (list.youngest == kNoPage)
    list.oldest = page;
  else
    (links_[list.youngest].*link).younger = page;
  list.youngest = page;
  ++list.size;
}

void AgeLists::unlink(List& list, Link Links::* link, PageId page) {
  const Link own = links_[page].*link;
  (own.older == kNoPage ? list.oldest : (links_[own.older].*link).younger) = own.younger;
  (own.younger == kNoPage ? list.youngest : (links_[own.younger].*link).older) = own.older;
  --list.size;
}

void AgeLists::push_youngest(PageId page, uint64_t owner) {
  if (links_.size() <= page) links_.resize(page + 1);
  push(all_, &Links::of_all, page);
  List& own = owners_[owner];
  push(own, &Links::of_owner, page);
  if (own.size * 2 > all_.size) majority_ = owner;
}

void AgeLists::remove(PageId page, uint64_t owner) {
  unlink(all_, &Links::of_all, page);
  const auto own = owners_.find(owner);
  unlink(own->second, &Links::of_owner, page);
  if (own->second.size == 0) owners_.erase(own);
}

PageId AgeLists::oldest_of_majority() const {
  const auto own = owners_.find(majority_);
  return own != owners_.end() && own->second.size * 2 > all_.size ? own->second.oldest : kNoPage;
}

}  // namespace gossamer
