#pragma once

#include <string>
#include <string_view>

#include "tools/html_text.h"
#include "tools/web_fetch.h"

namespace gossamer::tools {

/// The address of a search: `pattern` with {query} replaced by the words, %-escaped.
std::string search_address(std::string_view pattern, std::string_view query);

/// What a search service answered, as a page of links: JSON with a list of objects that have a "url" (SearXNG's
/// "results", Brave's "web.results", or the list itself; "title", "content"), or a page of HTML.
PageText search_page(const FetchedPage& answer, size_t most_results);

}  // namespace gossamer::tools
