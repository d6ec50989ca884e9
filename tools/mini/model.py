"""gpt-oss in PyTorch, small and trainable on a CPU.

The arithmetic is the real model's: sinks, alternating windows, YaRN, top-4 experts with the clamped
SwiGLU. Expert weights pass through the MXFP4 rounding they will be stored in (straight-through), the
other weights through BF16, each behind a switch (`Rounding`) that the training schedule turns on.
Parameter names follow the Hugging Face layout where one exists, so that export.py is a short walk.
"""
import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mxfp4 import round_mxfp4
from ops import SinkAttention, SwiGLU

ROPE_THETA, ROPE_FACTOR, ORIGINAL_CONTEXT = 150000.0, 32.0, 4096
RMS_EPS = 1e-5


@dataclass
class Config:
    """Shape of the model. What is not here is fixed by the architecture (see the constants above)."""
    vocab_size: int
    hidden_size: int = 256
    intermediate_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 8
    num_key_value_heads: int = 1
    head_dim: int = 64
    num_local_experts: int = 8
    experts_per_token: int = 4
    sliding_window: int = 128


@dataclass
class Rounding:
    """Which roundings the forward pass applies; shared by all modules of one model."""
    experts: bool = False
    bf16: bool = False


@dataclass
class Aux:
    """What a forward pass leaves behind for the loss: the load-balance term of every layer."""
    balance: list[Tensor] = field(default_factory=list)


def ste(x: Tensor, rounded: Tensor) -> Tensor:
    """`rounded` in the forward pass, the identity in the backward pass."""
    return x + (rounded - x).detach()


def yarn_tables(length: int, head_dim: int) -> tuple[Tensor, Tensor]:
    """cos and sin, (length, head_dim / 2), with YaRN's blend of frequencies and its factor on both."""
    half = head_dim // 2
    freq = ROPE_THETA ** (torch.arange(half, dtype=torch.float64) * 2 / head_dim)

    def corner(rotations: float) -> float:
        return half * math.log(ORIGINAL_CONTEXT / (rotations * 2 * math.pi)) / math.log(ROPE_THETA)

    low, high = max(corner(32.0), 0.0), min(corner(1.0), head_dim - 1)
    keep = 1 - ((torch.arange(half, dtype=torch.float64) - low) / (high - low)).clamp(0, 1)
    inv = keep / freq + (1 - keep) / (ROPE_FACTOR * freq)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * inv
    gain = 0.1 * math.log(ROPE_FACTOR) + 1
    return (angle.cos() * gain).float(), (angle.sin() * gain).float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding on (..., T, D); pairs are (i, i + D/2)."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Linear(nn.Linear):
    """A linear layer whose weights pass through BF16 when the schedule says so."""

    def __init__(self, n_in: int, n_out: int, rounding: Rounding, bias: bool = True):
        super().__init__(n_in, n_out, bias)
        self.rounding = rounding
        nn.init.normal_(self.weight, std=n_in ** -0.5)
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        w, b = self.weight, self.bias
        if self.rounding.bf16:
            w = ste(w, w.bfloat16().float())
            b = b if b is None else ste(b, b.bfloat16().float())
        return F.linear(x, w, b)


class Norm(nn.Module):
    """RMSNorm with a weight."""

    def __init__(self, n: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, RMS_EPS)


@dataclass
class Span:
    """Where one group of rows lies among the flat tokens: a prefix of P tokens that all rows share, then B rows of T."""
    start: int
    prefix: int
    rows: int
    length: int

    @property
    def stop(self) -> int:
        return self.start + self.prefix + self.rows * self.length


class Layout:
    """The groups of a batch laid out one after another, with the position of every token."""

    def __init__(self, groups: list[tuple[Tensor, Tensor]], c: Config):
        self.spans, start, positions, tokens, answer = [], 0, [], [], []
        for prefix, rows in groups:
            span = Span(start, len(prefix), *rows.shape)
            self.spans.append(span)
            start = span.stop
            tokens += [prefix, rows.reshape(-1)]
            positions += [torch.arange(span.prefix), (span.prefix + torch.arange(span.length)).repeat(span.rows)]
            answer += [torch.zeros(span.prefix, dtype=torch.bool), torch.ones(rows.numel(), dtype=torch.bool)]
        self.tokens, self.in_rows = torch.cat(tokens), torch.cat(answer)
        position = torch.cat(positions)
        cos, sin = yarn_tables(int(position.max()) + 1, c.head_dim)
        self.cos, self.sin = cos[position][:, None], sin[position][:, None]


