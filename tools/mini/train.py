"""Train gossamer-mini on a CPU and write the model folder.

    train.py [--out ../../models/gossamer-mini] [--steps N] [--checkpoint FILE] ...

The defaults are the recipe of the shipped model. Every core is a worker process with one thread: it computes
the gradient of its own batch, then updates its own share of the parameters, which all workers see (shared
memory). This beats threads inside the operations, which are too small for it. A run is seeded, gives the same
model for the same number of workers, and can be resumed from its checkpoint. On a terminal it shows a
progress bar, elsewhere a line now and then.
"""
import argparse
import ctypes
import math
import os
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

import train_tokenizer
from batches import IGNORE, Batch, batches
from evaluate import exact_by_skill
from export import export
from model import Aux, Config, Mini
from optimizer import Optimizer, gradient_memory

BALANCE = 0.01
SAVE_EVERY = 500


def keep_memory() -> None:
    """Tell glibc to keep freed memory: returning it after every step costs a tenth of the time in page faults.
    (GLIBC_TUNABLES in main() asks for huge pages, another tenth.)"""
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    libc.mallopt(-1, 2 ** 31 - 1)  # M_TRIM_THRESHOLD


def rate(step: int, hold: int, steps: int, warmup: int = 60) -> float:
    """Factor of the learning rate: warm up, hold until step `hold`, then half of it, falling linearly to nothing."""
    return min((step + 1) / warmup, 1.0) if step < hold else 0.5 * (steps - step) / (steps - hold)


def loss_of(model: Mini, batch: Batch) -> tuple[Tensor, float]:
    """The loss to minimise, and the plain cross-entropy for the log."""
    aux = Aux()
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model(batch.groups, aux)
        chosen = batch.targets != IGNORE
        logits = model.logits(hidden[chosen])
    entropy = F.cross_entropy(logits.float(), batch.targets[chosen])
    return entropy + BALANCE * torch.stack(aux.balance).mean(), entropy.item()


class Progress:
    """A bar on a terminal; a line every `every` steps elsewhere."""

    def __init__(self, first: int, steps: int, every: int = 50):
        self.first, self.steps, self.every, self.start, self.tokens, self.average = first, steps, every, time.time(), 0, 0.0

    def step(self, n: int, loss: float, tokens: int) -> None:
        self.tokens += tokens
        self.average = loss if n == self.first else 0.97 * self.average + 0.03 * loss
        spent = time.time() - self.start
        left = spent / (n + 1 - self.first) * (self.steps - n - 1)
        text = f"step {n + 1}/{self.steps}  loss {self.average:.4f}  {self.tokens / spent:,.0f} tokens/s  {spent / 60:.1f} min, {left / 60:.1f} left"
        if sys.stderr.isatty():
            full = int(30 * (n + 1) / self.steps)
            print(f"\r[{'#' * full}{'.' * (30 - full)}] {text}", end="\n" if n + 1 == self.steps else "", file=sys.stderr, flush=True)
        elif (n + 1) % self.every == 0 or n + 1 == self.steps:
            print(f"{text}  cpu {sum(os.times()[:2]) / 60:.1f} min a worker", flush=True)


def work(rank: int, args: argparse.Namespace, model: Mini, barrier: Barrier, totals: Tensor, memory: Tensor) -> None:
    """One worker: gradients of its batches, updates of its share of the parameters. Shared: the model,
    totals (workers, 2): loss and tokens of the step, and the memory for gradients."""
    keep_memory()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    stream = batches(tokenizer, args.seed * 1000 + rank, args.batch, args.exercises_until, args.drills_until)
    optimizer = Optimizer(model, args.lr, memory, rank)
    saved = args.checkpoint and args.checkpoint.with_name(f"{args.checkpoint.name}.{rank}")
    first = 0
    if saved and saved.exists():
        state = torch.load(saved)
        first = state["step"]
        optimizer.load_state_dict(state["optimizer"])
        for _ in range(first):
            next(stream)
    progress = Progress(first, args.steps)
    for n in range(first, args.steps):
        batch = next(stream)
        loss, entropy = loss_of(model, batch)
        totals[rank, 0], totals[rank, 1] = entropy, batch.tokens
        optimizer.gradients(loss)
        barrier.wait()
        if rank == 0:
            progress.step(n, totals[:, 0].mean().item(), int(totals[:, 1].sum().item()))
        optimizer.step(rate(n, args.hold, args.steps), rounded=n + 1 >= args.round_from)
        barrier.wait()
        if saved and ((n + 1) % SAVE_EVERY == 0 or n + 1 == args.steps):
            torch.save({"step": n + 1, "optimizer": optimizer.state_dict()}, saved)
            if rank == 0:
                torch.save(model.state_dict(), args.checkpoint)
            barrier.wait()


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=here.parents[1] / "models" / "gossamer-mini")
    parser.add_argument("--steps", type=int, default=6500)
    parser.add_argument("--hold", type=int, default=400, help="the step from which the learning rate falls")
    parser.add_argument("--batch", type=int, default=1000, help="tokens of one worker's batch")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lr", type=float, default=5e-3, help="of the hidden matrices; see optimizer.py for the others")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--intermediate", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--round-from", type=int, default=4300, help="the step from which MXFP4 and BF16 rounding are on")
    parser.add_argument("--exercises-until", type=int, default=4300, help="the step until which two thirds of a batch are bare exercises")
    parser.add_argument("--drills-until", type=int, default=400, help="the step until which copying drills are mixed in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokenizer", type=Path, help="folder of a trained tokenizer (default: train one into --out)")
    parser.add_argument("--checkpoint", type=Path, help=f"save here every {SAVE_EVERY} steps, and resume from here")
    args = parser.parse_args()

    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")  # for the workers
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    if args.tokenizer is None:
        train_tokenizer.write(args.out)
        args.tokenizer = args.out
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    vocab = math.ceil(tokenizer.get_vocab_size() / 64) * 64
    model = Mini(Config(vocab, args.hidden, args.intermediate, args.layers, num_local_experts=args.experts))
    if args.checkpoint and args.checkpoint.exists():
        model.load_state_dict(torch.load(args.checkpoint))
    model.share_memory()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, vocabulary {vocab}", flush=True)
    barrier, totals = mp.get_context("spawn").Barrier(args.workers), torch.zeros(args.workers, 2).share_memory_()
    mp.spawn(work, (args, model, barrier, totals, gradient_memory(model, args.workers)), nprocs=args.workers)
    export(model, tokenizer, args.out)
    torch.set_num_threads(args.workers)
    for skill, (whole, answer) in exact_by_skill(model, tokenizer, seed=10 ** 6, count=60).items():
        print(f"{skill:16} whole {whole:.3f}  answer {answer:.3f}", flush=True)


if __name__ == "__main__":
    main()
