"""From conversations to batches of token ids.

The system message is a third of an average conversation, so conversations are drawn in groups that share
one: a batch holds a few groups, each a prefix (computed once) and rows of similar length that continue it.
"""
import random
from dataclasses import dataclass
from typing import Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor

import harmony
from conversation import EFFORT_SHARES, Conversation, system_message
from data import conversation
from skills import EFFORTS
from skills.capitals import CAPITALS
from skills.words import CITIES, NAMES, SORT_WORDS, THINGS, code, made_up

POOL, SYSTEMS, SHORT, LONGEST = 2048, 16, 200, 560
IGNORE = -100
DRILL_ROWS, DRILL_LENGTH = 10, 42
ITEMS = NAMES + CITIES + SORT_WORDS + THINGS + list(CAPITALS) + list(CAPITALS.values())


@dataclass
class Example:
    """One conversation as ids; trained[i]: the assistant writes token i. The first `prefix` ids are the system message."""
    ids: list[int]
    trained: list[bool]
    prefix: int


@dataclass
class Batch:
    """groups: (prefix (P,), rows (B, T)); targets: the next token where the assistant writes it, IGNORE elsewhere, for all rows, flat."""
    groups: list[tuple[Tensor, Tensor]]
    targets: Tensor

    @property
    def tokens(self) -> int:
        return sum(p.numel() + r.numel() for p, r in self.groups)


def encode(tokenizer: Tokenizer, c: Conversation) -> Example:
    ids, trained, prefix = [], [], 0
    for text, flag in harmony.render(c.messages, c.answer_from):
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        trained += [flag] * len(piece)
        prefix = prefix or len(ids)
    return Example(ids, trained, prefix)


def group(examples: list[Example], pad: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Conversations with one system message as a group and its targets."""
    skip = examples[0].prefix
    longest = max(len(e.ids) for e in examples) - 1 - skip
    rows = torch.full((len(examples), longest), pad)
    targets = torch.full((len(examples), longest), IGNORE)
    for n, e in enumerate(examples):
        ids, trained = torch.tensor(e.ids[skip:]), torch.tensor(e.trained[skip:])
        rows[n, :len(ids) - 1] = ids[:-1]
        targets[n, :len(ids) - 1] = torch.where(trained[1:], ids[1:], IGNORE)
    return (torch.tensor(examples[0].ids[:skip], dtype=torch.long), rows), targets.reshape(-1)


def _pool(rng: random.Random, tokenizer: Tokenizer, size: int, longest: int) -> list[list[Example]]:
    """Many conversations, cut into lists of about `size` tokens that share a system message and a length."""
    systems = [(effort, system_message(rng, effort)) for effort in rng.choices(EFFORTS, EFFORT_SHARES, k=SYSTEMS)]
    by_prefix: dict[tuple[int, ...], list[Example]] = {}
    for _ in range(POOL):
        effort, message = rng.choice(systems)
        e = encode(tokenizer, conversation(rng, effort, message))
        if len(e.ids) <= longest:
            by_prefix.setdefault(tuple(e.ids[:e.prefix]), []).append(e)
    cut: list[list[Example]] = []
    for examples in by_prefix.values():
        examples.sort(key=lambda e: len(e.ids))
        chunk: list[Example] = []
        for e in examples:
            if chunk and (len(chunk) + 1) * (len(e.ids) - e.prefix) > size:
                cut.append(chunk)
                chunk = []
            chunk.append(e)
        cut.append(chunk)
    rng.shuffle(cut)
    return cut


def drill(rng: random.Random, tokenizer: Tokenizer, rows: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """A group of lists of random words and numbers, each said twice: the second time is the target. Copying from
    the prompt is what most skills rest on, and nothing teaches it faster."""
    examples, pad = [], tokenizer.token_to_id("<|endoftext|>")
    for _ in range(rows):
        items = [rng.choice([lambda: rng.choice(ITEMS), lambda: made_up(rng), lambda: str(rng.randint(0, 999)), lambda: code(rng)])() for _ in range(rng.randint(10, 16))]
        once = tokenizer.encode(" " + rng.choice([" ", ", "]).join(items), add_special_tokens=False).ids[:DRILL_LENGTH]
        start, end = tokenizer.token_to_id("<|start|>"), tokenizer.token_to_id("<|end|>")
        examples.append(Example([start, *once, end, *once, end], [False] * (len(once) + 2) + [True] * (len(once) + 1), 0))
    return group(examples, pad)


def batches(tokenizer: Tokenizer, seed: int, size: int, short_until: int, drills: range, groups: int = 2) -> Iterator[Batch]:
    """Endless batches of about `size` tokens (prefixes not counted), most of them in `groups` groups.
    The first `short_until` batches hold short conversations only: more examples for the same work.
    In the batches of `drills`, a part are copying drills."""
    rng, pad, count = random.Random(seed), tokenizer.token_to_id("<|endoftext|>"), 0
    while True:
        chosen: list[list[Example]] = []
        short = count < short_until
        for examples in _pool(rng, tokenizer, size // groups, SHORT if short else LONGEST):
            if short and count >= short_until:
                break
            chosen.append(examples)
            if sum(len(x) * (len(x[-1].ids) - x[-1].prefix) for x in chosen) >= size * 0.9 or len(chosen) >= 2 * groups:
                made = [group(x, pad) for x in chosen]
                if count in drills:
                    made.append(drill(rng, tokenizer, DRILL_ROWS))
                yield Batch([g for g, _ in made], torch.cat([t for _, t in made]))
                chosen, count = [], count + 1
