"""Log-probabilities and gradients are those of Transformers' models with the same weights."""

import torch

from cases import cases
from program import assert_near, work
from reference_training import UNCLIPPED, batches, weights_of
from transformers_twins import in_their_names, twin

COMMON = {"n_layers": 2, "d_model": 32, "n_heads": 4, "n_kv_heads": 2}
SWIGLU = {"kind": "dense", "activation": "swiglu", "d_ff": 48}
MOE = {"kind": "moe", "num_experts": 6, "top_k": 2, "d_expert": 20, "aux_loss": 0, "z_loss": 0}
MODELS = {
    "llama_gqa": ("llama", {"n_layers": 3, "ffw": SWIGLU}),
    "llama_mha": ("llama", {"n_kv_heads": 4, "ffw": SWIGLU}),
    "llama_head_dim": ("llama", {"head_dim": 12, "ffw": SWIGLU}),
    "llama_untied": ("llama", {"tie_embeddings": False, "ffw": SWIGLU}),
    "llama_theta_and_eps": ("llama", {"rope_theta": 500.0, "norm_eps": 0.01, "ffw": SWIGLU}),
    "mixtral": ("mixtral", {"tie_embeddings": False, "ffw": MOE | {"normalize_top_k": True}}),
    "qwen3_moe": ("qwen3_moe", {"head_dim": 12, "qk_norm": "head", "ffw": MOE | {"top_k": 3}}),
    "olmoe": ("olmoe", {"tie_embeddings": False, "qk_norm": "full", "ffw": MOE | {"normalize_top_k": False}}),
}
LOG_PROBABILITY = 1e-4  # absolute, in fp32
GRADIENT = {"fp32": 1e-5, "fp64": 1e-9}


@cases(**{name: case for name, case in MODELS.items()})
def test_log_probabilities(kind, options):
    """With a vocabulary that we pad and they do not."""
    config = {"vocab_size": 90, "dtype": "fp32", "model": COMMON | options}
    weights = weights_of(config)
    tensors = batches(config, length=24)
    ours = work(config, tensors | weights)["logits"].log_softmax(-1)
    with torch.no_grad():
        theirs = twin(kind, config["model"], 90, weights)(tensors["inputs"][0]).logits.log_softmax(-1)
    assert (ours - theirs).abs().max() <= LOG_PROBABILITY


@cases(**{f"{name}_{dtype}": (*case, dtype) for name, case in MODELS.items() for dtype in GRADIENT})
def test_loss_and_gradients(kind, options, dtype):
    config = {"vocab_size": 64, "dtype": dtype, "model": COMMON | options, "optim": UNCLIPPED}  # 64: no padding
    weights = weights_of(config)
    tensors = batches(config, length=24) | {"mask": torch.ones(1, 2, 24, dtype=torch.uint8)}
    ours = work(config, tensors | weights)
    module = twin(kind, config["model"], 64, weights)
    logits = module(tensors["inputs"][0]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tensors["targets"][0].flatten())
    loss.backward()
    gradients = in_their_names(ours, prefix="gradient.")
    theirs = {name: parameter.grad for name, parameter in module.named_parameters()}
    assert set(gradients) == set(theirs)
    assert_near(gradients, theirs, GRADIENT[dtype])
    assert_near(ours, {"loss": loss.detach()[None], "logits": logits.detach()}, GRADIENT[dtype])
