#include "tools/browser_tool.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/utf8.h"
#include "tools/browser_pages.h"
#include "tools/public_address.h"
#include "tools/search_results.h"
#include "tools/web_link.h"

namespace gossamer::tools {
namespace {

constexpr int64_t kMostResults = 20;
constexpr size_t kLongestQuery = 1000;

std::string text_of(const json::value& arguments, const char* key) {
  const json::value* value = find_member(arguments, key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

int64_t number_of(const json::value& arguments, const char* key, int64_t otherwise) {
  const json::value* value = find_member(arguments, key);
  if (!value || !value->is_number()) return otherwise;
  constexpr double kLargest = 1e9;
  const double number = value->to_number<double>();
  return std::isfinite(number) ? static_cast<int64_t>(std::clamp(number, -1.0, kLargest)) : otherwise;
}

ToolResult failure(std::string text) {
  return {utf8_lossy(text), true, {}};
}

/// What came, as a page: HTML, or text as it is. Errors: neither.
Result<PageText> page_text(const FetchedPage& page) {
  const std::string& type = page.content_type;
  const bool is_html = type.find("html") != std::string::npos || type.find("xml") != std::string::npos;
  if (is_html || (type.empty() && page.body.starts_with('<'))) return html_text(page.body, page.address);
  const bool is_text = type.empty() || type.starts_with("text/") || type.find("json") != std::string::npos;
  if (!is_text)
    return make_error(ErrorCode::kUnsupported, "{} is of the type {}, which cannot be shown as text",
                      page.address.substr(0, 200), type.substr(0, 80));
  PageText text;
  text.text = utf8_lossy(page.body);
  std::erase(text.text, '\r');
  return text;
}

class BrowserSession final : public ToolSession {
 public:
  explicit BrowserSession(std::shared_ptr<const BrowserOptions> options) : options_(std::move(options)) {}

  ToolResult call(std::string_view recipient, std::string_view arguments, const CallLimits& limits,
                  const Cancellation& cancelled) override {
    const Result<json::value> parsed = parse_json(arguments.empty() ? "{}" : arguments, "the arguments");
    if (!parsed.ok() || !parsed->is_object())
      return failure("The arguments must be a JSON object" + (parsed.ok() ? "." : ": " + parsed.error().message));
    if (pages_.is_full()) return failure("No more pages can be opened: answer with what you have.");
    const Turn turn{*parsed, limits, cancelled};
    if (recipient == "browser.search") return search(turn);
    if (recipient == "browser.open") return open(turn);
    if (recipient == "browser.find") return find(turn);
    return failure("The browser has search, open and find.");
  }

 private:
  struct Turn {
    const json::value& arguments;
    const CallLimits& limits;
    const Cancellation& cancelled;
  };

  ToolResult search(const Turn& turn) {
    const std::string query = text_of(turn.arguments, "query").substr(0, kLongestQuery);
    json::object action{{"type", "search"}, {"query", utf8_lossy(query)}};
    if (query.empty()) return failure("`query` is missing.");
    if (options_->search_url.empty())
      return failure("There is no search service here; browser.open takes an address as `id`.");
    FetchOptions fetch = options_->pages;
    fetch.allows_address = {};
    const Result<FetchedPage> answer =
        fetch_page(search_address(options_->search_url, query), fetch, turn.limits.deadline, turn.cancelled);
    if (!answer.ok())
      return {fmt::format("Error during search for `{}`: no answer of the service", utf8_lossy(query)), true, action};
    const int64_t count = std::clamp<int64_t>(number_of(turn.arguments, "topn", 10), 1, kMostResults);
    PageText page = search_page(*answer, static_cast<size_t>(count));
    page.title = utf8_lossy(query);
    return shown(BrowserPage::of("search", std::move(page)), -1, -1, turn, std::move(action));
  }

  ToolResult open(const Turn& turn) {
    const int64_t first = number_of(turn.arguments, "loc", -1), count = number_of(turn.arguments, "num_lines", -1);
    std::string address = text_of(turn.arguments, "id");
    if (address.empty()) {
      Result<std::shared_ptr<const BrowserPage>> current = pages_.at(number_of(turn.arguments, "cursor", -1));
      if (!current.ok()) return failure(current.error().message);
      const int64_t link = number_of(turn.arguments, "id", -1);
      if (link < 0) {  // scrolls
        json::object action{{"type", "open_page"}, {"url", (*current)->address}};
        return shown(*current, first, count, turn, std::move(action));
      }
      if (link >= static_cast<int64_t>((*current)->links.size()))
        return failure(fmt::format("Invalid link id `{}`.", link));
      address = (*current)->links[static_cast<size_t>(link)];
    }
    json::object action{{"type", "open_page"}, {"url", utf8_lossy(address)}};
    const Result<FetchedPage> fetched = fetch_page(address, options_->pages, turn.limits.deadline, turn.cancelled);
    if (!fetched.ok()) return {utf8_lossy(fetched.error().message), true, std::move(action)};
    Result<PageText> text = page_text(*fetched);
    if (!text.ok()) return {utf8_lossy(text.error().message), true, std::move(action)};
    return shown(BrowserPage::of(utf8_lossy(fetched->address), std::move(*text)), first, count, turn,
                 std::move(action));
  }

  ToolResult find(const Turn& turn) {
    const std::string pattern = utf8_lossy(text_of(turn.arguments, "pattern").substr(0, kLongestQuery));
    if (pattern.empty()) return failure("`pattern` is missing.");
    Result<std::shared_ptr<const BrowserPage>> page = pages_.at(number_of(turn.arguments, "cursor", -1));
    if (!page.ok()) return failure(page.error().message);
    json::object action{{"type", "find_in_page"}, {"url", (*page)->address}, {"pattern", pattern}};
    return shown(find_in_page(**page, pattern), -1, -1, turn, std::move(action));
  }

  ToolResult shown(std::shared_ptr<const BrowserPage> page, int64_t first, int64_t count, const Turn& turn,
                   json::object action) {
    Result<std::string> text = pages_.show(std::move(page), first, count, turn.limits.output_bytes);
    if (!text.ok()) return {text.error().message, true, std::move(action)};
    return {std::move(*text), false, std::move(action)};
  }

  const std::shared_ptr<const BrowserOptions> options_;
  BrowserPages pages_;
};

class BrowserTool final : public Tool {
 public:
  explicit BrowserTool(BrowserOptions options)
      : options_(std::make_shared<BrowserOptions>(std::move(options))),
        description_(harmony::ToolNamespace::browser()) {}

  Kind kind() const override { return Kind::kBrowser; }
  const harmony::ToolNamespace& description() const override { return description_; }
  std::unique_ptr<ToolSession> begin() const override { return std::make_unique<BrowserSession>(options_); }

 private:
  const std::shared_ptr<const BrowserOptions> options_;
  const harmony::ToolNamespace description_;
};

}  // namespace

Result<std::shared_ptr<Tool>> make_browser_tool(BrowserOptions options) {
  const std::string& search = options.search_url;
  if (!search.empty() && resolve_link("", search).empty())
    return make_error(ErrorCode::kInvalidInput,
                      "{} is no address of a search service; give http://HOST/search?q={{query}}&format=json", search);
  if (!options.pages.allows_address)
    options.pages.allows_address = [](const sockaddr_storage& address) { return is_public_elsewhere(address); };
  return std::shared_ptr<Tool>(std::make_shared<BrowserTool>(std::move(options)));
}

}  // namespace gossamer::tools
