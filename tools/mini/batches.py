"""From conversations to batches of token ids.

The system message is a third of an average conversation, so conversations are drawn in groups that share
one: a batch holds a few groups, each a prefix (computed once) and rows of similar length that continue it.
"""
import itertools
import random
from dataclasses import dataclass
from typing import Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor

import harmony
from conversation import EFFORT_SHARES, Conversation, converse, system_message
from data import conversation
from skills import EFFORTS, draw
from skills.capitals import CAPITALS
from skills.words import CITIES, NAMES, SORT_WORDS, THINGS, code, made_up

POOL, SYSTEMS, LONGEST = 2048, 16, 560
IGNORE = -100
DRILL_ROWS, DRILL_LENGTH = 4, 42
# skills and their shares of the exercises: the hard ones have more
EXERCISES = {"arithmetic": 18, "sorting": 16, "tools": 20, "json": 14, "capitals": 7, "units": 6, "small talk": 5, "memory": 5, "identity": 2, "no tool needed": 6, "fallback": 5}
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


def _cut(examples: list[Example], size: int) -> list[list[Example]]:
    """Lists of about `size` tokens (prefixes not counted), padding included, each of one prefix and similar lengths."""
    by_prefix: dict[tuple[int, ...], list[Example]] = {}
    for e in examples:
        by_prefix.setdefault(tuple(e.ids[:e.prefix]), []).append(e)
    cut: list[list[Example]] = []
    for same in by_prefix.values():
        same.sort(key=lambda e: len(e.ids))
        chunk: list[Example] = []
        for e in same:
            if chunk and (len(chunk) + 1) * (len(e.ids) - e.prefix) > size:
                cut.append(chunk)
                chunk = []
            chunk.append(e)
        cut.append(chunk)
    return cut


def conversation_groups(rng: random.Random, tokenizer: Tokenizer, size: int) -> Iterator[list[Example]]:
    """Conversations in groups of about `size` tokens that share a system message."""
    while True:
        systems = [(effort, system_message(rng, effort)) for effort in rng.choices(EFFORTS, EFFORT_SHARES, k=SYSTEMS)]
        examples = [encode(tokenizer, conversation(rng, *rng.choice(systems))) for _ in range(POOL)]
        cut = _cut([e for e in examples if len(e.ids) <= LONGEST], size)
        rng.shuffle(cut)
        yield from cut


def exercise(rng: random.Random, tokenizer: Tokenizer) -> Example:
    """A conversation stripped of system message, headings and headers: the same lesson for half the tokens, so that
    most of them are hard ones. What is heard begins with <|start|>, what is to be said with <|message|>."""
    skill = rng.choices(list(EXERCISES), list(EXERCISES.values()))[0]
    turn = draw(rng, skill, exam=False)
    c = converse(rng, turn, [], "low", None)
    start, message, end = (tokenizer.token_to_id(f"<|{name}|>") for name in ("start", "message", "end"))
    ids, trained = [], []
    for n, m in enumerate(c.messages[1:], 1):
        text = _bare_text(m["content"][0])
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        says = n >= c.answer_from and m["role"] == "assistant"
        ids += [message if says else start, *piece, end]
        trained += [False] + [says] * (len(piece) + 1)
    return Example(ids, trained, 0)


def _bare_text(content: dict) -> str:
    if content["type"] != "developer_content":
        return content["text"]
    tools = content.get("tools", {}).get("functions", {}).get("tools", [])
    return "\n".join([content[k] for k in ("instructions",) if k in content] + [harmony.function_text(t) for t in tools])


def exercise_groups(rng: random.Random, tokenizer: Tokenizer, size: int) -> Iterator[list[Example]]:
    while True:
        cut = _cut([exercise(rng, tokenizer) for _ in range(POOL)], size)
        rng.shuffle(cut)
        yield from cut


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


def batches(tokenizer: Tokenizer, seed: int, size: int, exercises_until: int, drills_until: int) -> Iterator[Batch]:
    """Endless batches of about `size` tokens (prefixes not counted) in three groups. All are conversations, but in the
    first `exercises_until` batches two are exercises, and in the first `drills_until` there is a copying drill besides."""
    rng, pad = random.Random(seed), tokenizer.token_to_id("<|endoftext|>")
    conversations, exercises = (make(rng, tokenizer, size // 3) for make in (conversation_groups, exercise_groups))
    for count in itertools.count():
        others = exercises if count < exercises_until else conversations
        made = [group(next(source), pad) for source in (conversations, others, others)]
        if count < drills_until:
            made.append(drill(rng, tokenizer, DRILL_ROWS))
        yield Batch([g for g, _ in made], torch.cat([t for _, t in made]))
