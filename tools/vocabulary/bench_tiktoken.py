#!/usr/bin/env python3
"""Measure gossamer's tokenizer and tiktoken on the same texts, in turns, each on one thread, and print the ratio.

    pip install tiktoken==0.14.0
    tools/vocabulary/bench_tiktoken.py --gossamer ./gossamer --ranks o200k_base.tiktoken TEXT...

A turn is some seconds of each; the best of the turns counts, so that a busy machine disturbs both alike.
"""
import argparse
import base64
import json
import subprocess
import time

import tiktoken

from compare import PATTERN


def tiktoken_rate(encoding, text, seconds):
    """Megabytes a second, the best pass."""
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        encoding.encode_ordinary(text)
        best = max(best, len(text.encode()) / (time.perf_counter() - begin) / 1e6)
    return best


def gossamer_rate(program, path):
    out = subprocess.run([program, "bench", "tokenizer", "--text", path, "--json"], capture_output=True, check=True, text=True).stdout
    found = json.loads(out)
    return (found["texts"][0] if "texts" in found else found)["encode_mb_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gossamer", required=True, help="the program")
    parser.add_argument("--ranks", required=True, help="o200k_base.tiktoken")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("texts", nargs="+", help="files of UTF-8")
    args = parser.parse_args()
    with open(args.ranks, "rb") as file:
        ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in file)}
    encoding = tiktoken.Encoding("o200k", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    for path in args.texts:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        ours = theirs = 0.0
        for _ in range(args.turns):
            ours = max(ours, gossamer_rate(args.gossamer, path))
            theirs = max(theirs, tiktoken_rate(encoding, text, 1))
        print(f"{path}: gossamer {ours:.1f} MB/s, tiktoken {theirs:.1f} MB/s, {ours / theirs:.1f} times as fast")


if __name__ == "__main__":
    main()
