"""What several processes cost and gain on one machine: scripts/bench --processes runs it; docs/performance.md tells how
to read it. Each row is two settings of `peerless train`, whose runs take turns. What the framework promises is checked.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import string
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/peerless"
STEPS, WARM = 20, 4

CONFIG = """
seed: 1
tokenizer: {kind: byte}
data: {seq_len: 128, train: [{path: train}]}
model: {n_layers: 6, d_model: 256, n_heads: 4, ffw: {kind: dense, activation: swiglu, d_ff: 704}}
train: {global_batch_size: 16, micro_batch_size: 4, max_steps: %d, threads: 1}
optim: {kind: adamw, lr: 1.0e-3}
schedule: {kind: constant}
checkpoint: {every_steps: 1000000}
log: {every_steps: 1, peak_tflops: 1}
""" % STEPS
MIXTURE = ["model.ffw={kind: moe, num_experts: 8, top_k: 2, d_expert: 352}"]
LARGE_TABLES = [
    "tokenizer={kind: sentencepiece, model: random.model}",
    "data.train=[{path: random}]",
    "data.seq_len=256",
    "model.n_layers=3",
    "model.d_model=128",
    "model.ffw.d_ff=352",
    "train.global_batch_size=32",
    "checkpoint.every_steps=12",
]
PEER = ["model.layers=[{at: [3], ffw: {kind: peer, num_experts: 65536, heads: 8, top_k: 16, d_key: 128}}]"]


class Run:
    """One run of several processes: the median seconds of its steps, and the most memory that a process held."""

    def __init__(self, folder, processes, settings, hosts=None):
        self.folder, self.processes, self.settings, self.hosts = folder, processes, settings, hosts
        self.seconds, self.peak = [], 0

    def turn(self):
        where = tempfile.mkdtemp(dir=self.folder)
        started = [
            subprocess.Popen(self._command(rank, where), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for rank in range(self.processes)
        ]
        for process in started:
            said = process.stdout.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                sys.exit(f"error: {' '.join(process.args)}: exit {process.returncode}: {said}")
            self.peak = max(self.peak, usage.ru_maxrss * 1024)
        records = [json.loads(line) for line in open(f"{where}/run/metrics.jsonl")]
        tokens = records[0]["tokens"]  # of a step
        self.seconds.append(statistics.median(tokens / r["perf"]["tokens_per_sec"] for r in records[WARM:]))

    def _command(self, rank, where):
        words = ["ip", "netns", "exec", self.hosts.names[rank]] if self.hosts else []
        words += [PROGRAM, "train", "--config", "run.yaml", f"run.dir={where}", "run.name=run", *self.settings]
        if self.processes == 1:
            return [str(word) for word in words]
        at = f"{self.hosts.address}:29500" if self.hosts else f"file:{where}/meet"
        local = [rank, self.processes] if not self.hosts else [0, 1]
        words += ["--rank", rank, "--world-size", self.processes, "--rendezvous", at]
        words += ["--local-rank", local[0], "--local-size", local[1]]
        return [str(word) for word in words]

    @property
    def median(self):
        return statistics.median(self.seconds)

    def told(self):
        return f"{self.median * 1e3:.0f} ms ({min(self.seconds) * 1e3:.0f} .. {max(self.seconds) * 1e3:.0f})"


def compare(turns, first, second):
    for _ in range(turns):
        first.turn()
        second.turn()


class Hosts:
    """Two network namespaces with a wire between them. Needs root."""

    address = "10.84.0.1"

    def __enter__(self):
        self.names = [f"peerless-bench-{os.getpid()}-{i}" for i in range(2)]
        for name in self.names:
            self._ip("netns", "add", name)
            self._ip("-n", name, "link", "set", "lo", "up")
        self._ip("link", "add", "eth0", "netns", self.names[0], "type", "veth", "peer", "name", "eth0", "netns", self.names[1])
        for i, name in enumerate(self.names):
            self._ip("-n", name, "address", "add", f"10.84.0.{i + 1}/24", "dev", "eth0")
            self._ip("-n", name, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_):
        for name in self.names:
            self._ip("netns", "del", name)

    def limit(self, bytes_per_second):
        for name in self.names:
            subprocess.run(
                f"tc -n {name} qdisc replace dev eth0 root tbf rate {bytes_per_second * 8:.0f}bit burst 256kb latency 100ms".split(),
                check=True,
            )

    def sent(self):
        """Bytes that left the first host so far."""
        return json.loads(self._ip("-n", self.names[0], "-s", "-j", "link", "show", "eth0"))[0]["stats64"]["tx"]["bytes"]

    @staticmethod
    def _ip(*words):
        return subprocess.run(["ip", *words], check=True, stdout=subprocess.PIPE).stdout


def processes_beside_threads(folder, turns):
    print("\nequal global batch                          1 x 2 threads   2 x 1 thread   speed")
    for name, block in ("dense", []), ("mixture, 8 experts top-2", MIXTURE), ("PEER, N = 256^2", PEER):
        one = Run(folder, 1, [*block, "train.threads=2"])
        two = Run(folder, 2, [*block, "train.threads=1"])
        compare(turns, one, two)
        speed = one.median / two.median
        print(f"{name:<44}{one.told():>24} {two.told():>24}{speed:>7.2f}", flush=True)
        promise(speed >= 0.9, f"{name}: two processes at least 0.9 times as fast as two threads")


def elastic_beside_fixed(folder, turns):
    print("\ndeterminism: elastic, 8 micro-batches of 2       run   elastic   time   memory")
    for name, block in ("dense", []), ("PEER, N = 256^2", PEER):
        settings = [*block, "train.threads=2", "train.micro_batch_size=2"]
        fixed, elastic = Run(folder, 1, settings), Run(folder, 1, [*settings, "train.determinism=elastic"])
        compare(turns, fixed, elastic)
        more = (elastic.peak - fixed.peak) / 1e6
        print(f"{name:<44}{fixed.told():>24} {elastic.told():>24}{elastic.median / fixed.median:>7.3f}  +{more:.0f} MB", flush=True)


def equal_replicas(folder, turns):
    print("\nreplicas compared                              never   every step   one in a hundred")
    for name, block in ("dense", []), ("PEER, N = 256^2", PEER):
        never = Run(folder, 2, [*block, "parallel.check_every_steps=0"])
        always = Run(folder, 2, [*block, "parallel.check_every_steps=1"])
        compare(turns, never, always)
        share = (always.median / never.median - 1) / 100
        print(f"{name:<44}{never.told():>24} {always.told():>24}  +{share:.2%}", flush=True)
        promise(share < 0.005, f"{name}: comparing replicas takes less than 0.5 % of the time")


def overlap(folder, turns):
    """On a network at which what a step sends takes as long as the step does on a fast one."""
    with Hosts() as hosts:
        settings = ["train.micro_batch_size=8"]
        fast = Run(folder, 2, settings, hosts)
        before = hosts.sent()
        fast.turn()
        sent = (hosts.sent() - before) / STEPS
        hosts.limit(sent / fast.median)
        slow = Run(folder, 2, settings, hosts)
        for _ in range(turns):
            slow.turn()
        saved = 2 - slow.median / fast.median  # of the step's and the sending's equal times, one after the other
        print("\nreduction while backward runs                  fast network   as long as a step   hidden")
        print(f"dense, {sent / 1e6:.1f} MB a step each way             {fast.told():>24} {slow.told():>24}  {saved:.0%}", flush=True)
        promise(saved >= 0.4, "at least 40 % of the smaller of computing and sending is hidden")


def memory_beside_plan(folder):
    """Text is random, as `plan` takes all rows for equally likely."""
    draw = random.Random(1)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 8))) for _ in range(300_000)]
    Path(folder, "random.txt").write_text(" ".join(words))
    run_program(folder, "tokenizer", "train", "random.txt", "--out", "random.model", "--vocab-size", "8000")
    run_program(folder, "data", "prepare", "--tokenizer", "random.model", "--out", "random", "random.txt")
    print("\nmost memory of one of 4 processes               resident       plan   beside it")
    for side, division in itertools.product((1024, 512), ([], ["parallel.zero=1"])):
        division = (["parallel.table=4"] if side == 1024 else []) + division
        peer = f"{{kind: peer, num_experts: {side * side}, heads: 8, top_k: 16, d_key: 128}}"
        settings = [*LARGE_TABLES, f"model.layers=[{{at: [1], ffw: {peer}}}]", *division]
        run = Run(folder, 4, settings)
        run.turn()
        plan = json.loads(run_program(folder, "plan", "--config", "run.yaml", "--processes", "4", "--json", *settings))
        planned = plan["memory_bytes"]["total"]
        beside = run.peak / planned - 1
        name = " ".join([f"PEER, N = {side}^2", *division])
        print(f"{name:<48}{run.peak / 1e9:>8.2f} GB{planned / 1e9:>8.2f} GB{beside:>+8.1%}", flush=True)
        promise(abs(beside) <= 0.1, f"{name}: resident memory within 10 % of plan")


def run_program(folder, *words):
    return subprocess.run([PROGRAM, *words], cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


broken = []


def promise(holds, what):
    if not holds:
        broken.append(what)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench --processes")
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "run.yaml").write_text(CONFIG)
        run_program(folder, "data", "prepare", "--tokenizer", "byte", "--out", "train", *sorted(ROOT.glob("data/corpus/*.txt")))
        processes_beside_threads(folder, turns)
        elastic_beside_fixed(folder, turns)
        equal_replicas(folder, turns)
        overlap(folder, turns)
        memory_beside_plan(folder)
    for what in broken:
        print(f"failed: {what}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
