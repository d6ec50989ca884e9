/// Any bytes as a web page: text of whole characters, with a line for each number and a link for each mark, none of
/// which leads to anything but a web page; and lines that a model is shown.

#include "base/check.h"
#include "base/utf8.h"
#include "tools/browser_pages.h"
#include "tools/html_text.h"
#include "tools/page_lines.h"
#include "tools/search_results.h"
#include "tools/web_link.h"

using namespace gossamer;
using namespace gossamer::tools;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1u << 16) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  PageText page = html_text(bytes, "https://example.org/a/b?c");
  GOS_CHECK(utf8_valid(page.text) && utf8_valid(page.title));
  for (const std::string& link : page.links) {
    const std::string again = resolve_link("", link);
    GOS_CHECK(again == link);
  }
  const auto shown = BrowserPage::of("https://example.org/", page);
  for (const std::string& line : shown->lines) GOS_CHECK(utf8_valid(line) && line.find('\n') == std::string::npos);
  BrowserPages pages;
  GOS_CHECK(pages.show(shown, -1, -1, 1000).ok());
  GOS_CHECK(pages.show(find_in_page(*shown, "a"), -1, -1, 1000).ok());
  (void)search_page({"https://example.org/", "", std::string(bytes), false}, 10);
  return 0;
}
