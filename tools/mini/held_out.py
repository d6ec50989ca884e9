#!/usr/bin/env python3
"""Writes a text that the demo model was not trained on, for `gossamer bench precision`.

    python3 tools/mini/held_out.py [--out models/gossamer-mini/held_out.txt] [--count 66]

Whole conversations as harmony text, special tokens spelled out, <|endoftext|> and a line break between them: every skill at every effort, the same
bytes each time. Drawn with a seed of their own from the questions that an exam may ask: those that the keep-out hash keeps from training
(skills/common.py), and for skills that are closed sets (greetings, capitals) members of those. Standard library only.
"""
import argparse
import random
from pathlib import Path

import harmony
from conversation import converse
from skills import EFFORTS, SKILLS, draw

ROOT = Path(__file__).resolve().parents[2]
SEED = "held-out text"  # training's seeds are numbers, the exam's begin with "exam"
SEPARATOR = "<|endoftext|>\n"


def texts(count: int) -> list[str]:
    rng, names = random.Random(SEED), list(SKILLS)
    conversations = [converse(rng, draw(rng, names[n % len(names)], exam=True), [], EFFORTS[n // len(names) % len(EFFORTS)]) for n in range(count)]
    return ["".join(text for text, _ in harmony.render(c.messages, c.answer_from)) for c in conversations]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "models/gossamer-mini/held_out.txt")
    parser.add_argument("--count", type=int, default=66)
    args = parser.parse_args()
    args.out.write_text(SEPARATOR.join(texts(args.count)), encoding="utf-8")


if __name__ == "__main__":
    main()
