"""The decoder in plain PyTorch, from its definition alone and without regard for speed.

Written for tests, from the formulas in the headers; it shares no code with peerless. Configs are dicts as in YAML, and
parameters have the names of a checkpoint ("model.decoder.layers.0.attention.q.weight").

Shapes   B batch, T tokens, D d_model, H heads, C head width, V vocabulary
"""

import math

import torch
from torch import nn

from reference_experts import HashMoe, Moe
from reference_peer import Peer, Pkm

ROUND_VOCAB_TO = 64


class Linear(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def forward(self, x):
        return x @ self.weight.T


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(width))

    def forward(self, x):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(x, theta):
    """x [B, H, T, C]: the pair (i, i + C/2) at position p is turned by p / theta^(2i / C)."""
    length, width = x.shape[-2:]
    position, pair = (torch.arange(n, dtype=torch.float64) for n in (length, width // 2))
    angle = position[:, None] / theta ** (2 * pair / width)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., : width // 2], x[..., width // 2 :]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Attention(nn.Module):
    def __init__(self, model):
        super().__init__()
        d, eps = model["d_model"], model.get("norm_eps", 1e-5)
        self.heads = model["n_heads"]
        self.kv_heads = model.get("n_kv_heads", self.heads)
        self.width = model.get("head_dim", d // self.heads)
        self.theta = model.get("rope_theta", 10000)
        self.qk_norm = model.get("qk_norm", "none")
        self.q = Linear(d, self.heads * self.width)
        self.k = Linear(d, self.kv_heads * self.width)
        self.v = Linear(d, self.kv_heads * self.width)
        self.o = Linear(self.heads * self.width, d)
        if self.qk_norm != "none":
            self.q_norm = RmsNorm(self.width if self.qk_norm == "head" else self.heads * self.width, eps)
            self.k_norm = RmsNorm(self.width if self.qk_norm == "head" else self.kv_heads * self.width, eps)

    def heads_of(self, flat, norm=None):
        """[B, T, H C] -> [B, H, T, C]"""
        if self.qk_norm == "full" and norm:
            flat = norm(flat)
        split = flat.unflatten(-1, (-1, self.width))
        if self.qk_norm == "head" and norm:
            split = norm(split)
        return split.transpose(1, 2)

    def forward(self, x):
        normed = self.qk_norm != "none"
        q = rotate(self.heads_of(self.q(x), self.q_norm if normed else None), self.theta)
        k = rotate(self.heads_of(self.k(x), self.k_norm if normed else None), self.theta)
        v = self.heads_of(self.v(x))
        shared = [head * self.kv_heads // self.heads for head in range(self.heads)]  # key head of each query head
        scores = q @ k[:, shared].transpose(-1, -2) / math.sqrt(self.width)
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(future, -math.inf).softmax(-1) @ v[:, shared]
        return self.o(mixed.transpose(1, 2).flatten(2))


def gelu(x):
    return x / 2 * (1 + torch.erf(x / math.sqrt(2)))


def silu(x):
    return x / (1 + torch.exp(-x))


def hidden(activation, gate, up):
    """What stands between the matrices of a dense block."""
    match activation:
        case "gelu":
            return gelu(up)
        case "relu2":
            return up.clamp(min=0) ** 2
        case "swiglu":
            return silu(gate) * up
        case "geglu":
            return gelu(gate) * up


class Dense(nn.Module):
    def __init__(self, config, d_model):
        super().__init__()
        self.activation = config.get("activation", "swiglu")
        self.gate = Linear(d_model, config["d_ff"]) if self.activation in ("swiglu", "geglu") else None
        self.up = Linear(d_model, config["d_ff"])
        self.down = Linear(config["d_ff"], d_model)

    def forward(self, x):
        return self.down(hidden(self.activation, self.gate and self.gate(x), self.up(x)))


class Table(nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, width))


class Layer(nn.Module):
    def __init__(self, model, ffw):
        super().__init__()
        d, eps = model["d_model"], model.get("norm_eps", 1e-5)
        self.attention_norm, self.ffw_norm = RmsNorm(d, eps), RmsNorm(d, eps)
        self.attention, self.ffw = Attention(model), ffw

    def forward(self, h, table):
        h = h + self.attention(self.attention_norm(h))
        x = self.ffw_norm(h)
        return h + (self.ffw(x) if table is None else self.ffw(x, table.weight))


class Decoder(nn.Module):
    def __init__(self, model, vocab_size):
        super().__init__()
        d = model["d_model"]
        rows = -(-vocab_size // ROUND_VOCAB_TO) * ROUND_VOCAB_TO
        self.embedding = nn.Parameter(torch.empty(rows, d))
        self.layers, self.tables = nn.ModuleList(), nn.ModuleDict()
        self.table_of = []  # each layer's
        for i in range(model["n_layers"]):
            config = next((some["ffw"] for some in model.get("layers", []) if i in some["at"]), model.get("ffw"))
            table = config.get("table", f"layer{i}") if config["kind"] in ("peer", "pkm") else None
            match config["kind"]:
                case "dense":
                    ffw = Dense(config, d)
                case "moe":
                    ffw = Moe(config, d, Linear, RmsNorm, hidden, Dense)
                case "hash_moe":
                    ffw = HashMoe(config, d, i, hidden)
                case "pkm":
                    ffw = Pkm(config, d, Linear)
                    self.tables[table] = Table(config["num_values"], d)
                case "peer":
                    ffw = Peer(config, d, Dense)
                    self.tables[table] = Table(config["num_experts"], (3 if config.get("glu") else 2) * d)
            self.layers.append(Layer(model, ffw))
            self.table_of.append(table)
        self.final_norm = RmsNorm(d, model.get("norm_eps", 1e-5))

    def forward(self, ids):
        h = self.embedding[ids]
        for layer, table in zip(self.layers, self.table_of):
            layer.ffw.ids = ids
            h = layer(h, self.tables[table] if table else None)
        return self.final_norm(h)


class LanguageModel(nn.Module):
    def __init__(self, model, vocab_size):
        super().__init__()
        self.vocab_size = vocab_size
        self.softcap, self.z_loss = model.get("logit_softcap", 0), model.get("z_loss", 0)
        self.decoder = Decoder(model, vocab_size)
        self.head = None
        if not model.get("tie_embeddings", True):
            self.head = Table(*self.decoder.embedding.shape)

    def initialize(self, seed):
        """Weights at which every part matters: norms off 1, biases off 0, scores apart. Representable in fp32."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                if "norm" in name:
                    parameter.copy_(0.3 * noise + (0 if name.endswith("bias") else 1))
                else:
                    parameter.copy_(noise if name == "decoder.embedding" else noise / math.sqrt(parameter.shape[-1]))
        return self

    def logits(self, ids):
        weight = self.decoder.embedding if self.head is None else self.head.weight
        z = self.decoder(ids) @ weight[: self.vocab_size].T
        return self.softcap * torch.tanh(z / self.softcap) if self.softcap else z

    def loss(self, logits, targets, mask):
        """Mean over unmasked tokens of log-sum-exp - logit of the target + z_loss * log-sum-exp^2."""
        log_sum = logits.exp().sum(-1).log()
        losses = log_sum - logits.gather(-1, targets[..., None])[..., 0] + self.z_loss * log_sum**2
        return (losses * mask).sum() / mask.sum()

    def aux_loss(self):
        """What the blocks add to the loss of the newest forward pass."""
        return sum(layer.ffw.aux_loss for layer in self.decoder.layers if hasattr(layer.ffw, "aux_loss"))

    def named_weights(self):
        """Parameters and buffers under the names of a checkpoint."""
        return {f"model.{name}": tensor for name, tensor in self.state_dict().items()}
