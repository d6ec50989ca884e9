"""Train gossamer-mini on a CPU and write the model folder.

    train.py [--out ../../models/gossamer-mini] [--steps N] [--checkpoint FILE] ...

The defaults are the recipe of the shipped model. A run is seeded and can be resumed from its checkpoint
(same data from the step where it stopped). On a terminal it shows a progress bar, elsewhere a line now and then.
"""
import argparse
import ctypes
import math
import os
import sys
import time
from pathlib import Path

# before torch is loaded: waiting threads sleep instead of spinning, worth a factor of four where other programs run
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import train_tokenizer
from batches import IGNORE, Batch, batches
from evaluate import exact_by_skill
from export import export
from model import Aux, Config, Mini
from optimizer import optimizers

BALANCE = 0.01
CLIP = 1.0


def keep_memory() -> None:
    """Tell glibc to keep freed memory: returning it after every step costs a tenth of the time in page faults."""
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    libc.mallopt(-1, 2 ** 31 - 1)  # M_TRIM_THRESHOLD


def rate(step: int, steps: int, warmup: int = 100, decay: float = 0.5) -> float:
    """Warm up, hold, then fall linearly to nearly nothing over the last `decay` of the run."""
    if step < warmup:
        return (step + 1) / warmup
    return min(1.0, (steps - step) / (steps * decay)) + 0.001


def loss_of(model: Mini, batch: Batch) -> tuple[torch.Tensor, float]:
    """The loss to minimise, and the plain cross-entropy for the log."""
    aux = Aux()
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model(batch.tokens, aux)
        chosen = batch.targets != IGNORE
        logits = model.logits(hidden[chosen])
    entropy = F.cross_entropy(logits.float(), batch.targets[chosen])
    return entropy + BALANCE * torch.stack(aux.balance).mean(), entropy.item()


class Progress:
    """A bar on a terminal; a line every `every` steps elsewhere."""

    def __init__(self, steps: int, every: int = 50):
        self.steps, self.every, self.start, self.tokens, self.average = steps, every, time.time(), 0, None

    def step(self, n: int, first: int, loss: float, tokens: int) -> None:
        self.tokens += tokens
        self.average = loss if self.average is None else 0.98 * self.average + 0.02 * loss
        spent = time.time() - self.start
        left = spent / (n + 1 - first) * (self.steps - n - 1)
        text = f"step {n + 1}/{self.steps}  loss {self.average:.4f}  {self.tokens / spent:,.0f} tokens/s  {spent / 60:.1f} min, {left / 60:.1f} left"
        if sys.stderr.isatty():
            full = int(30 * (n + 1) / self.steps)
            print(f"\r[{'#' * full}{'.' * (30 - full)}] {text}", end="\n" if n + 1 == self.steps else "", file=sys.stderr, flush=True)
        elif (n + 1) % self.every == 0 or n + 1 == self.steps:
            print(f"{text}  cpu {sum(os.times()[:2]) / 60:.1f} min", flush=True)


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=here.parents[1] / "models" / "gossamer-mini")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=6144, help="tokens in a batch, padding included")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--intermediate", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--round-from", type=float, default=0.3, help="share of the run after which MXFP4 and BF16 rounding are on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokenizer", type=Path, help="folder of a trained tokenizer (default: train one into --out)")
    parser.add_argument("--checkpoint", type=Path, help="save here every 250 steps, and resume from here")
    parser.add_argument("--stop-after", type=int, help="stop at this step (to try the start of a schedule)")
    args = parser.parse_args()

    keep_memory()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.tokenizer is None:
        train_tokenizer.write(args.out)
    tokenizer = Tokenizer.from_file(str((args.tokenizer or args.out) / "tokenizer.json"))
    vocab = math.ceil(tokenizer.get_vocab_size() / 64) * 64
    model = Mini(Config(vocab, args.hidden, args.intermediate, args.layers, num_local_experts=args.experts))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, vocabulary {vocab}", flush=True)
    opts = optimizers(model, args.lr)
    base = [[g["lr"] for g in o.param_groups] for o in opts]
    first = 0
    if args.checkpoint and args.checkpoint.exists():
        state = torch.load(args.checkpoint)
        model.load_state_dict(state["model"])
        for o, s in zip(opts, state["optimizers"]):
            o.load_state_dict(s)
        first = state["step"]

    stream = batches(tokenizer, args.seed, args.batch)
    for _ in range(first):
        next(stream)
    progress = Progress(args.steps)
    for n in range(first, min(args.steps, args.stop_after or args.steps)):
        batch = next(stream)
        model.rounding.experts = model.rounding.bf16 = n >= args.round_from * args.steps
        for o, rates in zip(opts, base):
            for g, lr in zip(o.param_groups, rates):
                g["lr"] = lr * rate(n, args.steps)
        loss, shown = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for o in opts:
            o.step()
            o.zero_grad()
        progress.step(n, first, shown, batch.tokens.numel())
        if args.checkpoint and ((n + 1) % 250 == 0 or n + 1 == args.steps):
            torch.save({"model": model.state_dict(), "optimizers": [o.state_dict() for o in opts], "step": n + 1}, args.checkpoint)
    model.rounding.experts = model.rounding.bf16 = True
    export(model, tokenizer, args.out)
    for skill, (whole, answer) in exact_by_skill(model, tokenizer, seed=10 ** 6, count=80).items():
        print(f"{skill:16} whole {whole:.3f}  answer {answer:.3f}", flush=True)


if __name__ == "__main__":
    main()
