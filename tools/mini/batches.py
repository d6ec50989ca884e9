"""From conversations to padded batches of token ids, in order of length so that little is padding."""
import random
from dataclasses import dataclass
from typing import Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor

import harmony
from conversation import Conversation
from data import conversations

POOL, LONGEST = 3072, 640
IGNORE = -100


@dataclass
class Example:
    ids: list[int]
    trained: list[bool]


@dataclass
class Batch:
    """tokens (B, T); targets (B, T): the next token where the assistant writes it, IGNORE elsewhere."""
    tokens: Tensor
    targets: Tensor


def encode(tokenizer: Tokenizer, c: Conversation) -> Example:
    ids, trained = [], []
    for text, flag in harmony.render(c.messages, c.answer_from):
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        trained += [flag] * len(piece)
    return Example(ids, trained)


def collate(examples: list[Example], pad: int) -> Batch:
    longest = max(len(e.ids) for e in examples) - 1
    tokens = torch.full((len(examples), longest), pad)
    targets = torch.full((len(examples), longest), IGNORE)
    for row, e in enumerate(examples):
        ids, trained = torch.tensor(e.ids), torch.tensor(e.trained)
        tokens[row, :len(ids) - 1] = ids[:-1]
        targets[row, :len(ids) - 1] = torch.where(trained[1:], ids[1:], IGNORE)
    return Batch(tokens, targets)


def batches(tokenizer: Tokenizer, seed: int, size: int) -> Iterator[Batch]:
    """Endless batches of about `size` tokens; a pool of conversations is sorted by length and cut."""
    rng, stream, pad = random.Random(seed), conversations(seed), tokenizer.token_to_id("<|endoftext|>")
    while True:
        pool = [encode(tokenizer, next(stream)) for _ in range(POOL)]
        pool = sorted((e for e in pool if len(e.ids) <= LONGEST), key=lambda e: len(e.ids))
        cut: list[list[Example]] = [[]]
        for e in pool:
            if cut[-1] and (len(cut[-1]) + 1) * len(e.ids) > size:
                cut.append([])
            cut[-1].append(e)
        rng.shuffle(cut)
        for examples in cut:
            yield collate(examples, pad)
