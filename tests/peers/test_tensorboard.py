"""TensorBoard's own reader finds in a run's events what metrics.jsonl says, once, also after a resume."""

import json
import struct
import tempfile
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from program import peerless
from small_job import STEPS, train

DENSE = {"n_layers": 1, "d_model": 16, "n_heads": 2, "ffw": {"kind": "dense", "d_ff": 16}}


def scalars(run):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def as_float(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def test_reads_what_was_measured():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder, DENSE, "log.every_steps=1", "checkpoint.every_steps=5", "train.stop_at=9")
        # A run that was killed after step 9 goes on from step 5.
        newest = folder / "runs" / "run" / "checkpoints" / "step-000000000009"
        newest.rename(folder / "gone")
        peerless("train", "--config", "run.yaml", "log.every_steps=1", "checkpoint.every_steps=5", folder=folder)
        run = folder / "runs" / "run"
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        found = scalars(run)
    assert [step for step, _ in found["train/loss"]] == list(range(1, STEPS + 1))
    for key in ("loss", "lr", "grad_norm", "tokens"):
        assert found[f"train/{key}"] == [(record["step"], as_float(record[key])) for record in records], key
    expected = [(record["step"], as_float(record["perf"]["step_time_ms"])) for record in records]
    assert found["perf/step_time_ms"] == expected
