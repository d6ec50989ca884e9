#include "tools/html_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"
#include "tools/html_entities.h"
#include "tools/web_link.h"

namespace gossamer::tools {
namespace {

constexpr size_t kMostLinks = 2000;
constexpr size_t kMostTitleBytes = 300;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

template <size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Elements whose content is not for readers; their end is looked for as text.
constexpr std::array<std::string_view, 8> kSkipped = {"script", "style",  "noscript", "template",
                                                      "svg",    "iframe", "textarea", "select"};
constexpr std::array<std::string_view, 36> kBlocks = {
    "address", "article", "aside",    "blockquote", "body",    "br",    "dd",    "details", "div",
    "dl",      "dt",      "fieldset", "figure",     "footer",  "form",  "h1",    "h2",      "h3",
    "h4",      "h5",      "h6",       "head",       "header",  "hr",    "li",    "main",    "nav",
    "ol",      "p",       "pre",      "section",    "summary", "table", "title", "tr",      "ul"};

struct Tag {
  std::string name;
  bool is_end = false;
  std::string href, alt;
};

/// The tag at `at` (its '<'), and the position behind it. Attributes in quotes may hold '>'.
Tag read_tag(std::string_view html, size_t at, size_t& behind) {
  Tag tag;
  size_t i = at + 1;
  if (i < html.size() && html[i] == '/') tag.is_end = true, ++i;
  const size_t name = i;
  while (i < html.size() && !is_space(html[i]) && html[i] != '>' && html[i] != '/') ++i;
  tag.name = lowered(html.substr(name, i - name));
  while (i < html.size() && html[i] != '>') {
    if (is_space(html[i]) || html[i] == '/') {
      ++i;
      continue;
    }
    const size_t key = i;
    while (i < html.size() && !is_space(html[i]) && html[i] != '=' && html[i] != '>' && html[i] != '/') ++i;
    const std::string attribute = lowered(html.substr(key, i - key));
    if (i < html.size() && i == key) ++i;  // a stray sign
    while (i < html.size() && is_space(html[i])) ++i;
    if (i >= html.size() || html[i] != '=') continue;
    ++i;
    while (i < html.size() && is_space(html[i])) ++i;
    if (i >= html.size()) break;
    const char quote = html[i] == '"' || html[i] == '\'' ? html[i] : '\0';
    const size_t value = quote ? ++i : i;
    if (quote)
      i = std::min(html.find(quote, i), html.size());
    else
      while (i < html.size() && !is_space(html[i]) && html[i] != '>') ++i;
    const std::string_view text = html.substr(value, i - value);
    if (attribute == "href") tag.href = without_entities(text);
    if (attribute == "alt") tag.alt = without_entities(text);
    if (quote && i < html.size()) ++i;
  }
  behind = std::min(i + 1, html.size());
  return tag;
}

/// Where the content of a skipped element ends: behind its end tag.
size_t behind_element(std::string_view html, size_t from, std::string_view name) {
  for (size_t at = html.find("</", from); at != std::string_view::npos; at = html.find("</", at + 2)) {
    const std::string_view found = html.substr(at + 2, name.size());
    const size_t next = at + 2 + name.size();
    const bool ends = next >= html.size() || is_space(html[next]) || html[next] == '>' || html[next] == '/';
    if (lowered(found) == name && ends) {
      const size_t close = html.find('>', next);
      return close == std::string_view::npos ? html.size() : close + 1;
    }
  }
  return html.size();
}

/// Lines as they grow: white space is one blank, at most one empty line in a row.
class Writer {
 public:
  void say(std::string_view text, bool keeps_spaces) {
    for (const char c : text) {
      if (is_space(c) && (!keeps_spaces || c != '\n')) {
        if (keeps_spaces && c != '\r')
          out_ += ' ';
        else
          wants_blank_ = wants_blank_ || !at_line_start();
        continue;
      }
      if (c == '\n') {
        break_line();
        continue;
      }
      add_blank();
      out_ += c;
    }
  }
  void break_line() {
    wants_blank_ = false;
    while (out_.ends_with(' ')) out_.pop_back();
    if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
  }
  /// A line of its own for what follows, without an empty one before it.
  void begin_line() {
    while (out_.ends_with(' ')) out_.pop_back();
    wants_blank_ = false;
    if (!at_line_start()) out_ += '\n';
  }
  bool at_line_start() const { return out_.empty() || out_.back() == '\n'; }
  size_t size() const { return out_.size(); }
  /// What was written since `begin`, taken back.
  std::string take_from(size_t begin) {
    std::string text = begin < out_.size() ? out_.substr(begin) : std::string();
    out_.resize(std::min(begin, out_.size()));
    wants_blank_ = false;
    return text;
  }
  void add(std::string_view text) {
    add_blank();
    out_ += text;
  }
  std::string take() {
    while (!out_.empty() && is_space(out_.back())) out_.pop_back();
    return std::move(out_);
  }

