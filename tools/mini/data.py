"""Training conversations, endless and seeded: `data.py [--seed N] [--count N]` prints some."""
import argparse
import random
from typing import Iterator

import harmony
from conversation import Conversation, converse
from skills import draw, draw_any

HISTORY_SHARE = 0.08
HISTORY_SKILLS = ["small talk", "identity", "capitals", "arithmetic", "units"]


def conversation(rng: random.Random, effort: str | None = None, system: harmony.Message | None = None) -> Conversation:
    """A training conversation of any skill; effort and system message are drawn where they are not given."""
    turn, before = draw_any(rng), []
    if not turn.history and not turn.instructions and rng.random() < HISTORY_SHARE:
        before = [draw(rng, rng.choice(HISTORY_SKILLS), exam=False) for _ in range(rng.choice([1, 1, 1, 2]))]
    return converse(rng, turn, before, effort, system)


def conversations(seed: int) -> Iterator[Conversation]:
    rng = random.Random(seed)
    while True:
        yield conversation(rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    args = parser.parse_args()
    for c, _ in zip(conversations(args.seed), range(args.count)):
        print(f"--- {c.turn.skill}, {c.effort}")
        print("".join(f"\033[1m{text}\033[0m" if trained else text for text, trained in harmony.render(c.messages, c.answer_from)))


if __name__ == "__main__":
    main()