# distances that heads of the first layers look at from the start
LOOK_BACK = {0: (1, 2, 3, 4), 1: (1, 2)}
LOOK_PAIRS, LOOK_STRENGTH = 4, 3.0


@torch.no_grad()
def look_back(attention: "Attention", distances: tuple[int, ...]) -> None:
    """Start the first heads as looking a fixed distance back: copying needs such heads, and finding them takes
    a third of a short run. The fastest rotary pairs carry only a bias, turned by the distance in the query."""
    half, d = attention.c.head_dim // 2, attention.c.head_dim
    cos, sin = yarn_tables(max(distances) + 1, d)
    for i in range(LOOK_PAIRS):
        for proj, heads in ((attention.q_proj, attention.c.num_attention_heads), (attention.k_proj, 1)):
            for h in range(heads):
                proj.weight[[h * d + i, h * d + i + half]] = 0
        attention.k_proj.bias[i] = LOOK_STRENGTH
        for h, distance in enumerate(distances):
            turn = (cos[distance, i], -sin[distance, i])
            attention.q_proj.bias[[h * d + i, h * d + i + half]] = LOOK_STRENGTH * torch.stack(turn) / cos[0, 0]


def causal_mask(queries: int, keys: int, window: int | None, dtype: torch.dtype) -> Tensor:
    """(queries, keys), 0 where the last `queries` of `keys` positions may look, -inf elsewhere."""
    distance = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)[None]
    hidden = distance < 0
    if window is not None:
        hidden |= distance >= window
    return torch.zeros(queries, keys, dtype=dtype).masked_fill_(hidden, float("-inf"))


