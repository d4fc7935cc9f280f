"""Steps of training end where PyTorch's optimizers end: AdamW for dense parameters, SparseAdam or AdamW for tables.

Every step has a batch of its own, so rows of a table are retrieved in some steps and not in others.
"""

import torch

from cases import cases
from program import assert_near, work
from reference_training import batches, build, train

STEPS = 6
# LibTorch's fused kernel takes the clip factor as a float, which the moments of dense parameters show.
TOLERANCE, MOMENT_TOLERANCE = 1e-9, 1e-7


def config_of(dtype="fp64", **optim):
    dense = {"kind": "dense", "activation": "swiglu", "d_ff": 20}
    peer = {"kind": "peer", "num_experts": 81, "heads": 2, "top_k": 2, "d_key": 8}
    model = {"n_layers": 2, "d_model": 16, "n_heads": 2, "ffw": dense, "layers": [{"at": [1], "ffw": peer}]}
    return {"vocab_size": 50, "dtype": dtype, "model": model, "optim": {"lr": 0.01} | optim}


def run(config):
    tensors = batches(config, STEPS, length=5)
    model = build(config)
    before = {name: tensor.clone() for name, tensor in model.named_weights().items()}
    return before, work(config, tensors | before), train(config, tensors, model)


@cases(
    unclipped=({"grad_clip": 0, "tables": {"grad_clip": 0}},),
    clipped=({"grad_clip": 0.05, "tables": {"grad_clip": 0.02}},),
    other_settings=({"betas": [0.8, 0.99], "eps": 1e-6, "weight_decay": 0.3, "tables": {"lr_multiplier": 5}},),
    dense_tables=({"tables": {"update": "dense", "weight_decay": 0.2}},),
    dense_tables_clipped=({"tables": {"update": "dense", "grad_clip": 0.02}},),
)
def test_update(optim):
    config = config_of(**optim)
    _, ours, reference = run(config)
    assert_near(ours, {name: t for name, t in reference.items() if name.startswith(("loss", "grad_norm", "table_grad_norm", "model."))}, TOLERANCE)
    assert_near(ours, {name: t for name, t in reference.items() if name.startswith("optim.")}, MOMENT_TOLERANCE)
    assert ours["optim.num_updates"] == STEPS


def test_touched_rows_leaves_all_other_rows_their_bits():
    before, ours, reference = run(config_of())
    name = "model.decoder.tables.layer1.weight"
    changed = (ours[name] != before[name]).any(1)
    touched = (reference["optim.first.decoder.tables.layer1.weight"] != 0).any(1)
    assert torch.equal(changed, touched)
    assert 0 < changed.sum() < len(changed)
