#!/usr/bin/env python3
"""Measure gossamer's tokenizer and tiktoken on the same texts, in turns, each on one thread, and print the ratio.

    pip install tiktoken==0.14.0
    tools/vocabulary/bench_tiktoken.py [TEXT...]

Both encode the same file with the same vocabulary (tiktoken gets gossamer's tokens, so nothing is downloaded). Without
files: the text and the code of this repository. A turn is some seconds of each; the best of the turns counts, so that a
busy machine disturbs both alike. Also checks that both give the same number of tokens.
"""
import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import tiktoken

from compare import PATTERN

ROOT = Path(__file__).resolve().parents[2]
TEXT_TOKENS = 199998


def tiktoken_rate(encoding, text, seconds):
    """Megabytes a second, the best pass."""
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        encoding.encode_ordinary(text)
        best = max(best, len(text.encode()) / (time.perf_counter() - begin) / 1e6)
    return best


def gossamer_bench(program, path):
    out = subprocess.run([program, "bench", "tokenizer", "--text", path, "--json"], capture_output=True, check=True, text=True).stdout
    return json.loads(out)["texts"][0]


def ranks_of(program):
    """The bytes of every text token, from the program itself."""
    lines = "".join(json.dumps({"ids": [n]}) + "\n" for n in range(TEXT_TOKENS))
    out = subprocess.run([program, "detokenize"], input=lines, capture_output=True, check=True, text=True).stdout
    return {bytes.fromhex(json.loads(line)["hex"]): n for n, line in enumerate(out.split("\n")[:-1])}


def own_texts(folder):
    """The prose and the code of this repository, a file each."""
    for name, patterns in (("prose", ["*.md"]), ("code", ["*.cc", "*.h", "*.py"])):
        files = subprocess.run(["git", "-C", ROOT, "ls-files", *patterns], capture_output=True, check=True, text=True).stdout.split()
        path = Path(folder) / name
        path.write_bytes(b"".join((ROOT / file).read_bytes() for file in files))
        yield str(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gossamer", default=str(ROOT / "gossamer"), help="the program")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("texts", nargs="*", help="files of UTF-8")
    args = parser.parse_args()
    encoding = tiktoken.Encoding("o200k", pat_str=PATTERN, mergeable_ranks=ranks_of(args.gossamer), special_tokens={})
    with tempfile.TemporaryDirectory() as folder:
        for path in args.texts or own_texts(folder):
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
            ours = theirs = 0.0
            for _ in range(args.turns):
                measured = gossamer_bench(args.gossamer, path)
                ours = max(ours, measured["encode_mb_per_second"])
                theirs = max(theirs, tiktoken_rate(encoding, text, 1))
            if measured["tokens"] != len(encoding.encode_ordinary(text)):
                raise SystemExit(f"{path}: gossamer and tiktoken give different numbers of tokens")
            print(f"{Path(path).name} ({len(text.encode()) / 1e6:.1f} MB): gossamer {ours:.1f} MB/s, tiktoken {theirs:.1f} MB/s, {ours / theirs:.1f} times as fast")


if __name__ == "__main__":
    main()
