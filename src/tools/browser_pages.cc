#include "tools/browser_pages.h"

#include <algorithm>
#include <utility>

#include "tools/page_lines.h"

namespace gossamer::tools {
namespace {

constexpr size_t kMostPages = 100;
constexpr size_t kMostFound = 50, kLinesOfFound = 4;
constexpr size_t kViewBytes = 4096;  // about the 1,024 tokens that the reference shows

std::string lowered(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace

std::shared_ptr<const BrowserPage> BrowserPage::of(std::string address, PageText text) {
  auto page = std::make_shared<BrowserPage>();
  page->title = text.title.empty() ? address : std::move(text.title);
  page->address = std::move(address);
  page->lines = wrapped_lines(text.text);
  page->links = std::move(text.links);
  return page;
}

bool BrowserPages::is_full() const {
  return pages_.size() >= kMostPages;
}

Result<std::shared_ptr<const BrowserPage>> BrowserPages::at(int64_t cursor) const {
  if (pages_.empty()) return make_error(ErrorCode::kNotFound, "No pages to access!");
  if (cursor == -1) return pages_.back();
  if (cursor < 0 || cursor >= static_cast<int64_t>(pages_.size()))
    return make_error(ErrorCode::kNotFound, "Cursor `{}` is out of range. Available cursor indices: [0 - {}].", cursor,
                      pages_.size() - 1);
  return pages_[static_cast<size_t>(cursor)];
}

Result<std::string> BrowserPages::show(std::shared_ptr<const BrowserPage> page, int64_t first, int64_t count,
                                       size_t most_bytes) {
  const size_t begin = first < 0 ? 0 : static_cast<size_t>(first);
  if (begin >= page->lines.size())
    return make_error(ErrorCode::kInvalidInput, "Invalid location parameter: `{}`. Cannot exceed page maximum of {}.",
                      begin, page->lines.size() - 1);
  const bool is_open_ended = count <= 0;
  size_t shown = 0;
  const std::string body = numbered_lines(page->lines, begin, is_open_ended ? SIZE_MAX : static_cast<size_t>(count),
                                          is_open_ended ? std::min(kViewBytes, most_bytes) : most_bytes, shown);
  std::string text = fmt::format("[{}] {} ({})\n**viewing lines [{} - {}] of {}**\n\n{}", pages_.size(), page->title,
                                 page->address, begin, begin + shown - 1, page->lines.size() - 1, body);
  pages_.push_back(std::move(page));
  return text;
}

std::shared_ptr<const BrowserPage> find_in_page(const BrowserPage& page, std::string_view pattern) {
  auto found = std::make_shared<BrowserPage>();
  found->address = page.address;
  found->title = fmt::format("Find results for text: `{}` in `{}`", pattern, page.title);
  const std::string wanted = lowered(std::string(pattern));
  std::vector<std::string> lines;
  for (const std::string& line : page.lines) lines.push_back(without_link_marks(line));
  for (size_t i = 0; i < lines.size() && found->links.size() < kMostFound;) {
    if (lowered(lines[i]).find(wanted) == std::string::npos) {
      ++i;
      continue;
    }
    if (!found->lines.empty()) found->lines.emplace_back();
    found->lines.push_back(fmt::format("# 【{}†match at L{}】", found->links.size(), i));
    const size_t end = std::min(i + kLinesOfFound, lines.size());
    found->lines.insert(found->lines.end(), lines.begin() + static_cast<ptrdiff_t>(i),
                        lines.begin() + static_cast<ptrdiff_t>(end));
    found->links.push_back(page.address);
    i = end;
  }
  if (found->lines.empty()) found->lines.push_back(fmt::format("No `find` results for pattern: `{}`", pattern));
  return found;
}

}  // namespace gossamer::tools
