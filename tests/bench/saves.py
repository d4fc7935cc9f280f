"""What saving costs: scripts/bench --saves runs it. configs/quickstart.yaml without saves, and with one every 20 steps
that training waits for, or that goes on beside it; their runs take turns. Exit 1 where saves slow training down by 5 %,
or one beside it holds it up for 5 % of a step.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/peerless"
STEPS, WARM, EVERY = 70, 5, 20
SAVES = range(EVERY, STEPS, EVERY)
MOST = 0.05


class Run:
    """Milliseconds a step takes with what it waits for, and those of them that saves hold it up, of each turn."""

    def __init__(self, *settings):
        self.settings, self.steps, self.pauses = settings, [], []

    def turn(self, folder):
        where = tempfile.mkdtemp(dir=folder)
        command = [PROGRAM, "train", "--config", "configs/quickstart.yaml", f"run.dir={where}", "run.name=run",
                   f"train.max_steps={STEPS}", "eval.every_steps=0", "log.every_steps=1", *self.settings]  # fmt: skip
        done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"error: {command}: exit {done.returncode}: {done.stderr}")
        records = [json.loads(line)["perf"] for line in open(f"{where}/run/metrics.jsonl")][WARM:]
        self.steps.append(statistics.mean(r["step_time_ms"] + r["save_ms"] for r in records))
        self.pauses.append(sum(r["save_ms"] for r in records) / len(SAVES))


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench --saves")
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    if not Path(ROOT, "data/work/cpp-train").exists():
        sys.exit("error: data/work/cpp-train: is not there; scripts/quickstart.sh makes it")
    every = f"checkpoint.every_steps={EVERY}"
    runs = {
        "no save": Run("checkpoint.every_steps=1000000"),
        "sync": Run(every, "checkpoint.mode=sync"),
        "async": Run(every, "checkpoint.mode=async"),
    }
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turns):
            for run in runs.values():
                run.turn(folder)
    usual, good = runs["no save"].steps, True
    print(f"\na save every {EVERY} steps        a step in the mean   beside no save   a save's pause   in steps")
    for name, run in runs.items():
        step, pause = statistics.median(run.steps), statistics.median(run.pauses)
        slower = statistics.median(mine / theirs for mine, theirs in zip(run.steps, usual)) - 1
        share = pause / statistics.median(usual)
        print(f"{name:<28}{step:>14.0f} ms {slower:>15.1%} {pause:>13.0f} ms {share:>11.1%}")
        good = good and slower < MOST and (name == "sync" or share < MOST)
    sys.exit(0 if good else f"error: that is {MOST:.0%} or more")


if __name__ == "__main__":
    main()