class Attention(nn.Module):
    """Grouped-query attention (one KV head) with a sink logit per query head and, on even layers, a window."""

    def __init__(self, c: Config, layer: int, rounding: Rounding):
        super().__init__()
        assert c.num_key_value_heads == 1, "the training code shares one KV head among all query heads"
        self.c, self.window = c, c.sliding_window if layer % 2 == 0 else None
        h, d = c.num_attention_heads, c.head_dim
        self.q_proj = Linear(c.hidden_size, h * d, rounding)
        self.k_proj = Linear(c.hidden_size, d, rounding)
        self.v_proj = Linear(c.hidden_size, d, rounding)
        self.o_proj = Linear(h * d, c.hidden_size, rounding)
        self.sinks = nn.Parameter(torch.zeros(h))
        nn.init.normal_(self.o_proj.weight, std=(h * d) ** -0.5 / (2 * c.num_hidden_layers) ** 0.5)
        if layer in LOOK_BACK:
            look_back(self, LOOK_BACK[layer])

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q (B, T, H, D); k, v (B, S, D) -> (B * T, H * D)."""
        b, t, h, d = q.shape
        mask = causal_mask(t, k.shape[1], self.window, v.dtype)
        o = SinkAttention.apply(q.transpose(1, 2).reshape(b, h * t, d), k, v, self.sinks, mask)
        return o.view(b, h, t, d).transpose(1, 2).reshape(b * t, h * d)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        d, scale = self.c.head_dim, self.c.head_dim ** -0.5
        v = self.v_proj(x)
        q = rotate(self.q_proj(x).view(len(x), -1, d), layout.cos * scale, layout.sin * scale).to(v.dtype)
        k = rotate(self.k_proj(x).view(len(x), 1, d), layout.cos, layout.sin).to(v.dtype)[:, 0]
        out = []
        for s in layout.spans:
            first = s.start + s.prefix
            shape = (s.rows, s.length, -1)
            kr, vr = k[first:s.stop].view(shape), v[first:s.stop].view(shape)
            if s.prefix:
                kp, vp = k[s.start:first][None], v[s.start:first][None]
                out.append(self._attend(q[s.start:first][None], kp, vp))
                kr = torch.cat((kp.expand(s.rows, -1, -1), kr), 1)
                vr = torch.cat((vp.expand(s.rows, -1, -1), vr), 1)
            out.append(self._attend(q[first:s.stop].view(s.rows, s.length, -1, d), kr, vr))
        return self.o_proj(torch.cat(out))


class Experts(nn.Module):
    """The router and its experts. Tokens are sorted by expert, so each expert is two matrix products."""

    def __init__(self, c: Config, rounding: Rounding):
        super().__init__()
        self.c, self.rounding = c, rounding
        e, h, i = c.num_local_experts, c.hidden_size, c.intermediate_size
        self.router = Linear(h, e, rounding)
        self.gate_up_proj = nn.Parameter(torch.randn(e, 2 * i, h) * h ** -0.5)
        self.gate_up_proj_bias = nn.Parameter(torch.zeros(e, 2 * i))
        self.down_proj = nn.Parameter(torch.randn(e, h, i) * i ** -0.5 / (2 * c.num_hidden_layers) ** 0.5)
        self.down_proj_bias = nn.Parameter(torch.zeros(e, h))

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """gate_up, its bias, down as the forward pass uses them: rounded, and gates before ups
        (the stored rows interleave: 2i is gate i, 2i + 1 is up i)."""
        gate_up, bias, down = self.gate_up_proj, self.gate_up_proj_bias, self.down_proj
        if self.rounding.experts:
            gate_up = ste(gate_up, round_mxfp4(gate_up.detach()))
            down = ste(down, round_mxfp4(down.detach()))
        gate_up = gate_up.unflatten(1, (-1, 2)).transpose(1, 2).flatten(1, 2)
        return gate_up, bias.unflatten(1, (-1, 2)).transpose(1, 2).flatten(1, 2), down

    def forward(self, x: Tensor, aux: Aux) -> Tensor:
        k, e = self.c.experts_per_token, self.c.num_local_experts
        logits = self.router(x)
        top, index = logits.topk(k, -1)
        weight = top.softmax(-1).reshape(-1)
        flat = index.reshape(-1)
        order = flat.argsort(stable=True)
        counts = torch.bincount(flat, minlength=e)
        aux.balance.append(e * (counts / flat.numel() * logits.softmax(-1).mean(0)).sum())
        token = order // k
        gate_up, gate_up_bias, down = self.weights()
        rows = x.index_select(0, token)
        split = counts.tolist()
        h = torch.cat([F.linear(r, gate_up[n], gate_up_bias[n]) for n, r in enumerate(rows.split(split))])
        h = SwiGLU.apply(h)
        y = torch.cat([F.linear(r, down[n], self.down_proj_bias[n]) for n, r in enumerate(h.split(split))])
        y = y * weight.index_select(0, order)[:, None].to(y.dtype)
        return torch.zeros_like(x).index_add(0, token, y.to(x.dtype))


class Layer(nn.Module):
    def __init__(self, c: Config, layer: int, rounding: Rounding):
        super().__init__()
        self.input_layernorm = Norm(c.hidden_size)
        self.self_attn = Attention(c, layer, rounding)
        self.post_attention_layernorm = Norm(c.hidden_size)
        self.mlp = Experts(c, rounding)

    def forward(self, x: Tensor, layout: Layout, aux: Aux) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), layout)
        return x + self.mlp(self.post_attention_layernorm(x), aux)


class Mini(nn.Module):
    """Groups of rows that share a prefix -> hidden states; `logits` is separate because training wants it on few positions."""

    def __init__(self, c: Config):
        super().__init__()
        self.config, self.rounding = c, Rounding()
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        nn.init.normal_(self.embed_tokens.weight, std=1.0)
        self.layers = nn.ModuleList(Layer(c, n, self.rounding) for n in range(c.num_hidden_layers))
        self.norm = Norm(c.hidden_size)
        self.lm_head = Linear(c.hidden_size, c.vocab_size, self.rounding, bias=False)

    def forward(self, groups: list[tuple[Tensor, Tensor]], aux: Aux | None = None) -> Tensor:
        """groups: (prefix (P,), rows (B, T)). Returns the hidden states of all rows, flat: (sum of B * T, hidden)."""
        aux = aux if aux is not None else Aux()
        layout = Layout(groups, self.config)
        x = self.embed_tokens(layout.tokens)
        for layer in self.layers:
            x = layer(x, layout, aux)
        return self.norm(x[layout.in_rows])

    def logits(self, hidden: Tensor) -> Tensor:
        return self.lm_head(hidden)
