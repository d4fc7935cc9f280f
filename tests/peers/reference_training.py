"""Trains a reference model on a worked example by PyTorch's own optimizers, and gives what our probe gives.

Dense parameters: torch.optim.AdamW, decay on matrices alone; or torch.optim.Muon on matrices. Tables:
torch.optim.SparseAdam on the rows that were retrieved, or AdamW on all. Both are clipped by norms of their own.
"""

import math

import torch
from torch import optim
from torch.nn.utils import clip_grad_norm_

from reference_decoder import LanguageModel

torch.sparse.check_sparse_tensor_invariants.enable()

DTYPES = {"fp32": torch.float32, "fp64": torch.float64, "bf16": torch.float32}
UNCLIPPED = {"grad_clip": 0, "tables": {"grad_clip": 0}}
NOT_DECAYED = ("norm", "embedding", "head.", "router")


def batches(config, steps=1, rows=2, length=9, seed=1):
    """Random ids; about a fifth of the targets is masked."""
    generator = torch.Generator().manual_seed(seed)
    shape = (steps, rows, length)
    ids = torch.randint(config["vocab_size"], (2, *shape), generator=generator)
    mask = (torch.rand(shape, generator=generator) < 0.8).to(torch.uint8)
    return {"inputs": ids[0], "targets": ids[1], "mask": mask}


def build(config, seed=1):
    return LanguageModel(config["model"], config["vocab_size"]).initialize(seed).to(DTYPES[config["dtype"]])


def weights_of(config):
    return build(config).named_weights()


def optimizers_of(model, config):
    settings = {"kind": "adamw", "lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1, "momentum": 0.95}
    settings |= config.get("optim", {})
    tables = {"lr_multiplier": 2, "weight_decay": 0, "update": "touched_rows"} | settings.get("tables", {})
    common = {"betas": tuple(settings["betas"]), "eps": settings["eps"]}
    dense = {name: p for name, p in model.named_parameters() if ".tables." not in name}
    matrices = [p for name, p in dense.items() if not any(part in name for part in NOT_DECAYED)]
    others = [p for name, p in dense.items() if any(part in name for part in NOT_DECAYED)]
    rates = {"lr": settings["lr"], "weight_decay": settings["weight_decay"]}
    result = [optim.AdamW(others, lr=settings["lr"], weight_decay=0, **common)]
    if settings["kind"] == "muon":
        result.append(optim.Muon(matrices, momentum=settings["momentum"], adjust_lr_fn="match_rms_adamw", **rates))
    else:
        result.append(optim.AdamW(matrices, **rates, **common))
    if rows := list(model.decoder.tables.parameters()):
        rate = settings["lr"] * tables["lr_multiplier"]
        if tables["update"] == "touched_rows":
            result.append(optim.SparseAdam(rows, lr=rate, **common))
        else:
            result.append(optim.AdamW(rows, lr=rate, weight_decay=tables["weight_decay"], **common))
    return result


def clip(model, config):
    """Returns the norms before clipping, of dense parameters and of tables."""
    settings = config.get("optim", {})
    tables = list(model.decoder.tables.parameters())
    dense = [p for name, p in model.named_parameters() if ".tables." not in name]
    limits = settings.get("grad_clip", 1), settings.get("tables", {}).get("grad_clip", 1)
    return [clip_grad_norm_(some, limit or math.inf).item() for some, limit in zip((dense, tables), limits)]


def make_sparse(model):
    """A table's gradient becomes that of the retrieved rows alone, whatever their values: what SparseAdam updates."""
    for name, table in model.decoder.tables.items():
        users = [layer.ffw for layer, of in zip(model.decoder.layers, model.decoder.table_of) if of == name]
        rows = torch.cat([ffw.router.retrieved.flatten() for ffw in users]).unique()
        values = table.weight.grad[rows]
        table.weight.grad = torch.sparse_coo_tensor(rows[None], values, table.weight.shape)


def train(config, tensors, model=None):
    """The results of tests/support/worked_example.h, as tensors by name."""
    model = model or build(config)
    optimizers = optimizers_of(model, config)
    results, losses, norms = {}, [], []
    for ids, targets, mask in zip(tensors["inputs"], tensors["targets"], tensors["mask"]):
        model.zero_grad()
        logits = model.logits(ids)
        loss = model.loss(logits, targets, mask)
        (loss + model.aux_loss()).backward()
        losses.append(loss.item())
        results = {f"gradient.{name}": p.grad.clone() for name, p in model.named_parameters()}
        results["logits"] = logits.detach()
        norms.append(clip(model, config))
        if any(isinstance(some, optim.SparseAdam) for some in optimizers):
            make_sparse(model)
        for optimizer in optimizers:
            optimizer.step()
        for module in model.modules():
            if hasattr(module, "commit"):
                module.commit()
    model.eval()
    with torch.no_grad():
        results["evaluated_logits"] = model.logits(tensors["inputs"][-1])
    results["loss"] = torch.tensor(losses, dtype=torch.float64)
    results["grad_norm"], results["table_grad_norm"] = torch.tensor(norms, dtype=torch.float64).T
    return results | model.named_weights() | moments(model, optimizers)


def moments(model, optimizers):
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        f"optim.{ours}.{names[id(p)]}": state[theirs]
        for optimizer in optimizers
        for p, state in optimizer.state.items()
        for ours, theirs in (("first", "exp_avg"), ("second", "exp_avg_sq"), ("momentum", "momentum_buffer"))
        if theirs in state
    }
