"""The rows of scripts/bench: what is done, in which shape, by us and by whom else.

A shape is JSON that both sides get: peerless_bench reads it as YAML (block_step.cpp, model_step.cpp), peers.py as is.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Callable

from sides import Command, Worker

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build/release"
PROGRAM = BUILD / "peerless"
ADAMW = {"kind": "adamw", "lr": 1e-3}


@dataclass
class Row:
    work: str
    ours: Callable  # starts our side
    peer: Callable
    peer_name: str
    megabytes: float = 0  # of text: its rate is shown instead of the time
    part: str = ""  # of a turn: it alone is compared
    is_cost: bool = False  # both sides are ours: what the first costs more than the second


def peerless(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: peerless {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


class Works:
    def __init__(self, folder, threads):
        self.folder, self.threads = folder, threads

    def rows(self, quick):
        few, many = (8, 2, 512), (64, 8, 128)
        yield self.peer_layer("256^2", 256**2)
        yield self.mixture(*few)
        yield self.mixture_beside_dense(*few)
        if not quick:
            yield self.mixture(*many)
            yield self.mixture_beside_dense(*many)
            yield self.peer_layer("256^2, update: dense", 256**2, {"update": "dense"})
            yield self.peer_layer("1024^2", 1024**2)
            yield self.more_experts()
            yield self.dense_model()
        yield self.first_step()
        yield self.prepare()

    def ceiling(self):
        """The fastest matrix product: what shares of the machine are shares of."""
        return self.ours("matmul", {"size": 2048})()

    def ours(self, work, shape):
        return lambda: Worker(BUILD / "peerless_bench", work, json.dumps(shape), self.threads)

    def peer(self, work, shape):
        return lambda: Worker(sys.executable, HERE / "peers.py", work, json.dumps(shape), self.threads)

    @staticmethod
    def peer_shape(num_experts, tables=None):
        peer = {"kind": "peer", "num_experts": num_experts, "heads": 8, "top_k": 16, "d_key": 128, "keys": "per_head"}
        optim = {**ADAMW, "tables": tables or {}}
        return {"batch": 4, "seq_len": 256, "d_model": 256, "ffw": peer, "optim": optim}

    def peer_layer(self, name, num_experts, tables=None):
        shape = self.peer_shape(num_experts, tables)
        return Row(
            f"step of a PEER layer, N = {name}",
            self.ours("block_step", shape),
            self.peer("peer_pytorch", shape),
            "peer-pytorch",
        )

    def more_experts(self):
        """Of ours alone: what 64 times as many experts cost."""
        return Row(
            "step of a PEER layer, N = 1024^2 beside 128^2",
            self.ours("block_step", self.peer_shape(1024**2)),
            self.ours("block_step", self.peer_shape(128**2)),
            "peerless, N = 128^2",
            is_cost=True,
        )

    def dense_model(self):
        ffw = {"kind": "dense", "activation": "swiglu", "d_ff": 1024}
        model = {"n_layers": 6, "d_model": 384, "n_heads": 6, "ffw": ffw}
        shape = {"batch": 8, "seq_len": 256, "vocab_size": 8192, "model": model, "optim": ADAMW}
        return Row(
            "step of a dense model, 6 layers, d 384",
            self.ours("model_step", shape),
            self.peer("llama", shape),
            "Transformers Llama",
        )

    @staticmethod
    def small_shape(ffw):
        model = {"n_layers": 4, "d_model": 256, "n_heads": 4, "ffw": ffw}
        return {"batch": 8, "seq_len": 128, "vocab_size": 2048, "model": model, "optim": ADAMW}

    @staticmethod
    def experts(experts, top_k, d_expert):
        losses = {"aux_loss": 0.01, "z_loss": 0}
        return {"kind": "moe", "num_experts": experts, "top_k": top_k, "d_expert": d_expert, **losses}

    def mixture(self, experts, top_k, d_expert):
        shape = self.small_shape(self.experts(experts, top_k, d_expert))
        return Row(
            f"step of a mixture, {experts} experts top-{top_k}",
            self.ours("model_step", shape),
            self.peer("mixtral", shape),
            "Transformers Mixtral",
        )

    def mixture_beside_dense(self, experts, top_k, d_expert):
        """Of ours alone: a mixture beside the dense model of its active FLOPs, balance forced."""
        ffw = {**self.experts(experts, top_k, d_expert), "route": "balanced"}
        dense = {"kind": "dense", "activation": "swiglu", "d_ff": top_k * d_expert}
        return Row(
            f"{experts} experts top-{top_k} beside dense, fwd + bwd",
            self.ours("model_step", self.small_shape(ffw)),
            self.ours("model_step", self.small_shape(dense)),
            "peerless, dense",
            part="forward and backward",
            is_cost=True,
        )

    def first_step(self):
        """`train` from its start, and a Python program that does one step of the same tiny model from its start."""
        ffw = {"kind": "dense", "activation": "swiglu", "d_ff": 64}
        model = {"n_layers": 2, "d_model": 32, "n_heads": 2, "ffw": ffw}
        text, shards, config = (self.folder / name for name in ("tiny.txt", "tiny", "tiny.yaml"))
        text.write_text("a tiny text for a tiny run\n" * 500)
        peerless("data", "prepare", "--tokenizer", "byte", "--out", shards, text)
        run = {
            "run": {"dir": str(self.folder / "runs")},
            "tokenizer": {"kind": "byte"},
            "data": {"seq_len": 32, "train": [{"path": str(shards)}]},
            "model": model,
            "train": {"global_batch_size": 8, "micro_batch_size": 8, "max_steps": 1, "threads": self.threads},
        }
        config.write_text(json.dumps(run))
        shape = {"batch": 8, "seq_len": 32, "vocab_size": 256, "model": model, "optim": ADAMW}

        def train():
            shutil.rmtree(self.folder / "runs", ignore_errors=True)
            return PROGRAM, "train", "--config", config

        def transformers():
            return sys.executable, HERE / "peers.py", "first_step", json.dumps(shape), self.threads

        return Row(
            "program start to end of first step",
            lambda: Command(train, until="step 1/1"),
            lambda: Command(transformers, until="step 1/1"),
            "Transformers Llama",
        )

    def prepare(self):
        """C++ headers to token ids on disk: the whole `data prepare`, started anew each time, beside what
        SentencePiece's Python package takes once it is loaded."""
        texts = Path(distribution("torch").locate_file("torch/include/torch"))
        model, shards, ids = (self.folder / name for name in ("4k.model", "shards", "ids"))
        peerless("tokenizer", "train", "--suffix", ".h", "--vocab-size", 4096, "--out", model, texts / "csrc/api")
        options = ("--suffix", ".h", "--tokenizer", model, "--threads", self.threads, "--out", shards)

        def prepare():
            shutil.rmtree(shards, ignore_errors=True)
            return PROGRAM, "data", "prepare", *options, texts

        megabytes = sum(file.stat().st_size for file in texts.rglob("*.h")) / 1e6
        shape = {"model": str(model), "texts": str(texts), "out": str(ids)}
        return Row(
            f"text to token ids, {megabytes:.1f} MB",
            lambda: Command(prepare),
            self.peer("sentencepiece", shape),
            "sentencepiece",
            megabytes,
        )
