"""A quick look at a model without running it: is every token of the taught answer its first choice?

`whole` counts conversations where that holds for all tokens (then greedy decoding writes exactly that answer),
`answer` where it holds for the final message or call. exam.py is the real measure; this one is cheap.
"""
import random

import torch
from tokenizers import Tokenizer

from batches import IGNORE, encode, group
from conversation import converse
from model import Mini
from skills import SKILLS, draw


@torch.no_grad()
def exact_by_skill(model: Mini, tokenizer: Tokenizer, seed: int, count: int) -> dict[str, tuple[float, float]]:
    rng, pad = random.Random(seed), tokenizer.token_to_id("<|endoftext|>")
    end = tokenizer.token_to_id("<|end|>")
    scores = {}
    for skill in SKILLS:
        whole = answer = 0
        for _ in range(count):
            rows, targets = group([encode(tokenizer, converse(rng, draw(rng, skill, exam=True), []))], pad)
            wrong = (model.logits(model([rows])).argmax(-1) != targets) & (targets != IGNORE)
            # the analysis is what is trained up to its <|end|>
            in_answer = (targets == end).flip(0).cumsum(0).flip(0) == 0
            whole += not wrong.any()
            answer += not (wrong & in_answer).any()
        scores[skill] = (whole / count, answer / count)
    return scores
