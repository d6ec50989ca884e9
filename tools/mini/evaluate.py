"""A quick look at a model without running it: is every token of the taught answer its first choice?

`whole` counts conversations where that holds for all tokens (then greedy decoding writes exactly that answer),
`answer` where it holds for the final message or call. exam.py is the real measure; this one is cheap.
"""
import random

import torch
from tokenizers import Tokenizer

from batches import IGNORE, collate, encode
from conversation import converse
from model import Mini
from skills import SKILLS, draw


@torch.no_grad()
def exact_by_skill(model: Mini, tokenizer: Tokenizer, seed: int, count: int) -> dict[str, tuple[float, float]]:
    rng, pad = random.Random(seed), tokenizer.token_to_id("<|endoftext|>")
    end = tokenizer.token_to_id("<|end|>")
    scores = {}
    for skill in SKILLS:
        examples = [encode(tokenizer, converse(rng, draw(rng, skill, exam=True), [])) for _ in range(count)]
        examples.sort(key=lambda e: len(e.ids))
        whole = answer = 0
        for at in range(0, count, 16):
            batch = collate(examples[at:at + 16], pad)
            wrong = (model.logits(model(batch.tokens)).argmax(-1) != batch.targets) & (batch.targets != IGNORE)
            # the analysis is what is trained up to its <|end|>
            closed = (batch.targets == end).flip(1).cumsum(1).flip(1) > 0
            whole += (~wrong.any(1)).sum().item()
            answer += (~(wrong & ~closed).any(1)).sum().item()
        scores[skill] = (whole / count, answer / count)
    return scores
