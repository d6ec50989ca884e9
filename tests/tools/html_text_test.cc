#include "tools/html_text.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "tools/page_lines.h"
#include "tools/web_link.h"

namespace gossamer::tools {
namespace {

constexpr char kHere[] = "https://example.org/a/b.html?x=1";

std::string text_of(std::string_view html) {
  return html_text(html, kHere).text;
}

TEST(HtmlText, ParagraphsHeadingsAndLists) {
  EXPECT_EQ(text_of("<html><body><h2>Title</h2><p>One\n  two</p><p>Three<br>four</p>"
                    "<ul><li>first<li>second</ul></body></html>"),
            "## Title\n\nOne two\n\nThree\nfour\n\n* first\n* second");
}

TEST(HtmlText, TitleIsNoText) {
  const PageText page = html_text("<head><title>A &amp; B\n C</title></head>text", kHere);
  EXPECT_EQ(page.title, "A & B C");
  EXPECT_EQ(page.text, "text");
}

TEST(HtmlText, LinksAreNumberedAndResolved) {
  const PageText page = html_text(
      "<p>See <a href='/c'>the c</a>, <a href=\"../d?e=f&amp;g=h#i\"><b>d</b></a>, <a href=http://other.org>o</a>, "
      "<a href='mailto:x@y.z'>mail</a> and <a href='#top'>top</a>.",
      kHere);
  EXPECT_EQ(page.text, "See 【0†the c】, 【1†d】, 【2†o】, mail and top.");
  EXPECT_EQ(page.links,
            (std::vector<std::string>{"https://example.org/c", "https://example.org/d?e=f&g=h", "http://other.org"}));
}

TEST(HtmlText, WhatIsNotForReadersIsLeftOut) {
  EXPECT_EQ(text_of("a<script>if (x < 1) document.write('</p>')</script>b<style>p{}</style>c<!-- no > yes -->d"
                    "<SCRIPT>never closed"),
            "abcd");
  EXPECT_EQ(text_of("<p title='a > b'>shown</p>"), "shown");
}

TEST(HtmlText, Entities) {
  EXPECT_EQ(text_of("1 &lt; 2 &amp;&amp; &#51; &gt; &#x32; &nbsp;&unknown; &mdash; AT&T &"),
            "1 < 2 && 3 > 2 &unknown; — AT&T &");
  EXPECT_EQ(text_of("&#0;&#xd800;&#1114112;&#99999999;"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(HtmlText, TablesAndPreformattedText) {
  EXPECT_EQ(text_of("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"), "a | b\n1 | 2");
  EXPECT_EQ(text_of("<pre>if x:\n    y</pre>"), "if x:\n    y");
}

TEST(HtmlText, BrokenPagesAreText) {
  for (const char* html : {"<", "<a", "<a href", "<a href=", "<a href='", "</", "<!", "<!--", "&", "&#", "&#x", "<p",
                           "</script", "<a href=x>y"})
    EXPECT_TRUE(utf8_valid(text_of(html))) << html;
  EXPECT_EQ(text_of("1 < 2 <3"), "1 < 2 <3");
  EXPECT_EQ(text_of("a\xff"
                    "b"),
            "a\xef\xbf\xbd"
            "b");
}

TEST(ResolveLink, AsBrowsersDo) {
  EXPECT_EQ(resolve_link("http://h/a/b", "c"), "http://h/a/c");
  EXPECT_EQ(resolve_link("http://h", "c"), "http://h/c");
  EXPECT_EQ(resolve_link("http://h/a/b/", "../../../c/./d"), "http://h/c/d");
  EXPECT_EQ(resolve_link("http://h/a?b", "?c"), "http://h/a?c");
  EXPECT_EQ(resolve_link("https://h/a", "//other/x"), "https://other/x");
  EXPECT_EQ(resolve_link("http://h/a", " HTTP://other/ "), "http://other/");
  for (const char* link : {"", "#x", "javascript:alert(1)", "mailto:a@b", "file:///etc/passwd", "ftp://x", "http://a b",
                           "data:text/html,x"})
    EXPECT_EQ(resolve_link("http://h/a", link), "") << link;
}

TEST(PageLines, WrapBetweenWords) {
  const std::string word(30, 'x');
  const std::vector<std::string> lines = wrapped_lines(word + " " + word + " " + word + "\n\nend");
  EXPECT_EQ(lines, (std::vector<std::string>{word + " " + word + " ", word, "", "end"}));
  const std::vector<std::string> umlauts = wrapped_lines(std::string(200, 'a') + "ä");
  EXPECT_EQ(umlauts.size(), 3u);
  size_t shown = 0;
  EXPECT_EQ(numbered_lines({"a", "b", "c"}, 1, 5, 1000, shown), "L1: b\nL2: c");
  EXPECT_EQ(shown, 2u);
  EXPECT_EQ(numbered_lines({"a", "b", "c"}, 0, 5, 1, shown), "L0: a");
  EXPECT_EQ(without_link_marks("x 【12†words】 y 【6†L9】 【z】"), "x words y L9 【z");
}

}  // namespace
}  // namespace gossamer::tools
