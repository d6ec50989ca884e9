"""The two hot, memory-bound pieces of the training step, with hand-written backward passes.

On a CPU the step is bound by passes over memory as much as by matrix products; autograd's version of
sink attention and of the clamped SwiGLU makes about three times as many passes as these do.
"""
import torch
from torch import Tensor

SWIGLU_LIMIT, SWIGLU_ALPHA = 7.0, 1.702


class SinkAttention(torch.autograd.Function):
    """softmax([q k^T + mask, sink]) without the sink's column, times v.

    q (B, T*H, D) already scaled, the heads of a token side by side; k, v (B, S, D); sink (H,); mask (T, S), 0 or
    -inf. One KV head: the H query heads share the products. Returns (B, T*H, D).
    """

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, sink: Tensor, mask: Tensor) -> Tensor:
        b, (t, span) = len(q), mask.shape
        s = (q @ k.transpose(1, 2)).view(b, t, -1, span).add_(mask[:, None])
        top = s.amax(-1)
        p = s.softmax(-1).view(b, -1, span)
        # sum(exp(s - top)) = 1 / max(p), so the share of the sink needs no second pass over s
        lse = top.float() - p.amax(-1).view_as(top).float().log()
        share = torch.sigmoid(lse - sink).view(b, -1, 1)
        out = (p @ v).mul_(share.to(q.dtype))
        ctx.save_for_backward(q, k, v, p, share, out)
        ctx.heads = len(sink)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):
        q, k, v, p, share, out = ctx.saved_tensors
        delta = (grad * out).sum(-1, keepdim=True, dtype=torch.float32)
        low = share.to(q.dtype)
        grad_v = p.transpose(1, 2) @ (grad * low)
        ds = (grad @ v.transpose(1, 2)).sub_(delta.to(q.dtype)).mul_(p)
        grad_q = (ds @ k).mul_(low)
        grad_k = ds.transpose(1, 2) @ (q * low)
        grad_sink = -((1 - share) * delta).view(-1, ctx.heads).sum(0)
        return grad_q, grad_k, grad_v, grad_sink, None


class SwiGLU(torch.autograd.Function):
    """(up + 1) * gate * sigmoid(1.702 gate) with gate <= 7 and -7 <= up <= 7; input (N, 2I): gates, then ups."""

    @staticmethod
    def forward(ctx, h: Tensor) -> Tensor:
        ctx.save_for_backward(h)
        gate, up = h.chunk(2, -1)
        gate = gate.clamp(max=SWIGLU_LIMIT)
        up = up.clamp(-SWIGLU_LIMIT, SWIGLU_LIMIT)
        return torch.sigmoid(gate * SWIGLU_ALPHA).mul_(gate).mul_(up.add_(1))

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (h,) = ctx.saved_tensors
        out = torch.empty_like(h)
        (raw_gate, raw_up), (grad_gate, grad_up) = h.chunk(2, -1), out.chunk(2, -1)
        gate = raw_gate.clamp(max=SWIGLU_LIMIT)
        sig = torch.sigmoid(gate * SWIGLU_ALPHA)
        act = gate * sig
        torch.mul(grad, act, out=grad_up)
        grad_up.mul_(raw_up.abs() <= SWIGLU_LIMIT)
        # d(gate * sig) = sig + alpha * act * (1 - sig)
        slope = (1 - sig).mul_(act).mul_(SWIGLU_ALPHA).add_(sig)
        torch.mul(slope, raw_up.clamp(-SWIGLU_LIMIT, SWIGLU_LIMIT).add_(1), out=grad_gate)
        grad_gate.mul_(grad).mul_(raw_gate <= SWIGLU_LIMIT)
        return out
