"""Log-probabilities are those of Transformers' Llama with the weights mapped."""

import torch

from cases import cases
from program import assert_near, work
from reference_training import UNCLIPPED, batches, build
from transformers_llama import llama, llama_names

MODEL = {
    "n_layers": 3,
    "d_model": 32,
    "n_heads": 4,
    "n_kv_heads": 2,
    "tie_embeddings": True,
    "ffw": {"kind": "dense", "activation": "swiglu", "d_ff": 48},
}
TOLERANCE = 1e-4  # absolute, of a log-probability in fp32


@cases(
    gqa=({},),
    mha=({"n_kv_heads": 4},),
    head_dim=({"head_dim": 12},),
    untied=({"tie_embeddings": False},),
    theta_and_eps=({"rope_theta": 500.0, "norm_eps": 0.01},),
)
def test_log_probabilities(options):
    config = {"vocab_size": 90, "dtype": "fp32", "model": MODEL | options}
    weights = build(config).named_weights()
    tensors = batches(config, length=24)
    ours = work(config, tensors | weights)["logits"].log_softmax(-1)
    with torch.no_grad():
        theirs = llama(config["model"], config["vocab_size"], weights)(tensors["inputs"][0]).logits.log_softmax(-1)
    assert (ours - theirs).abs().max() <= TOLERANCE


def test_loss_and_gradients():
    model = MODEL | {"tie_embeddings": False}
    config = {"vocab_size": 64, "dtype": "fp32", "model": model, "optim": UNCLIPPED}  # 64: no padding
    weights = build(config).named_weights()
    tensors = batches(config, length=24) | {"mask": torch.ones(1, 2, 24, dtype=torch.uint8)}
    ours = work(config, tensors | weights)
    twin = llama(model, config["vocab_size"], weights)
    logits = twin(tensors["inputs"][0]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tensors["targets"][0].flatten())
    loss.backward()
    theirs = dict(twin.named_parameters())
    expected = {f"gradient.{a}": theirs[b].grad for a, b in llama_names(MODEL["n_layers"], tied=False).items()}
    assert_near(ours, {"loss": loss.detach()[None], "logits": logits.detach()} | expected, 1e-5)
