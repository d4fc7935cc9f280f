"""PEER and product-key memory in plain PyTorch, by brute force: every row is scored and used for every token.

Shapes   S tokens, H heads, N = n^2 rows, K top_k, D d_model; rows of PEER [u | v], with GLU [u | w | v]
"""

import math

import torch
from torch import nn

NORM_EPS = 1e-5
MOMENTUM = 0.1


class QueryNorm(nn.Module):
    def __init__(self, kind, width):
        super().__init__()
        self.kind = kind
        if kind == "none":
            return
        self.weight = nn.Parameter(torch.empty(width))
        if kind == "rms":
            return
        self.bias = nn.Parameter(torch.empty(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_square", torch.zeros(width))
        self.register_buffer("num_commits", torch.zeros((), dtype=torch.long))

    def forward(self, q):
        """q [S, H, d_key]"""
        match self.kind:
            case "none":
                return q
            case "rms":
                return q / torch.sqrt((q * q).mean(-1, keepdim=True) + NORM_EPS) * self.weight.view(q.shape[1:])
            case "batch":
                flat = q.flatten(1)
                mean, variance = self.of_batch(flat) if self.training else self.of_past()
                normed = (flat - mean) / torch.sqrt(variance + NORM_EPS)
                return (normed * self.weight + self.bias).view(q.shape)

    def of_batch(self, flat):
        self.seen = flat.detach().mean(0), (flat.detach() ** 2).mean(0)
        mean = flat.mean(0)
        return mean, ((flat - mean) ** 2).mean(0)

    def of_past(self):
        share = 1 - (1 - MOMENTUM) ** self.num_commits.item()  # running moments start at zero
        mean = self.running_mean / share
        return mean, self.running_square / share - mean**2

    def commit(self):
        """Once per step: the newest moments enter the running ones."""
        if self.kind != "batch":
            return
        for running, newest in zip((self.running_mean, self.running_square), self.seen):
            running.copy_((1 - MOMENTUM) * running + MOMENTUM * newest)
        self.num_commits += 1


def activate(name, s):
    match name:
        case "gelu":
            return s / 2 * (1 + torch.erf(s / math.sqrt(2)))
        case "relu":
            return s.clamp(min=0)
        case "none":
            return s


class ProductKeyRouter(nn.Module):
    def __init__(self, config, rows, d_model, keys):
        super().__init__()
        self.heads, self.top_k, self.d_key = config["heads"], config["top_k"], config["d_key"]
        self.n = math.isqrt(rows)
        self.score = config.get("score", "softmax")
        self.query = nn.Linear(d_model, self.heads * self.d_key, bias=False)
        self.query_norm = QueryNorm(config.get("query_norm", "batch"), self.heads * self.d_key)
        sets = self.heads if config.get("keys", keys) == "per_head" else 1
        self.keys = nn.Parameter(torch.empty(sets, 2, self.n, self.d_key // 2))
        self.retrieved = None  # ids [S, H, K] of the newest forward pass

    def all_scores(self, tokens):
        """[S, H, N]: query halves times sub-keys, summed for every pair."""
        q = self.query_norm((tokens @ self.query.weight.T).unflatten(-1, (self.heads, self.d_key)))
        keys = self.keys.expand(self.heads, -1, -1, -1)
        first, second = (
            torch.einsum("shc,hnc->shn", half, keys[:, i]) for i, half in enumerate(q.split(self.d_key // 2, -1))
        )
        return (first[..., :, None] + second[..., None, :]).flatten(-2)

    def gates(self, best):
        match self.score:
            case "softmax":
                return best.softmax(-1)
            case "sigmoid":
                return 1 / (1 + torch.exp(-best))
            case "relu":
                return best.clamp(min=0)

    def forward(self, tokens):
        """Weights [S, N], summed over heads, zeros where a row is not chosen."""
        scores, ids = self.all_scores(tokens).sort(dim=-1, descending=True, stable=True)
        self.retrieved = ids[..., : self.top_k]
        gates = self.gates(scores[..., : self.top_k])
        weights = torch.zeros(tokens.shape[0], self.n**2, dtype=gates.dtype)
        return weights.scatter_add(1, self.retrieved.flatten(1), gates.flatten(1))


class Peer(nn.Module):
    def __init__(self, config, d_model, dense):
        """`dense` builds the dense block that may stand beside the experts."""
        super().__init__()
        self.activation, self.glu = config.get("activation", "gelu"), config.get("glu", False)
        self.router = ProductKeyRouter(config, config["num_experts"], d_model, keys="shared")
        self.shared_dense = dense(config["shared_dense"], d_model) if "shared_dense" in config else None

    def forward(self, x, table):
        tokens = x.flatten(0, 1)
        weights = self.router(tokens)
        rows = table.unflatten(1, (-1, x.shape[-1]))
        hidden = activate(self.activation, tokens @ rows[:, 0].T)
        if self.glu:
            hidden = hidden * (tokens @ rows[:, 1].T)
        y = ((weights * hidden) @ rows[:, -1]).view(x.shape)
        return y if self.shared_dense is None else y + self.shared_dense(x)


class Pkm(nn.Module):
    def __init__(self, config, d_model, linear):
        super().__init__()
        self.router = ProductKeyRouter(config, config["num_values"], d_model, keys="per_head")
        self.gate = self.output = None
        if config.get("gate", "none") == "silu":
            self.gate, self.output = linear(d_model, d_model), linear(d_model, d_model)

    def forward(self, x, table):
        y = (self.router(x.flatten(0, 1)) @ table).view(x.shape)
        if self.gate is None:
            return y
        gate = self.gate(x)
        return self.output(y * gate / (1 + torch.exp(-gate)))
