"""Steps of training end where PyTorch's optimizers end: AdamW or Muon for dense parameters, SparseAdam or AdamW for
tables.

Every step has a batch of its own, so rows of a table are retrieved in some steps and not in others.
"""

from unittest.mock import patch

import torch

from cases import cases
from program import assert_near, error, work
from reference_training import batches, build, train

STEPS = 6
TOLERANCE = 1e-9
BF16_TOLERANCE = 0.1  # of the way that a matrix went
CLIPPED_TOLERANCE = 1e-7  # LibTorch's fused kernel takes the clip factor as a float, whatever the dtype of the gradient


def config_of(clip=0.0, tables={}, **optim):
    dense = {"kind": "dense", "activation": "swiglu", "d_ff": 20}
    peer = {"kind": "peer", "num_experts": 81, "heads": 2, "top_k": 2, "d_key": 8}
    model = {"n_layers": 2, "d_model": 16, "n_heads": 2, "ffw": dense, "layers": [{"at": [1], "ffw": peer}]}
    optim = {"kind": "adamw", "lr": 0.01, "grad_clip": clip, "tables": {"grad_clip": clip / 2} | tables} | optim
    return {"vocab_size": 50, "dtype": "fp64", "model": model, "optim": optim}


def as_saved(name, tensor):
    """Moments of dense parameters are saved flat."""
    flat = name.startswith("optim.") and ".tables." not in name and isinstance(tensor, torch.Tensor) and tensor.dim() > 0
    return tensor.flatten() if flat else tensor


def run(config):
    """The weights before, and all that ours and the reference make of them."""
    tensors = batches(config, STEPS, length=5)
    model = build(config)
    before = {name: tensor.clone() for name, tensor in model.named_weights().items()}
    return before, work(config, tensors | before), train(config, tensors, model)


@cases(
    touched_rows=({},),
    dense=({"tables": {"update": "dense", "weight_decay": 0.2}},),
    other_settings=({"betas": [0.8, 0.99], "eps": 1e-6, "weight_decay": 0.3, "tables": {"lr_multiplier": 5}},),
    touched_rows_clipped=({"clip": 0.05},),
    dense_clipped=({"clip": 0.05, "tables": {"update": "dense"}},),
    below_the_limit=({"clip": 1e6},),
    muon=({"kind": "muon"},),
    muon_other_settings=({"kind": "muon", "momentum": 0.5, "weight_decay": 0.3},),
    muon_clipped=({"kind": "muon", "clip": 0.05},),
)
def test_update(options):
    with patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):  # torch.optim.Muon would orthogonalize in bf16
        _, ours, reference = run(config_of(**options))
    results = {n: as_saved(n, r) for n, r in reference.items() if not n.startswith(("gradient.", "logits"))}
    assert_near(ours, results, CLIPPED_TOLERANCE if options.get("clip") == 0.05 else TOLERANCE)
    assert ours["optim.num_updates"] == STEPS


def test_muon_moves_as_in_bf16():
    before, ours, reference = run(config_of(kind="muon"))
    _, other, _ = run(config_of(kind="muon", momentum=0.5))
    for name in filter(lambda name: ".attention." in name, before):
        moved, theirs, elsewhere = (result[name] - before[name] for result in (ours, reference, other))
        assert_near({name: moved}, {name: theirs}, BF16_TOLERANCE)
        assert error(elsewhere, theirs) > BF16_TOLERANCE  # what another setting does is told apart


def test_touched_rows_leaves_all_other_rows_their_bits():
    before, ours, reference = run(config_of())
    changed = (ours["model.decoder.tables.layer1.weight"] != before["model.decoder.tables.layer1.weight"]).any(1)
    touched = (reference["optim.first.decoder.tables.layer1.weight"] != 0).any(1)
    assert torch.equal(changed, touched)
    assert 0 < changed.sum() < len(changed)
