"""The program's main job on a few lines of text."""

import json

from program import peerless

SEQ_LEN = 32
VOCAB_SIZE = 258  # of the byte tokenizer
STEPS = 15


def train(folder, model, *overrides):
    """Trains `model` (as in YAML) in `folder`, run name `run`; returns the folder of its last checkpoint."""
    lines = (json.dumps({"text": f"{i} plus {i % 9} is {i + i % 9}."}) for i in range(300))
    (folder / "text.jsonl").write_text("\n".join(lines))
    peerless("data", "prepare", "--tokenizer", "byte", "--out", "train", "text.jsonl", folder=folder)
    config = {
        "tokenizer": {"kind": "byte"},
        "data": {"seq_len": SEQ_LEN, "train": [{"path": "train"}]},
        "model": model,
        "train": {"global_batch_size": 8, "micro_batch_size": 8, "max_steps": STEPS, "threads": 2},
        "optim": {"kind": "adamw", "lr": 0.01},
        "log": {"peak_tflops": 1},
    }
    (folder / "run.yaml").write_text(json.dumps(config))
    peerless("train", "--config", "run.yaml", *overrides, folder=folder)
    return folder / "runs" / "run" / "checkpoints" / f"step-{STEPS:012}"
