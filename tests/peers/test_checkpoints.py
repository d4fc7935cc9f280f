"""Checkpoints that the program trained: read by safetensors, they are models of others that give the same scores."""

import json
import struct
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

from cases import cases
from program import load, peerless
from reference_decoder import LanguageModel
from small_job import SEQ_LEN, STEPS, VOCAB_SIZE, train
from transformers_twins import twin

DTYPES = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64}
DENSE = {"kind": "dense", "activation": "swiglu", "d_ff": 48}
PEER = {"kind": "peer", "num_experts": 225, "heads": 3, "top_k": 5, "d_key": 6}  # odd sizes: odd places in the file
LLAMA = {"n_layers": 2, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "ffw": DENSE}
WITH_PEER = LLAMA | {"layers": [{"at": [1], "ffw": PEER}]}

TEXT = "".join(f"{i} times {i % 7} is {i * (i % 7)}.\n" for i in range(40))
BOS, EOS = 256, 257
TOLERANCE = 1e-4  # absolute, of a log-probability in fp32


def tensors_of(checkpoint, read=load):
    return {name: tensor for file in checkpoint.glob("*.safetensors") for name, tensor in read(file).items()}


def test_hold_what_the_manifest_says():
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = train(Path(folder), WITH_PEER)
        manifest = json.loads((checkpoint / "MANIFEST.json").read_text())
        tensors = tensors_of(checkpoint, read=load_file)
        (file,) = checkpoint.glob("*.safetensors")
        content = file.read_bytes()
    begin_of_data = 8 + struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8:begin_of_data]), content[begin_of_data:]
    assert tensors.keys() == {entry["name"] for entry in manifest["tensors"]}
    for name, dtype, shape in ((entry["name"], entry["dtype"], entry["shape"]) for entry in manifest["tensors"]):
        begin, end = header[name]["data_offsets"]
        assert (tensors[name].dtype, list(tensors[name].shape)) == (DTYPES[dtype], shape), name
        assert tensors[name].numpy().tobytes() == data[begin:end], name
    assert tensors["train.step"] == tensors["model.decoder.layers.1.ffw.router.query_norm.num_commits"] == STEPS


def log_probabilities_by_windows(logits_of, tokens):
    """Windows of SEQ_LEN targets that begin SEQ_LEN / 2 apart; a token counts in the first that reaches it."""
    scores = []
    for begin in range(0, len(tokens), SEQ_LEN // 2):
        window = torch.tensor(tokens[begin : begin + SEQ_LEN + 1])
        with torch.no_grad():
            log_probs = logits_of(window[None, :-1])[0].log_softmax(-1)
        of_targets = log_probs.gather(1, window[1:, None])[:, 0].tolist()
        scores += of_targets[len(scores) - begin :]
        if len(scores) == len(tokens) - 1:
            return scores


def as_llama(model, tensors):
    module = twin("llama", model, VOCAB_SIZE, tensors)
    return lambda ids: module(ids).logits


def as_reference(model, tensors):
    module = LanguageModel(model, VOCAB_SIZE)
    weights = {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
    module.load_state_dict(weights)
    return module.eval().logits


@cases(
    transformers=(as_llama, LLAMA),
    transformers_untied=(as_llama, LLAMA | {"tie_embeddings": False}),
    reference_peer=(as_reference, WITH_PEER),
)
def test_score_a_text_token_by_token(module_of, model):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logits_of = module_of(model, tensors_of(train(folder, model)))
        (folder / "text.txt").write_text(TEXT)
        peerless("eval", "--checkpoint", "runs/run", "--text", "text.txt", "--per-token", "out.jsonl", folder=folder)
        lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    tokens = [BOS, *TEXT.encode(), EOS]
    expected = log_probabilities_by_windows(logits_of, tokens)
    assert [line["position"] for line in lines] == list(range(1, len(tokens)))
    assert [line["id"] for line in lines] == tokens[1:]
    worst = max(abs(line["log_prob"] - score) for line, score in zip(lines, expected, strict=True))
    assert worst <= TOLERANCE, worst
    assert -sum(expected) / len(expected) < 4.5  # it has learned: chance is 5.5
