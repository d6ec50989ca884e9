"""Train the tokenizer: byte-level BPE with the o200k split, on the generated corpus.

    train_tokenizer.py --out FOLDER        writes tokenizer.json and tokenizer_config.json

Three rules make copying and arithmetic easy for a small model:
  * digits are never merged: a number is a row of digit tokens;
  * merges are learned on words without the space before them, so "Paris" is the same token at the start of a
    JSON string and in a sentence;
  * only fixed wording (never names, cities, list items, JSON keys) gets a token that includes the space.
"""
import argparse
import json
from collections import Counter
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

import harmony
from data import conversations
from skills import words
from skills.capitals import CAPITALS
from skills.jsonout import COLORS, FIELDS, JOBS
from skills.tools import CELSIUS, CONDITIONS, CURRENCIES, FAMILIES, RETURN_VALUES, ROOMS

PATTERN = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
])
SPECIALS = ["<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>", "<|end|>", "<|message|>", "<|call|>"]
CORPUS, SEED = 40000, 7
MERGES, SPACED, RARE = 2100, 420, 20
FUNCTION_WORDS = set("the of and a an to from in on is at with for by are it I i".split())


def byte_to_unicode() -> list[str]:
    """GPT-2's printable stand-in for each byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    fill = iter(range(256, 512))
    return [chr(b if b in keep else next(fill)) for b in range(256)]


BYTES = byte_to_unicode()


def copied_words() -> set[str]:
    """Words that have to be copied from place to place: they must not have a second token with a space in it."""
    pool = words.NAMES + words.CITIES + words.SORT_WORDS + words.THINGS + list(CAPITALS) + list(CAPITALS.values())
    pool += CURRENCIES + ROOMS + CELSIUS + CONDITIONS + list(RETURN_VALUES) + COLORS + JOBS
    pool += [w for f in FAMILIES for w in f.name.split("_")] + [w for f in FAMILIES for p in f.parameters for n in p.names for w in n.split("_")]
    pool += [k for keys, *_ in FIELDS for key in keys for k in key.split("_")]
    return {w for text in pool for w in text.replace(",", " ").replace("-", " ").replace("'", " ").split()} - FUNCTION_WORDS


def pieces(count: int) -> Counter[str]:
    """Pre-tokens of the corpus and how often they occur, in the byte alphabet."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    texts: Counter[str] = Counter()
    for c, _ in zip(conversations(SEED), range(count)):
        for text, _ in harmony.render(c.messages, c.answer_from):
            for special in SPECIALS:
                text = text.replace(special, "\0")
            texts.update(text.split("\0"))
    found: Counter[str] = Counter()
    for text, n in texts.items():
        for piece, _ in split.pre_tokenize_str(text):
            found[piece] += n
    return found


def learn(found: Counter[str]) -> list[tuple[str, str]]:
    """Plain BPE merges over the pieces, without their leading mark where they are words, digits left alone."""
    corpus: Counter[tuple[str, ...]] = Counter()
    for piece, n in found.items():
        if piece[0].isdigit():
            continue
        if len(piece) > 1 and not piece[0].isalpha() or piece[0] == "Ġ":
            piece = piece[1:] if len(piece) > 1 and piece[1].isalpha() else piece
        if n >= RARE:
            corpus[tuple(piece)] += n
    merges: list[tuple[str, str]] = []
    while len(merges) < MERGES:
        pairs: Counter[tuple[str, str]] = Counter()
        for parts, n in corpus.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        merged: Counter[tuple[str, ...]] = Counter()
        for parts, n in corpus.items():
            out: list[str] = []
            for p in parts:
                if out and (out[-1], p) == best:
                    out[-1] += p
                else:
                    out.append(p)
            merged[tuple(out)] += n
        corpus = merged
    return merges


def spaced(found: Counter[str], known: set[str]) -> list[tuple[str, str]]:
    """Merges of a space with a whole word, for the most frequent fixed wording."""
    fixed = Counter({p: n for p, n in found.items() if p[0] == "Ġ" and p[1:] in known and p[1:].isascii() and p[1:] not in copied_words()})
    return [("Ġ", p[1:]) for p, _ in fixed.most_common(SPACED)]


def tokenizer_json() -> dict:
    found = pieces(CORPUS)
    vocab = {symbol: n for n, symbol in enumerate(BYTES)}
    merges = learn(found)
    merges += spaced(found, set(BYTES) | {a + b for a, b in merges})
    merges = list(dict.fromkeys(reversed(merges)))[::-1]  # of a merge that both rules gave, the later
    for a, b in merges:
        vocab.setdefault(a + b, len(vocab))
    added = [{"id": len(vocab) + n, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for n, text in enumerate(SPECIALS)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": True, "vocab": vocab, "merges": [list(m) for m in merges]}}


def write(folder: Path) -> None:
    """Train and write tokenizer.json and tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_json()
    config = {"added_tokens_decoder": {str(t["id"]): {k: t[k] for k in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")}
                                       for t in tokenizer["added_tokens"]},
              "bos_token": "<|startoftext|>", "eos_token": "<|return|>", "pad_token": "<|endoftext|>", "clean_up_tokenization_spaces": False,
              "extra_special_tokens": {}, "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
              "tokenizer_class": "PreTrainedTokenizerFast"}
    for name, content in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(f"{len(tokenizer['model']['vocab'])} tokens and {len(SPECIALS)} specials")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
