#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "kv/page_id.h"

namespace gossamer {

/// Evictable pages by age, twice: all of them, and those of each owner. Every operation takes constant time.
class AgeLists {
 public:
  void push_youngest(PageId page, uint64_t owner);
  void remove(PageId page, uint64_t owner);

  PageId oldest() const { return all_.oldest; }
  /// The oldest page of the owner who has more than half of all pages here; kNoPage where nobody has. (An owner is
  /// noticed when he adds a page: a majority that he owes to others' removals counts from his next one on.)
  PageId oldest_of_majority() const;

 private:
  /// Neighbours in one list, older and younger.
  struct Link {
    PageId older = kNoPage, younger = kNoPage;
  };
  struct List {
    PageId oldest = kNoPage, youngest = kNoPage;
    uint32_t size = 0;
  };
  struct Links {
    Link of_all, of_owner;
  };

  void push(List& list, Link Links::* link, PageId page);
  void unlink(List& list, Link Links::* link, PageId page);

  std::vector<Links> links_;
  List all_;
  std::unordered_map<uint64_t, List> owners_;  // of owners with pages here
  uint64_t majority_ = 0;                      // candidate: the owner whose size last passed half
};

}  // namespace gossamer
