#include "cli/terminal_text.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace gossamer::cli {
namespace {

TEST(TerminalText, LeavesTextAlone) {
  EXPECT_EQ(printable("Grüße, 世界 🌊\n\tend"), "Grüße, 世界 🌊\n\tend");
  EXPECT_EQ(printable("\u00A0\u00E4"), "\u00A0\u00E4");  // their first byte also begins control characters
}

TEST(TerminalText, ShowsControlCharactersAsSigns) {
  EXPECT_EQ(printable("\x1b[31mred\x1b]0;title\x07"), "␛[31mred␛]0;title␇");
  EXPECT_EQ(printable("a\rb\x7f"), "a␍b␡");
  EXPECT_EQ(printable(std::string("\0", 1)), "␀");
  EXPECT_EQ(printable("\u009B31m"), "\uFFFD31m");  // the one-character form of ESC [
}

TEST(TerminalText, LetsNoControlCharacterThrough) {
  for (char32_t code = 0; code < 0x800; ++code) {
    std::string text;
    if (code < 0x80)
      text = {static_cast<char>(code)};
    else
      text = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
    const bool control = (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0);
    EXPECT_EQ(printable(text) != text, control) << std::hex << static_cast<uint32_t>(code);
    EXPECT_TRUE(utf8_valid(printable(text)));
  }
}

}  // namespace
}  // namespace gossamer::cli
