"""Makes the files of this folder: worked examples (tests/support/worked_example.h) and what PyTorch makes of them.

scripts/setup.sh --dev brings the environment; then, from the root of the repository:

    "$(. scripts/lib/common.sh && cached dev)"/bin/python tests/golden/make.py [FOLDER]

    llama          a Llama by Transformers, fp32
    decoder        the options of attention and head, by tests/peers/reference_decoder.py, fp64
    peer           PEER by brute force, fp64, three steps with torch.optim.AdamW and SparseAdam
    peer_options   two layers that share a gated table, with the options of PEER, fp64, three steps with AdamW alone

tests/train/golden_test.cpp compares our code with them; tests/peers checks that they are what this program makes.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))

from program import write_example  # noqa: E402
from reference_training import UNCLIPPED, batches, build, train  # noqa: E402
from transformers_twins import in_their_names, twin  # noqa: E402

MADE_WITH = f"# tests/golden/make.py, torch {version('torch')}, transformers {version('transformers')}\n"
SMALL = {"n_layers": 2, "d_model": 8, "n_heads": 2}


def example(dtype, model, optim=UNCLIPPED, vocab_size=20):
    return {"vocab_size": vocab_size, "dtype": dtype, "model": SMALL | model, "optim": optim}


def write(folder, name, config, tensors, weights, expected):
    weights = {name: weight.float() for name, weight in weights.items() if weight.is_floating_point()}  # made in fp32
    results = {f"expected.{name}": tensor for name, tensor in expected.items()}
    write_example(folder / f"{name}.safetensors", config, tensors | weights | results, MADE_WITH)


def by_transformers(folder):
    ffw = {"kind": "dense", "activation": "swiglu", "d_ff": 12}
    config = example("fp32", {"n_heads": 4, "n_kv_heads": 2, "ffw": ffw})
    tensors = batches(config)
    weights = build(config).named_weights()
    module = twin("llama", config["model"], config["vocab_size"], weights)
    logits = module(tensors["inputs"][0]).logits
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tensors["targets"][0].flatten(), reduction="none")
    mask = tensors["mask"][0].flatten()
    loss = (losses * mask).sum() / mask.sum()
    loss.backward()
    theirs = dict(module.named_parameters())
    names = in_their_names({name: name for name in weights})  # ours by theirs
    gradients = {ours.replace("model.", "gradient.", 1): theirs[name].grad for name, ours in names.items()}
    embedding = gradients["gradient.decoder.embedding"]
    padded = torch.zeros_like(weights["model.decoder.embedding"])
    padded[: len(embedding)] = embedding
    gradients["gradient.decoder.embedding"] = padded
    write(folder, "llama", config, tensors, weights, {"logits": logits, "loss": loss[None]} | gradients)


def by_reference(folder, name, config, steps, expected):
    tensors = batches(config, steps)
    model = build(config)
    weights = {name: weight.clone() for name, weight in model.named_weights().items()}
    results = train(config, tensors, model)
    write(folder, name, config, tensors, weights, {name: r for name, r in results.items() if name.startswith(expected)})


def make(folder):
    torch.set_num_threads(1)
    by_transformers(folder)

    options = {"n_heads": 4, "n_kv_heads": 2, "head_dim": 6, "qk_norm": "full", "tie_embeddings": False}
    head = {"logit_softcap": 3.0, "z_loss": 0.01, "ffw": {"kind": "dense", "activation": "geglu", "d_ff": 6}}
    by_reference(folder, "decoder", example("fp64", options | head), 1, ("loss", "logits", "gradient."))

    peer = {"kind": "peer", "num_experts": 25, "heads": 2, "top_k": 3, "d_key": 6}
    model = {"layers": [{"at": [1], "ffw": peer}], "ffw": {"kind": "dense", "activation": "relu2", "d_ff": 6}}
    results = ("loss", "evaluated_logits", "gradient.", "model.")
    by_reference(folder, "peer", example("fp64", model, UNCLIPPED | {"lr": 0.01}), 3, results)

    peer |= {"keys": "per_head", "query_norm": "rms", "score": "sigmoid", "activation": "relu", "glu": True}
    model = {"ffw": peer | {"table": "pool", "shared_dense": {"activation": "gelu", "d_ff": 4}}}
    tables = {"update": "dense", "weight_decay": 0.1, "grad_clip": 0.5}
    config = example("fp64", model, {"lr": 0.01, "grad_clip": 0, "tables": tables})
    by_reference(folder, "peer_options", config, 3, ("loss", "logits", "model."))

    moe = {"kind": "moe", "num_experts": 5, "top_k": 2, "d_expert": 4, "score": "sigmoid", "shared_experts": 1}
    moe |= {"bias_update_rate": 0.125, "aux_loss": 0.1, "z_loss": 0.01, "route_scale": 1.5, "post_norm": True}
    hashed = {"kind": "hash_moe", "num_experts": 3, "d_expert": 4, "activation": "gelu"}
    model = {"layers": [{"at": [0], "ffw": moe}, {"at": [1], "ffw": hashed}]}
    by_reference(folder, "mixtures", example("fp64", model, UNCLIPPED | {"lr": 0.01}), 3, results)

    pkm = {"kind": "pkm", "num_values": 25, "heads": 2, "top_k": 3, "d_key": 6, "gate": "silu", "table": "pool"}
    by_reference(folder, "memory", example("fp64", {"ffw": pkm}, UNCLIPPED | {"lr": 0.01}), 3, results)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
