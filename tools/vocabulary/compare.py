#!/usr/bin/env python3
"""Compare gossamer's tokenizer with other people's on random strings.

    pip install tiktoken==0.14.0 tokenizers==0.23.3
    tools/vocabulary/compare.py --encode-stream build/dev/tests/tokenizer/encode_stream --ranks o200k_base.tiktoken
    tools/vocabulary/compare.py --encode-stream ... --tokenizer-json models/gossamer-mini/tokenizer.json

The first compares the built-in o200k_harmony with tiktoken, the second a tokenizer.json with Hugging Face's tokenizers.
"""
import argparse
import base64
import random
import struct
import subprocess
import sys

PATTERN = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
# Half of what matters to the pattern is which classes meet, so strings mix few characters of many kinds.
SPECIMENS = " \t\n\r\v\u00a0\u2003aAzZéÉßſǅʰªº中あ한ا\u0301\u064b\u093f09½٣Ⅷ'\"/.,-_<|>😀🏽\u200d\u200b\ufffd\u1c89\U00010940"
WORDS = ["the", " of", "'s", "'LL", "'ve", "n't", "<|start|>", "http://", " International", "ization", "    ", "\r\n", "//", "{}", "=>", "你好世界",
         "Привет", "नमस्ते", "こんにちは", "การ", "שלום"]


def any_character(rng):
    while True:
        code_point = rng.randrange(0x110000) if rng.random() < 0.3 else rng.randrange(0x3000)
        if not 0xD800 <= code_point <= 0xDFFF:
            return chr(code_point)


def random_string(rng):
    kind = rng.random()
    if kind < 0.35:
        return "".join(rng.choice(SPECIMENS) for _ in range(rng.randrange(1, 24)))
    if kind < 0.6:
        return "".join(any_character(rng) for _ in range(rng.randrange(1, 40)))
    if kind < 0.8:
        return "".join(rng.choice(WORDS) if rng.random() < 0.5 else rng.choice(SPECIMENS) for _ in range(rng.randrange(1, 16)))
    if kind < 0.98:
        return "".join(rng.choice("etaoinshrdluETAO  \n.,'") for _ in range(rng.randrange(1, 120)))
    return "".join(rng.choice("ab=") for _ in range(rng.randrange(200, 1500)))


def encode_all(program, tokenizer_json, strings):
    """The ids of each string, by gossamer."""
    data = b"".join(struct.pack("<I", len(text)) + text for text in (string.encode() for string in strings))
    out = subprocess.run([program] + ([tokenizer_json] if tokenizer_json else []), input=data, capture_output=True, check=True).stdout
    at, rows = 0, []
    for _ in strings:
        (count,) = struct.unpack_from("<I", out, at)
        rows.append(list(struct.unpack_from(f"<{count}I", out, at + 4)))
        at += 4 + 4 * count
    assert at == len(out)
    return rows


def make_oracle(args):
    """A function from a string to its ids, and the texts of the tokens it would recognise inside."""
    if args.tokenizer_json:
        import tokenizers
        oracle = tokenizers.Tokenizer.from_file(args.tokenizer_json)
        specials = [token.content for token in oracle.get_added_tokens_decoder().values()]
        return lambda text: oracle.encode(text, add_special_tokens=False).ids, specials
    import tiktoken
    with open(args.ranks, "rb") as file:
        ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in file)}
    return tiktoken.Encoding("o200k", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={}).encode_ordinary, []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encode-stream", required=True, help="the program of tests/tokenizer/encode_stream.cc")
    parser.add_argument("--ranks", help="o200k_base.tiktoken")
    parser.add_argument("--tokenizer-json")
    parser.add_argument("--strings", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if bool(args.ranks) == bool(args.tokenizer_json):
        parser.error("give one of --ranks and --tokenizer-json")
    rng = random.Random(args.seed)
    oracle, specials = make_oracle(args)
    strings = [random_string(rng) for _ in range(args.strings)]
    strings = [text for text in strings if not any(special in text for special in specials)]
    differing = 0
    for text, ids in zip(strings, encode_all(args.encode_stream, args.tokenizer_json, strings)):
        expected = oracle(text)
        if ids != expected:
            differing += 1
            if differing <= 10:
                print(f"differs: {text!r}\n  gossamer {ids}\n  expected {expected}")
    print(f"{len(strings)} strings, {sum(map(len, strings))} characters, {differing} differ")
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
