"""Muon for the hidden matrices, Adam for everything else (embeddings, head, biases, norms, sinks, router).

The parameters are dealt out to the workers; each updates its own from the gradients of all.
"""
import torch
from torch import Tensor

from model import Mini

MOMENTUM, WEIGHT_DECAY = 0.95, 0.01
# learning rates against that of the hidden matrices
EMBEDDING, HEAD_AND_SMALL = 2.0, 0.5


def orthogonalize(g: Tensor, steps: int = 5) -> Tensor:
    """Newton-Schulz iteration towards the nearest (semi-)orthogonal matrix, batched over leading dimensions."""
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.mT if tall else x).float()


def is_hidden_matrix(name: str, p: Tensor) -> bool:
    return name.startswith("layers") and p.ndim >= 2 and "router" not in name and "bias" not in name


def gradient_memory(model: Mini, workers: int) -> Tensor:
    """One row of gradients for every worker, in shared memory."""
    return torch.zeros(workers, sum(p.numel() for p in model.parameters())).share_memory_()


class Optimizer:
    """The share of one worker. `memory`: the gradients of all workers (see gradient_memory)."""

    def __init__(self, model: Mini, lr: float, memory: Tensor, rank: int):
        self.lr, self.memory, self.rank = lr, memory, rank
        self.params = list(model.parameters())
        # deal out the matrices and the rest, each in turn to the worker with the least work so far
        load = [0.0] * len(memory)
        self.matrices: list[tuple[Tensor, slice]] = []
        self.others: list[tuple[Tensor, slice]] = []
        rates, at = [], 0
        for name, p in model.named_parameters():
            matrix = is_hidden_matrix(name, p)
            owner = load.index(min(load))
            load[owner] += p.numel() * (min(p.shape[-2:]) if matrix else 1.0)
            place = slice(at, at + p.numel())
            at += p.numel()
            if owner == rank and matrix:
                self.matrices.append((p, place))
            elif owner == rank:
                self.others.append((p, place))
                rates.append(EMBEDDING if name.startswith("embed") else HEAD_AND_SMALL)
        self.momentum = [torch.zeros_like(p) for p, _ in self.matrices]
        groups = [{"params": [p], "share": r} for (p, _), r in zip(self.others, rates)]
        self.adam = torch.optim.Adam(groups, lr=lr, betas=(0.9, 0.98), eps=1e-10, fused=True) if groups else None

    def gradients(self, loss: Tensor) -> None:
        """Backward; the gradients go to this worker's row."""
        loss.backward()
        at = 0
        for p in self.params:
            self.memory[self.rank, at:at + p.numel()] = p.grad.reshape(-1)
            at += p.numel()
            p.grad = None

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Update this worker's parameters from the mean gradient; `scale` multiplies the learning rate."""
        lr = self.lr * scale
        for (p, place), m in zip(self.matrices, self.momentum):
            g = self.memory[:, place].mean(0).view_as(p)
            m.lerp_(g, 1 - MOMENTUM)
            update = orthogonalize(g.lerp(m, MOMENTUM))
            # the size that Adam's update would have: 0.2 an element
            p.mul_(1 - lr * WEIGHT_DECAY).add_(update, alpha=-lr * 0.2 * max(p.shape[-2:]) ** 0.5)
        if self.adam is not None:
            for p, place in self.others:
                p.grad = self.memory[:, place].mean(0).view_as(p)
            for group in self.adam.param_groups:
                group["lr"] = lr * group["share"]
            self.adam.step()
            for p, _ in self.others:
                p.grad = None

    def state_dict(self) -> dict:
        return {"momentum": self.momentum, "adam": self.adam.state_dict() if self.adam else None}

    def load_state_dict(self, state: dict) -> None:
        self.momentum = state["momentum"]
        if self.adam is not None:
            self.adam.load_state_dict(state["adam"])
