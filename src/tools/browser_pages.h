#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/html_text.h"

namespace gossamer::tools {

/// A page that a model has seen, in lines.
struct BrowserPage {
  std::string address;
  std::string title;
  std::vector<std::string> lines;
  std::vector<std::string> links;

  static std::shared_ptr<const BrowserPage> of(std::string address, PageText text);
};

/// The pages of one answer, numbered by cursors from 0, and how they are shown: as the browser tool of gpt-oss's
/// reference does, which the model was trained with.
class BrowserPages {
 public:
  /// Errors: there is no such cursor; -1 is the last page.
  Result<std::shared_ptr<const BrowserPage>> at(int64_t cursor) const;

  /// Gives the page the next cursor and shows it from line `first` on (-1: from the beginning), `count` lines or, for
  /// -1, as many as fit. Errors: the page has no such line; it gets no cursor then.
  Result<std::string> show(std::shared_ptr<const BrowserPage> page, int64_t first, int64_t count, size_t most_bytes);

  bool is_full() const;

 private:
  std::vector<std::shared_ptr<const BrowserPage>> pages_;
};

/// Where a page has these words, case aside, as a page of its own: at most 50 places with four lines each.
std::shared_ptr<const BrowserPage> find_in_page(const BrowserPage& page, std::string_view pattern);

}  // namespace gossamer::tools
