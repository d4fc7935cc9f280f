"""Log-probabilities are those of Transformers' Llama with the weights mapped."""

import json
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

from cases import cases
from program import assert_near, peerless, work
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


TEXT = "".join(f"{i} times {i % 7} is {i * (i % 7)}.\n" for i in range(40))
SEQ_LEN = 32


def train_small_model(folder, options):
    """Trains on TEXT's like for a few steps; returns the checkpoint's tensors."""
    lines = (json.dumps({"text": f"{i} plus {i % 9} is {i + i % 9}."}) for i in range(300))
    (folder / "text.jsonl").write_text("\n".join(lines))
    peerless("data", "prepare", "--tokenizer", "byte", "--out", "train", "text.jsonl", folder=folder)
    config = {
        "tokenizer": {"kind": "byte"},
        "data": {"seq_len": SEQ_LEN, "train": [{"path": "train"}]},
        "model": MODEL | options,
        "train": {"global_batch_size": 8, "micro_batch_size": 8, "max_steps": 15, "threads": 2},
        "optim": {"kind": "adamw", "lr": 0.01},
        "log": {"peak_tflops": 1},
    }
    (folder / "run.yaml").write_text(json.dumps(config))
    peerless("train", "--config", "run.yaml", folder=folder)
    files = sorted((folder / "runs/run/checkpoints/step-000000000015").glob("*.safetensors"))
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


def log_probabilities_by_windows(twin, tokens):
    """Windows of SEQ_LEN targets that begin SEQ_LEN / 2 apart; a token counts in the first that reaches it."""
    scores = []
    for begin in range(0, len(tokens), SEQ_LEN // 2):
        window = torch.tensor(tokens[begin : begin + SEQ_LEN + 1])
        with torch.no_grad():
            log_probs = twin(window[None, :-1]).logits[0].log_softmax(-1)
        of_targets = log_probs.gather(1, window[1:, None])[:, 0].tolist()
        scores += of_targets[len(scores) - begin :]
        if len(scores) == len(tokens) - 1:
            return scores


@cases(gqa=({},), untied=({"tie_embeddings": False},))
def test_per_token_scores_of_a_trained_checkpoint(options):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = train_small_model(folder, options)
        (folder / "text.txt").write_text(TEXT)
        peerless("eval", "--checkpoint", "runs/run", "--text", "text.txt", "--per-token", "out.jsonl", folder=folder)
        lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    tokens = [256, *TEXT.encode(), 257]
    expected = log_probabilities_by_windows(llama(MODEL | options, 258, weights), tokens)
    assert [line["position"] for line in lines] == list(range(1, len(tokens)))
    assert [line["id"] for line in lines] == tokens[1:]
    worst = max(abs(line["log_prob"] - score) for line, score in zip(lines, expected, strict=True))
    assert worst <= TOLERANCE, worst
    assert -sum(expected) / len(expected) < 4.5  # it has learned: chance is 5.5
