"""gpt-oss in PyTorch, small and trainable on a CPU.

The arithmetic is the real model's: sinks, alternating windows, YaRN, top-4 experts with the clamped
SwiGLU. The weights are used as they are: the optimizer (optimizer.py) keeps them rounded to what will be stored.
Parameter names follow the Hugging Face layout where one exists, so that export.py is a short walk.
"""
import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
class Aux:
    """What a forward pass leaves behind for the loss: the load-balance term of every layer."""
    balance: list[Tensor] = field(default_factory=list)


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


def linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    """A linear layer, outputs of about the size of the inputs at the start."""
    layer = nn.Linear(n_in, n_out, bias)
    nn.init.normal_(layer.weight, std=n_in ** -0.5)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


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


# distances that heads of the first layers look back from the start, and how sharply. (3.0 blurs neighbours: a sum's
# digits are then learned as near misses, 6 for 7.)
LOOK_BACK = {0: (0, 1, 2, 3, 4, 5, 6), 1: (1, 2, 3)}
LOOK_PAIRS, LOOK_STRENGTH = 4, 6.0


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

    def __init__(self, c: Config, layer: int):
        super().__init__()
        assert c.num_key_value_heads == 1, "the training code shares one KV head among all query heads"
        self.c, self.window = c, c.sliding_window if layer % 2 == 0 else None
        h, d = c.num_attention_heads, c.head_dim
        self.q_proj = linear(c.hidden_size, h * d)
        self.k_proj = linear(c.hidden_size, d)
        self.v_proj = linear(c.hidden_size, d)
        self.o_proj = linear(h * d, c.hidden_size)
        self.sinks = nn.Parameter(torch.zeros(h))
        nn.init.normal_(self.o_proj.weight, std=(h * d) ** -0.5 / (2 * c.num_hidden_layers) ** 0.5)
        if layer in LOOK_BACK:
            look_back(self, LOOK_BACK[layer])

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q (B, T, H, D); k, v (B, S, D) -> (B * T, H * D)."""
        b, t, h, d = q.shape
        mask = causal_mask(t, k.shape[1], self.window, v.dtype)
        return SinkAttention.apply(q.reshape(b, t * h, d), k, v, self.sinks, mask).view(b * t, h * d)

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

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        e, h, i = c.num_local_experts, c.hidden_size, c.intermediate_size
        self.router = linear(h, e)
        self.gate_up_proj = nn.Parameter(torch.randn(e, 2 * i, h) * h ** -0.5)
        self.gate_up_proj_bias = nn.Parameter(torch.zeros(e, 2 * i))
        self.down_proj = nn.Parameter(torch.randn(e, h, i) * i ** -0.5 / (2 * c.num_hidden_layers) ** 0.5)
        self.down_proj_bias = nn.Parameter(torch.zeros(e, h))

    def gates_then_ups(self) -> tuple[Tensor, ...]:
        """gate_up and its bias with the gates before the ups (the stored rows interleave: 2i is gate i, 2i + 1 is up i)."""
        return tuple(p.unflatten(1, (-1, 2)).transpose(1, 2).flatten(1, 2) for p in (self.gate_up_proj, self.gate_up_proj_bias))

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
        gate_up, gate_up_bias = self.gates_then_ups()
        rows = x.index_select(0, token)
        split = counts.tolist()
        h = torch.cat([F.linear(r, gate_up[n], gate_up_bias[n]) for n, r in enumerate(rows.split(split))])
        h = SwiGLU.apply(h)
        y = torch.cat([F.linear(r, self.down_proj[n], self.down_proj_bias[n]) for n, r in enumerate(h.split(split))])
        y = y * weight.index_select(0, order)[:, None].to(y.dtype)
        return torch.zeros_like(x).index_add(0, token, y.to(x.dtype))


class Layer(nn.Module):
    def __init__(self, c: Config, layer: int):
        super().__init__()
        self.input_layernorm = Norm(c.hidden_size)
        self.self_attn = Attention(c, layer)
        self.post_attention_layernorm = Norm(c.hidden_size)
        self.mlp = Experts(c)

    def forward(self, x: Tensor, layout: Layout, aux: Aux) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), layout)
        return x + self.mlp(self.post_attention_layernorm(x), aux)


class Mini(nn.Module):
    """Groups of rows that share a prefix -> hidden states; `logits` is separate because training wants it on few positions."""

    def __init__(self, c: Config):
        super().__init__()
        self.config = c
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        nn.init.normal_(self.embed_tokens.weight, std=1.0)
        self.layers = nn.ModuleList(Layer(c, n) for n in range(c.num_hidden_layers))
        self.norm = Norm(c.hidden_size)
        self.lm_head = linear(c.hidden_size, c.vocab_size, bias=False)

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
