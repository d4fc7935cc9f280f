"""Times our code beside its peers; scripts/bench builds what it needs and calls it. docs/performance.md tells how to read it.

Both sides of a row are processes that stay alive and take turns, ours first: A/B/A/B. After a first turn that does not
count, each has its turns; a row tells the medians, their ratio, and the least and largest time of each side.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build/release"
PROGRAM = BUILD / "peerless"

# ---- sides -----------------------------------------------------------------------------------------------------------


class Worker:
    """A process that says "ready", then answers every line with the seconds of one more repetition."""

    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read("ready")

    def _read(self, expected):
        line = self.process.stdout.readline().strip()
        if not line.startswith(expected):
            sys.exit(f"error: {self.process.args[:2]} failed (exit {self.process.wait()}); it said: {line or 'nothing'}")
        return line

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return json.loads(self._read("{"))

    def close(self):
        """Ends it; the most bytes it ever held."""
        self.process.stdin.close()
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        return usage.ru_maxrss * 1024


class Command:
    """A program started anew for each repetition: the seconds until it prints `until`, or until it ends."""

    def __init__(self, command, until=None):
        self.command, self.until, self.peak = command, until, 0

    def run(self):
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, self.command())), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said, seconds = "", None
        for line in process.stdout:
            said += line
            if self.until and seconds is None and self.until in line:
                seconds = time.perf_counter() - begin
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.peak = max(self.peak, usage.ru_maxrss * 1024)
        if process.returncode != 0 or (self.until and seconds is None):
            sys.exit(f"error: {process.args[:2]}: exit {process.returncode}; it said: {said}")
        return {"start" if self.until else "whole": seconds or time.perf_counter() - begin}

    def close(self):
        return self.peak


# ---- rows ------------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    work: str
    ours: Callable
    peer: Callable
    peer_name: str
    megabytes: float = 0  # of text; its rate is shown instead of the time


class Bench:
    def __init__(self, folder, threads):
        self.folder, self.threads = folder, threads

    def rows(self, quick):
        yield self.peer_layer("256^2", 256**2)
        if not quick:
            yield self.peer_layer("256^2, update: dense", 256**2, tables={"update": "dense"})
            yield self.peer_layer("1024^2", 1024**2)
            yield self.llama()
        yield self.first_step()
        yield self.prepare("torch/csrc" if quick else "torch")

    def ours(self, work, shape):
        return lambda: Worker(BUILD / "peerless_bench", work, json.dumps(shape), self.threads)

    def peer(self, work, shape):
        return lambda: Worker(sys.executable, HERE / "peers.py", work, json.dumps(shape), self.threads)

    def peer_layer(self, name, num_experts, tables=None):
        shape = {
            "batch": 4,
            "seq_len": 256,
            "d_model": 256,
            "ffw": {"kind": "peer", "num_experts": num_experts, "heads": 8, "top_k": 16, "d_key": 128, "keys": "per_head"},
            "optim": {"kind": "adamw", "lr": 1e-3, "tables": tables or {}},
        }
        ours, peer = self.ours("block_step", shape), self.peer("peer_pytorch", shape)
        return Row(f"step of a PEER layer, N = {name}", ours, peer, "peer-pytorch")

    def llama(self):
        shape = {
            "batch": 8,
            "seq_len": 256,
            "vocab_size": 8192,
            "model": {"n_layers": 6, "d_model": 384, "n_heads": 6, "ffw": {"kind": "dense", "activation": "swiglu", "d_ff": 1024}},
            "optim": {"kind": "adamw", "lr": 1e-3},
        }
        ours, peer = self.ours("model_step", shape), self.peer("llama", shape)
        return Row("step of a dense model, 6 layers, d 384", ours, peer, "Transformers Llama")

    def first_step(self):
        """From the start of the program to the end of the first step of a tiny run."""
        text = self.folder / "tiny.txt"
        text.write_text("a tiny text for a tiny run\n" * 500)
        run_program("data", "prepare", "--tokenizer", "byte", "--out", self.folder / "tiny", text)
        shape = {
            "batch": 8,
            "seq_len": 32,
            "vocab_size": 256,
            "model": {"n_layers": 2, "d_model": 32, "n_heads": 2, "ffw": {"kind": "dense", "activation": "swiglu", "d_ff": 64}},
            "optim": {"kind": "adamw", "lr": 1e-3},
        }
        config = self.folder / "tiny.yaml"
        config.write_text(
            json.dumps(
                {
                    "run": {"dir": str(self.folder / "runs")},
                    "tokenizer": {"kind": "byte"},
                    "data": {"seq_len": 32, "train": [{"path": str(self.folder / "tiny")}]},
                    "model": shape["model"],
                    "train": {"global_batch_size": 8, "micro_batch_size": 8, "max_steps": 1, "threads": self.threads},
                    "optim": shape["optim"],
                }
            )
        )

        def train():
            shutil.rmtree(self.folder / "runs", ignore_errors=True)
            return PROGRAM, "train", "--config", config

        def transformers():
            return sys.executable, HERE / "peers.py", "first_step", json.dumps(shape), self.threads

        ours, peer = lambda: Command(train, "step 1/1"), lambda: Command(transformers, "step 1/1")
        return Row("program start to end of first step", ours, peer, "Transformers Llama")

    def prepare(self, headers):
        """C++ headers to token ids: ours is the whole `data prepare`, started anew each time."""
        texts = Path(importlib.metadata.distribution("torch").locate_file("torch/include")) / headers
        megabytes = sum(file.stat().st_size for file in texts.rglob("*.h")) / 1e6
        model = self.folder / "4k.model"
        run_program(*f"tokenizer train --suffix .h --vocab-size 4096 --out {model} {texts.parent}/csrc/api".split())

        def prepare():
            shutil.rmtree(self.folder / "shards", ignore_errors=True)
            return (
                *(PROGRAM, "data", "prepare", "--suffix", ".h", "--tokenizer", model, "--threads", self.threads),
                *("--out", self.folder / "shards", texts),
            )

        shape = {"model": str(model), "texts": str(texts), "out": str(self.folder / "ids")}
        ours, peer = lambda: Command(prepare), self.peer("sentencepiece", shape)
        return Row(f"text to token ids, {megabytes:.1f} MB", ours, peer, "sentencepiece", megabytes)


def run_program(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: peerless {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


# ---- measuring and telling ---------------------------------------------------------------------------------------------


def summary(name, turns, peak_bytes):
    seconds = [sum(turn.values()) for turn in turns]
    return {
        "name": name,
        "median": statistics.median(seconds),
        "min": min(seconds),
        "max": max(seconds),
        "seconds": seconds,
        "parts": {part: statistics.median(turn[part] for turn in turns) for part in turns[0]},
        "peak_bytes": peak_bytes,
    }


def measure(row, repetitions):
    sides, turns = (row.ours(), row.peer()), ([], [])
    for _ in range(1 + repetitions):
        for side, seconds in zip(sides, turns):
            seconds.append(side.run())
    ours, peer = (
        summary(name, seconds[1:], side.close()) for name, seconds, side in zip(("peerless", row.peer_name), turns, sides)
    )
    return {"work": row.work, "megabytes": row.megabytes, "ours": ours, "peer": peer, "ratio": peer["median"] / ours["median"]}


def machine(threads):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    packages = ("torch", "peer-pytorch", "transformers", "sentencepiece")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": threads,
        "dtype": "fp32",
        "load_before": os.getloadavg()[0],
        "versions": {"peerless": run_program("--version").strip(), **{p: importlib.metadata.version(p) for p in packages}},
    }


def shown(seconds, megabytes):
    if megabytes:
        return f"{megabytes / seconds:.2f} MB/s"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def spread(side, megabytes):
    ends = sorted((side["min"], side["max"]), reverse=bool(megabytes))
    return " .. ".join(shown(end, megabytes) for end in ends)


def print_row(row):
    megabytes, ours, peer = row["megabytes"], row["ours"], row["peer"]
    ours_shown, peer_shown = (shown(side["median"], megabytes) for side in (ours, peer))
    print(
        f"{row['work']:<44}{ours_shown:>10}{peer_shown:>11}  {row['ratio']:>5.2f}   "
        f"{spread(ours, megabytes)} | {spread(peer, megabytes)}"
    )
    for side in (ours, peer):
        parts = ", ".join(f"{part} {shown(seconds, 0)}" for part, seconds in side["parts"].items() if len(side["parts"]) > 1)
        print(f"  {side['name']}: {parts}{'; ' if parts else ''}peak memory {side['peak_bytes'] / 1e9:.2f} GB")
    sys.stdout.flush()


def print_machine(m):
    versions = ", ".join(f"{name} {version.removeprefix(name).strip()}" for name, version in m["versions"].items())
    print(f"{m['cpu']}, {m['cores']} cores; {m['threads']} threads, {m['dtype']}, load {m['load_before']:.1f} before; {versions}\n")
    print(f"{'work':<44}{'ours':>10}{'peer':>11}  ratio   spread: ours | peer", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()

    report = {"machine": machine(options.threads), "repetitions": options.repetitions, "rows": []}
    if not options.json:
        print_machine(report["machine"])
    with tempfile.TemporaryDirectory() as folder:
        for row in Bench(Path(folder), options.threads).rows(options.quick):
            report["rows"].append(measure(row, options.repetitions))
            if not options.json:
                print_row(report["rows"][-1])
    report["machine"]["load_after"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(report))
    else:
        print(f"\nmedians of {options.repetitions}; ratio = peer / ours; load {report['machine']['load_after']:.1f} after")


if __name__ == "__main__":
    main()
