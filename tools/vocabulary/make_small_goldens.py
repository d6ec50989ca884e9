#!/usr/bin/env python3
"""Write tests/data/tokenizer/small_*.json and small.jsonl: small vocabularies as tokenizer.json, and what Hugging Face's
`tokenizers` makes of some texts with them.

    pip install tokenizers==0.23.3
    tools/vocabulary/make_small_goldens.py

The vocabularies are random, and odd on purpose: ids that do not follow the order of the merges, tokens that no merge makes, merges
that are listed twice, special tokens among the vocabulary and beside it, merges as pairs and as texts, ignore_merges on and off.
Rows: {"tokenizer": file, "text": str, "ids": [int]} (special tokens in the text are recognised).
"""
import json
import os
import random

import tokenizers

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/data/tokenizer")
PATTERN = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
SPECIALS = ["<|start|>", "<|end|>", "<|message|>", "<|end|>x", "[S]"]
ALPHABET = " abcdeéß中0\n"


def byte_alphabet():
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    fill = iter(range(256, 512))
    return [chr(byte if byte in keep else next(fill)) for byte in range(256)]


BYTES = byte_alphabet()


def printable(text):
    return "".join(BYTES[byte] for byte in text.encode())


def make_vocabulary(rng, num_merges, whole_pieces, merges_as_text, specials_in_vocab):
    """A tokenizer.json as a dictionary."""
    symbols = list(dict.fromkeys(printable(ALPHABET)))
    tokens, merges = list(symbols), []
    while len(merges) < num_merges:
        pair = (rng.choice(tokens), rng.choice(tokens))
        if len("".join(pair)) <= 9 and list(pair) not in merges:
            merges.append(list(pair))
            tokens.append("".join(pair))
    merges += rng.sample(merges, 5)  # listed twice: the later place counts
    unreachable = [printable(word) for word in ("zebra", " queue", "ZZ", "0123")]
    entries = list(dict.fromkeys(BYTES + tokens + unreachable + (SPECIALS if specials_in_vocab else [])))
    rng.shuffle(entries)
    vocab = {token: index for index, token in enumerate(entries)}
    first_id = len(vocab)
    added = [{"id": vocab.get(name, first_id + index), "content": name, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for index, name in enumerate(SPECIALS)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": whole_pieces, "vocab": vocab,
                  "merges": [" ".join(pair) for pair in merges] if merges_as_text else merges}}


def make_text(rng):
    kind = rng.random()
    if kind < 0.5:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(0, 60)))
    if kind < 0.7:  # long pieces
        return "".join(rng.choice("abcde") for _ in range(rng.randrange(60, 200)))
    parts = ["zebra", " queue", "ZZ", "0123", "<|en", "d|>", " ", "x", "Zürich", "日本", "\U0001f600", "'s", *SPECIALS]
    return "".join(rng.choice(parts) for _ in range(rng.randrange(1, 12)))


def main():
    rng = random.Random(11)
    kinds = {"small_whole.json": (150, True, False, False), "small_merges.json": (150, False, False, True),
             "small_text.json": (60, True, True, True)}
    rows = []
    for name, kind in kinds.items():
        path = os.path.join(OUT, name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(make_vocabulary(rng, *kind), file, ensure_ascii=False, separators=(",", ":"))
            file.write("\n")
        tokenizer = tokenizers.Tokenizer.from_file(path)
        for _ in range(80):
            text = make_text(rng)
            rows.append({"tokenizer": name, "text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids})
    with open(os.path.join(OUT, "small.jsonl"), "w", encoding="ascii") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    print(sum(os.path.getsize(os.path.join(OUT, name)) for name in [*kinds, "small.jsonl"]), "bytes")


if __name__ == "__main__":
    main()
