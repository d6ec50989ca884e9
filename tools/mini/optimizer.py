"""Muon for the hidden matrices, Adam for everything else (embeddings, head, biases, norms, sinks, router).

The parameters are dealt out to the workers; each updates its own from the gradients of all.
"""
from dataclasses import dataclass

import torch
from torch import Tensor

from model import Mini
from mxfp4 import round_mxfp4

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


def stored(name: str, w: Tensor) -> Tensor:
    """The values that a parameter has once it is in the file: MXFP4 for the expert matrices, BF16 for the rest."""
    return round_mxfp4(w) if name.endswith(("mlp.gate_up_proj", "mlp.down_proj")) else w.bfloat16().float()


@dataclass
class Share:
    """A parameter that this worker updates: the exact value is kept here, the model holds the rounded one, so that
    gradients are taken at the weights that will be used (straight through the rounding)."""
    name: str
    used: Tensor
    exact: Tensor
    place: slice  # in the gradient memory


class Optimizer:
    """The shares of one worker. `memory`: the gradients of all workers (see gradient_memory)."""

    def __init__(self, model: Mini, lr: float, memory: Tensor, rank: int):
        self.lr, self.memory, self.rank = lr, memory, rank
        self.params = list(model.parameters())
        self.matrices: list[Share] = []
        self.others: list[Share] = []
        # deal the parameters out, each in turn to the worker with the least work so far
        load, at = [0.0] * len(memory), 0
        for name, p in model.named_parameters():
            matrix = is_hidden_matrix(name, p)
            owner = load.index(min(load))
            load[owner] += p.numel() * (min(p.shape[-2:]) if matrix else 1.0)
            if owner == rank:
                (self.matrices if matrix else self.others).append(Share(name, p, p.detach().clone(), slice(at, at + p.numel())))
            at += p.numel()
        self.momentum = [torch.zeros_like(s.exact) for s in self.matrices]
        groups = [{"params": [s.exact], "share": EMBEDDING if s.name.startswith("embed") else HEAD_AND_SMALL} for s in self.others]
        self.adam = torch.optim.Adam(groups, lr=lr, betas=(0.9, 0.98), eps=1e-10, fused=True) if groups else None

    def gradients(self, loss: Tensor) -> None:
        """Backward; the gradients go to this worker's row."""
        loss.backward()
        at = 0
        for p in self.params:
            self.memory[self.rank, at:at + p.numel()] = p.grad.reshape(-1)
            at += p.numel()
            p.grad = None

    def _mean_gradient(self, s: Share) -> Tensor:
        return self.memory[:, s.place].mean(0).view_as(s.exact)

    @torch.no_grad()
    def step(self, scale: float, rounded: bool) -> None:
        """Update this worker's parameters; `scale` multiplies the learning rate, `rounded`: as they will be stored."""
        lr = self.lr * scale
        for s, m in zip(self.matrices, self.momentum):
            g = self._mean_gradient(s)
            m.lerp_(g, 1 - MOMENTUM)
            update = orthogonalize(g.lerp(m, MOMENTUM))
            # the size that Adam's update would have: 0.2 an element
            s.exact.mul_(1 - lr * WEIGHT_DECAY).add_(update, alpha=-lr * 0.2 * max(s.exact.shape[-2:]) ** 0.5)
        if self.adam is not None:
            for s, group in zip(self.others, self.adam.param_groups):
                s.exact.grad = self._mean_gradient(s)
                group["lr"] = lr * group["share"]
            self.adam.step()
        for s in self.matrices + self.others:
            s.used.copy_(stored(s.name, s.exact) if rounded else s.exact)

    def state_dict(self) -> dict:
        return {"momentum": self.momentum, "adam": self.adam.state_dict() if self.adam else None, "exact": [s.exact for s in self.matrices + self.others]}

    def load_state_dict(self, state: dict) -> None:
        self.momentum = state["momentum"]
        if self.adam is not None:
            self.adam.load_state_dict(state["adam"])
        for s, exact in zip(self.matrices + self.others, state["exact"]):
            s.exact.data.copy_(exact)
