"""A PEER layer equals that of peer-pytorch with the weights mapped: logits, loss, every gradient."""

import torch
from PEER_pytorch import PEER
from torch import nn

from cases import cases
from program import assert_near, work
from reference_training import UNCLIPPED, batches, build

CONFIG = {
    "kind": "peer",
    "num_experts": 64,
    "heads": 3,
    "top_k": 4,
    "d_key": 12,
    "keys": "per_head",
    "query_norm": "none",
}


class PeerPytorch(nn.Module):
    """peer-pytorch's layer in the place of the reference's, with its weights. Their layouts:

    queries  rows (half, head, width), ours (head, half, width)
    keys     [head, n, half, width], ours [head, half, n, width]
    """

    def __init__(self, ours, table, config):
        super().__init__()
        self.heads, d_model = config["heads"], ours.router.query.in_features
        self.theirs = PEER(
            d_model,
            heads=self.heads,
            num_experts=config["num_experts"],
            num_experts_per_head=config["top_k"],
            dim_key=config["d_key"] // 2,
            non_competing_scores=config.get("score") == "relu",
        ).to(table.dtype)
        down, up = table.split(d_model, -1)
        query = ours.router.query.weight.unflatten(0, (self.heads, 2, -1)).transpose(0, 1).flatten(0, 2)
        with torch.no_grad():
            self.theirs.to_queries[0].weight.copy_(query)
            self.theirs.keys.copy_(ours.router.keys.transpose(1, 2))
            self.theirs.weight_down_embed.weight.copy_(down)
            self.theirs.weight_up_embed.weight.copy_(up)

    def forward(self, x, _):
        return self.theirs(x)

    def gradients(self):
        """In our names and layouts."""
        query = self.theirs.to_queries[0].weight.grad.unflatten(0, (2, self.heads, -1)).transpose(0, 1).flatten(0, 2)
        down, up = self.theirs.weight_down_embed.weight.grad, self.theirs.weight_up_embed.weight.grad
        return {
            "gradient.decoder.layers.1.ffw.router.query.weight": query,
            "gradient.decoder.layers.1.ffw.router.keys": self.theirs.keys.grad.transpose(1, 2),
            "gradient.decoder.tables.layer1.weight": torch.cat([down, up], -1),
        }


@cases(
    softmax_fp64=("fp64", {}, 1e-9),
    softmax_fp32=("fp32", {}, 1e-5),
    non_competing_fp64=("fp64", {"score": "relu", "top_k": 1}, 1e-9),  # with it theirs keeps one expert per head
)
def test_layer(dtype, options, tolerance):
    peer = CONFIG | options
    dense = {"kind": "dense", "d_ff": 20}
    model = {"n_layers": 2, "d_model": 16, "n_heads": 2, "ffw": dense, "layers": [{"at": [1], "ffw": peer}]}
    config = {"vocab_size": 50, "dtype": dtype, "model": model, "optim": UNCLIPPED}
    tensors = batches(config)
    reference = build(config)
    ours = work(config, tensors | reference.named_weights())

    layer = reference.decoder.layers[1]
    layer.ffw = PeerPytorch(layer.ffw, reference.decoder.tables["layer1"].weight, peer)
    logits = reference.logits(tensors["inputs"][0])
    loss = reference.loss(logits, tensors["targets"][0], tensors["mask"][0])
    loss.backward()
    # The rest of the model is the reference's; its own table, of which a copy was made, has no gradient.
    rest = [(name, p) for name, p in reference.named_parameters() if not (".theirs." in name or ".tables." in name)]
    gradients = {f"gradient.{name}": p.grad for name, p in rest} | layer.ffw.gradients()
    assert_near(ours, {"logits": logits.detach(), "loss": loss.detach()[None]} | gradients, tolerance)
    assert gradients.keys() == {name for name in ours if name.startswith("gradient.")}
