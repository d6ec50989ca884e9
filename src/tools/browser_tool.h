#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "tools/tool.h"
#include "tools/web_fetch.h"

namespace gossamer::tools {

struct BrowserOptions {
  /// A search service: "http://127.0.0.1:8888/search?q={query}&format=json". The operator's own, so it may be private.
  /// Empty: browser.search says that there is none.
  std::string search_url;
  FetchOptions pages;  ///< pages that a model opens; public addresses only, unless `allows_address` says otherwise
};

/// The browser tool that gpt-oss was trained with: search, open, find. Errors: a search address that is none.
Result<std::shared_ptr<Tool>> make_browser_tool(BrowserOptions options);

}  // namespace gossamer::tools
