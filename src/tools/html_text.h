#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gossamer::tools {

/// A web page as a model reads it.
struct PageText {
  std::string title;
  std::string text;                ///< lines; a link is 【N†its words】
  std::vector<std::string> links;  ///< N: where it goes, complete addresses
};

/// Takes a page of HTML apart. Total: any bytes give well-formed UTF-8. Scripts, styles and what is hidden by its
/// element are left out; headings, list items and table rows get lines of their own. `address`: the page's own, which
/// relative links are resolved with; links that are not http or https are words only.
PageText html_text(std::string_view html, const std::string& address);

}  // namespace gossamer::tools
