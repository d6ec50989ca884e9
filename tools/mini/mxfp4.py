"""MXFP4 by the OCP MX recipe: blocks of 32 share a power of two, elements are E2M1.

Shared exponent = floor(log2(max |x|)) - 2; elements to the nearest E2M1 value, ties to even, saturated at 6.
"""
import torch
from torch import Tensor

BLOCK = 32


def _scaled(w: Tensor) -> tuple[Tensor, Tensor]:
    """(..., K) -> blocks (..., K/32, 32) divided by their scale and rounded to E2M1, exponents (..., K/32)."""
    w = w.float().unflatten(-1, (-1, BLOCK))
    amax = w.abs().amax(-1)
    exponent = torch.where(amax > 0, torch.frexp(amax).exponent - 3, -127).clamp(-127, 127)
    x = torch.ldexp(w, -exponent[..., None])
    a = x.abs()
    step = torch.where(a < 2, 0.5, torch.where(a < 4, 1.0, 2.0))
    return ((a / step).round() * step).clamp(max=6.0).copysign(x), exponent


def round_mxfp4(w: Tensor) -> Tensor:
    """The values that w has after a trip through MXFP4."""
    x, exponent = _scaled(w)
    return torch.ldexp(x, exponent[..., None]).flatten(-2)


def pack_mxfp4(w: Tensor) -> tuple[Tensor, Tensor]:
    """(..., K) -> blocks (..., K/32, 16) and scales (..., K/32), both uint8, as Hugging Face stores them:
    byte j of a block holds element 2j in its low nibble and 2j + 1 in its high one."""
    x, exponent = _scaled(w)
    values = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    code = torch.bucketize(x.abs(), values) | (torch.signbit(x).long() << 3)
    return (code[..., 0::2] | (code[..., 1::2] << 4)).byte(), (exponent + 127).byte()
