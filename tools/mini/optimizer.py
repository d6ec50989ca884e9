"""Muon for the hidden matrices, Adam for everything else (embeddings, head, biases, norms, sinks, router)."""
import torch
from torch import Tensor

from model import Mini


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


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; the update has the size that Adam's would have (0.2 per element)."""

    def __init__(self, params: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalize(p.grad.lerp(m, group["momentum"]))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * 0.2 * max(p.shape[-2:]) ** 0.5)


def optimizers(model: Mini, lr: float) -> list[torch.optim.Optimizer]:
    hidden = [p for n, p in model.named_parameters() if n.startswith("layers") and "router" not in n and "bias" not in n and p.ndim >= 2]
    chosen = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    tables = [p for p in rest if p.ndim == 2 and p.shape[0] == model.config.vocab_size]
    small = [p for p in rest if all(p is not t for t in tables)]
    return [Muon(hidden, lr=lr),
            torch.optim.Adam([{"params": tables, "lr": lr}, {"params": small, "lr": lr}], betas=(0.9, 0.98), eps=1e-10, fused=True)]
