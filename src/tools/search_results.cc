#include "tools/search_results.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/utf8.h"
#include "tools/web_link.h"

namespace gossamer::tools {
namespace {

std::string text_of(const json::value& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const json::value* value = find_member(object, key); value && value->is_string())
      return std::string(value->get_string());
  return {};
}

/// The list of results, wherever services put it.
const json::array* results_of(const json::value& answer) {
  if (answer.is_array()) return &answer.get_array();
  for (const char* key : {"results", "web", "data", "items"}) {
    const json::value* member = find_member(answer, key);
    if (!member) continue;
    if (member->is_array()) return &member->get_array();
    if (const json::value* inner = find_member(*member, "results"); inner && inner->is_array())
      return &inner->get_array();
  }
  return nullptr;
}

std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

PageText page_of(const json::array& results, size_t most_results) {
  PageText page;
  for (const json::value& result : results) {
    if (page.links.size() >= most_results) break;
    const std::string address = resolve_link("", text_of(result, {"url", "link"}));
    if (address.empty()) continue;
    // Some services mark words of the query with tags.
    const PageText title = html_text(text_of(result, {"title", "name"}), address);
    const PageText words = html_text(text_of(result, {"content", "snippet", "description", "text"}), address);
    if (!page.text.empty()) page.text += "\n\n";
    page.text += fmt::format("【{}†{}】 {}\n{}", page.links.size(),
                             title.text.empty() ? address : on_one_line(title.text), address, words.text);
    page.links.push_back(address);
  }
  if (page.links.empty()) page.text = "No results.";
  return page;
}

}  // namespace

std::string search_address(std::string_view pattern, std::string_view query) {
  constexpr std::string_view kPlace = "{query}";
  std::string escaped;
  for (const char c : query) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '_' || c == '.' || c == '~';
    if (is_plain)
      escaped += c;
    else
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  std::string address(pattern);
  const size_t place = address.find(kPlace);
  if (place == std::string::npos) return address + escaped;
  return address.replace(place, kPlace.size(), escaped);
}

PageText search_page(const FetchedPage& answer, size_t most_results) {
  const Result<json::value> value = parse_json(answer.body, "the answer");
  if (value.ok()) {
    const json::array* results = results_of(*value);
    return page_of(results ? *results : json::array(), most_results);
  }
  return html_text(answer.body, answer.address);
}

}  // namespace gossamer::tools
