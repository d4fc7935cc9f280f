"""Mixtures of experts in plain PyTorch, by brute force: every expert is run for every token.

Shapes   S tokens, E experts, K top_k, F inner width, D d_model
"""

import torch
from torch import nn


class Experts(nn.Module):
    def __init__(self, experts, width, d_model, activation, dense):
        """`dense` is the activation of a dense block: (kind, gate x or None, up x) -> hidden."""
        super().__init__()
        self.activation, self.hidden = activation, dense
        if activation in ("swiglu", "geglu"):
            self.gate = nn.Parameter(torch.empty(experts, width, d_model))
        self.up = nn.Parameter(torch.empty(experts, width, d_model))
        self.down = nn.Parameter(torch.empty(experts, d_model, width))

    def forward(self, x, weights):
        """x [S, D], weights [S, E] with zeros where an expert is not chosen."""
        y = torch.zeros_like(x)
        for e in range(self.up.shape[0]):
            gate = x @ self.gate[e].T if hasattr(self, "gate") else None
            y = y + weights[:, e, None] * (self.hidden(self.activation, gate, x @ self.up[e].T) @ self.down[e].T)
        return y


class Moe(nn.Module):
    def __init__(self, config, d_model, linear, norm, hidden, dense):
        super().__init__()
        if "expansion" in config:
            self.top_k, experts = config["granularity"], config["expansion"] * config["granularity"]
            width = config["d_ff"] // config["granularity"]
        else:
            self.top_k, experts, width = config["top_k"], config["num_experts"], config["d_expert"]
        activation = config.get("activation", "swiglu")
        self.sigmoid = config.get("score", "softmax") == "sigmoid"
        self.normalize = config.get("normalize_top_k", self.top_k > 1)
        self.scale = config.get("route_scale", 1)
        self.aux_coefficient, self.z_coefficient = config.get("aux_loss", 0.01), config.get("z_loss", 0.001)
        self.rate = config.get("bias_update_rate", 0)
        self.router = linear(d_model, experts)
        self.experts = Experts(experts, width, d_model, activation, hidden)
        self.shared_experts = self.post_norm = None
        if shared := config.get("shared_experts", 0):
            self.shared_experts = dense({"activation": activation, "d_ff": shared * width}, d_model)
        if config.get("post_norm"):
            self.post_norm = norm(d_model, 1e-5)
        if self.rate:
            self.register_buffer("bias", torch.zeros(experts))

    def forward(self, x):
        tokens = x.flatten(0, 1)
        logits = self.router(tokens)
        scores = 1 / (1 + torch.exp(-logits)) if self.sigmoid else logits.softmax(-1)
        biased = scores + self.bias if self.rate else scores
        chosen = torch.zeros_like(scores)
        chosen.scatter_(1, biased.sort(dim=-1, descending=True, stable=True).indices[:, : self.top_k], 1)
        weights = chosen * scores
        if self.normalize:
            weights = weights / weights.sum(-1, keepdim=True)
        y = self.experts(tokens, self.scale * weights).view(x.shape)
        if self.shared_experts is not None:
            y = y + self.shared_experts(x)
        self.load = chosen.sum(0).detach()
        shares = scores / scores.sum(-1, keepdim=True)
        balance = scores.shape[1] * (self.load / self.load.sum() * shares.mean(0)).sum()
        z = (logits.exp().sum(-1).log() ** 2).mean()
        self.aux_loss = self.aux_coefficient * balance + self.z_coefficient * z
        return y if self.post_norm is None else self.post_norm(y)

    def commit(self):
        if self.rate:
            self.bias += self.rate * torch.sign(self.load.mean() - self.load)


class HashMoe(nn.Module):
    def __init__(self, config, d_model, layer, hidden):
        super().__init__()
        self.count, self.layer = config["num_experts"], layer
        activation = config.get("activation", "swiglu")
        self.experts = Experts(self.count, config["d_expert"], d_model, activation, hidden)
        self.ids = None  # [B, T], of the batch that comes

    def expert_of(self, token):
        """A mixer of 32-bit numbers."""
        h = (token * 0x5BD1E995 + (self.layer + 1) * 0x27D4EB2F) % 2**32
        h = (h ^ h >> 15) * 0x2C1B3C6D % 2**32
        h = (h ^ h >> 12) * 0x297A2D39 % 2**32
        return (h ^ h >> 15) % self.count

    def forward(self, x):
        tokens = x.flatten(0, 1)
        experts = [self.expert_of(token) for token in self.ids.flatten().tolist()]
        weights = torch.nn.functional.one_hot(torch.tensor(experts), self.count).to(x.dtype)
        return self.experts(tokens, weights).view(x.shape)
