#!/usr/bin/env python3
"""Write src/tokenizer/unicode_table.cc: the class of each code point in the o200k split pattern, from Unicode 16.0.

    pip install unicodedata2==16.0.0
    tools/vocabulary/make_unicode_table.py            (writes the file)
    tools/vocabulary/make_unicode_table.py --check    (fails where the committed file differs)

The version matters: tiktoken 0.14.0 splits by Unicode 16.0 exactly, and every other version differs on thousands of code points.
"""
import argparse
import os
import sys

import unicodedata2

UNICODE_VERSION = "16.0.0"
BLOCK_SIZE = 128  # code points a block: the smallest table of 32 .. 512 that keeps the second level byte-indexed
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/tokenizer/unicode_table.cc")

# In the order of enum class CharClass (unicode_table.h).
OTHER, UPPER, LOWER, LETTER, MARK, NUMBER, SPACE, NEWLINE = range(8)
BY_CATEGORY = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": LETTER, "Lo": LETTER, "Mn": MARK, "Mc": MARK, "Me": MARK,
               "Nd": NUMBER, "Nl": NUMBER, "No": NUMBER}
# The White_Space property, which \s means in the pattern (str.isspace() has four control characters more).
WHITE_SPACE = {0x09, 0x0B, 0x0C, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


def char_class(code_point):
    if code_point in (0x0A, 0x0D):
        return NEWLINE
    if code_point in WHITE_SPACE:
        return SPACE
    return BY_CATEGORY.get(unicodedata2.category(chr(code_point)), OTHER)


def render():
    classes = "".join(str(char_class(code_point)) for code_point in range(0x110000))
    blocks, index = {}, []
    for start in range(0, len(classes), BLOCK_SIZE):
        index.append(blocks.setdefault(classes[start:start + BLOCK_SIZE], len(blocks)))
    assert len(blocks) <= 256
    rows = [",".join(map(str, index[start:start + 40])) for start in range(0, len(index), 40)]
    return "\n".join([
        f"// Unicode {UNICODE_VERSION}, written by tools/vocabulary/make_unicode_table.py: do not edit.",
        "// clang-format off",
        '#include "tokenizer/unicode_table.h"', "",
        "namespace gossamer::unicode_table {", "",
        f"const uint8_t kBlockOf[{len(index)}] = {{", ",\n".join(rows) + "};", "",
        f"const char kBlocks[{len(blocks)}][kBlockSize + 1] = {{", ",\n".join(f'"{block}"' for block in blocks) + "};", "",
        "}  // namespace gossamer::unicode_table", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed file instead of writing it")
    args = parser.parse_args()
    if unicodedata2.unidata_version != UNICODE_VERSION:
        sys.exit(f"unicodedata2 has Unicode {unicodedata2.unidata_version}, wanted {UNICODE_VERSION}: "
                 f"pip install unicodedata2=={UNICODE_VERSION}")
    text = render()
    if args.check:
        with open(OUT, encoding="ascii") as file:
            if file.read() != text:
                sys.exit(f"{OUT} differs from what Unicode {UNICODE_VERSION} gives: run this script without --check")
        return
    with open(OUT, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