 private:
  void add_blank() {
    if (std::exchange(wants_blank_, false) && !at_line_start() && !out_.ends_with(' ')) out_ += ' ';
  }

  std::string out_;
  bool wants_blank_ = false;
};

/// Reads the page from its beginning to its end.
class PageReader {
 public:
  PageReader(std::string_view html, const std::string& address) : html_(html), base_(address) {}

  PageText read() {
    size_t at = 0;
    while (at < html_.size()) {
      const size_t tag = std::min(html_.find('<', at), html_.size());
      say(html_.substr(at, tag - at));
      if (tag == html_.size()) break;
      at = take_markup(tag);
    }
    close_link();
    page_.text = out_.take();
    return std::move(page_);
  }

 private:
  /// Whatever begins with '<'; the position behind it.
  size_t take_markup(size_t at) {
    const std::string_view rest = html_.substr(at);
    if (rest.starts_with("<!--")) {
      const size_t end = html_.find("-->", at + 4);
      return end == std::string_view::npos ? html_.size() : end + 3;
    }
    const char next = rest.size() > 1 ? rest[1] : '\0';
    if (next == '!' || next == '?') {
      const size_t end = html_.find('>', at);
      return end == std::string_view::npos ? html_.size() : end + 1;
    }
    if (!is_letter(next) && next != '/') {
      say("<");
      return at + 1;
    }
    size_t behind = at + 1;
    const Tag tag = read_tag(html_, at, behind);
    if (!tag.is_end && is_one_of(tag.name, kSkipped)) return behind_element(html_, behind, tag.name);
    take_tag(tag);
    return behind;
  }

  void take_tag(const Tag& tag) {
    if (tag.name == "a") {
      close_link();
      if (!tag.is_end) open_link(tag.href);
      return;
    }
    if (tag.name == "base" && !tag.href.empty()) {
      const std::string base = resolve_link(base_, tag.href);
      if (!base.empty()) base_ = base;
      return;
    }
    if (tag.name == "img") return say(tag.alt);
    if ((tag.name == "td" || tag.name == "th") && !tag.is_end && !out_.at_line_start()) return out_.add(" | ");
    if (!is_one_of(tag.name, kBlocks)) return;
    if (tag.name == "title") {
      in_title_ = !tag.is_end;
      return;
    }
    if (tag.name == "pre") in_pre_ = !tag.is_end;
    if (tag.name == "br" || tag.name == "tr" || tag.name == "li")
      begin_line();
    else
      break_line();
    if (tag.is_end) return;
    if (tag.name == "li") out_.add("* ");
    if (tag.name.size() == 2 && tag.name[0] == 'h' && tag.name[1] >= '1' && tag.name[1] <= '6')
      out_.add(std::string(static_cast<size_t>(tag.name[1] - '0'), '#') + " ");
  }

  void say(std::string_view text) {
    const std::string words = without_entities(text);
    if (!in_title_) return out_.say(words, in_pre_);
    for (const char c : words) {
      if (page_.title.size() >= kMostTitleBytes) return;
      if (!is_space(c))
        page_.title += c;
      else if (!page_.title.empty() && page_.title.back() != ' ')
        page_.title += ' ';
    }
  }

  void break_line() {
    if (!link_.empty()) return out_.add(" ");  // the words of a link are one piece
    out_.begin_line();
    out_.break_line();
  }
  void begin_line() {
    if (!link_.empty()) return out_.add(" ");
    out_.begin_line();
  }

  void open_link(const std::string& href) {
    link_ = resolve_link(base_, href);
    if (link_.empty() || page_.links.size() >= kMostLinks) return link_.clear();
    out_.add("");  // the blank before it stays outside
    link_begin_ = out_.size();
  }

  void close_link() {
    if (link_.empty()) return;
    std::string words = out_.take_from(link_begin_);
    while (!words.empty() && is_space(words.back())) words.pop_back();
    words.erase(0, std::min(words.find_first_not_of(" \n"), words.size()));
    if (!words.empty()) {
      std::replace(words.begin(), words.end(), '\n', ' ');
      out_.add("【" + std::to_string(page_.links.size()) + "†" + words + "】");
      page_.links.push_back(link_);
    }
    link_.clear();
  }

  const std::string_view html_;
  std::string base_;
  PageText page_;
  Writer out_;
  std::string link_;  // the address of the link that is open; empty: none is
  size_t link_begin_ = 0;
  bool in_title_ = false, in_pre_ = false;
};

}  // namespace

PageText html_text(std::string_view html, const std::string& address) {
  const std::string text = utf8_valid(html) ? std::string() : utf8_lossy(html);
  PageText page = PageReader(text.empty() ? html : std::string_view(text), address).read();
  for (std::string* part : {&page.title, &page.text})
    if (!utf8_valid(*part)) *part = utf8_lossy(*part);  // a title that was cut within a character
  for (std::string& link : page.links)
    if (!utf8_valid(link)) link = utf8_lossy(link);
  return page;
}

}  // namespace gossamer::tools
