"""Runs the program and its probe."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

PROGRAM = Path(os.environ.get("PEERLESS_PROGRAM", "build/release/peerless")).resolve()
PROBE = PROGRAM.parent / "peers_probe"


def peerless(*arguments, folder, stdin=None):
    """What the program prints to standard output; an error when it fails."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=folder, input=stdin, capture_output=True)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"peerless {' '.join(map(str, arguments))}: exit {done.returncode}: {said}"
    return done.stdout.decode()


def copy(source, target):
    """Reads a safetensors file with our reader and writes it with our writer. Returns exit code and complaint."""
    done = subprocess.run([PROBE, "copy", source, target], capture_output=True)
    return done.returncode, done.stderr.decode(errors="replace")


def write_example(path, config, tensors, comment=""):
    """A worked example (tests/support/worked_example.h); the config is JSON, which is YAML."""
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"config": comment + json.dumps(config)})


def work(config, tensors):
    """What our code makes of a worked example: loss, logits, gradients, the model and the optimizer after its steps."""
    with tempfile.TemporaryDirectory() as folder:
        example, results = Path(folder) / "example.safetensors", Path(folder) / "results.safetensors"
        write_example(example, config, tensors)
        done = subprocess.run([PROBE, "work", example, results], capture_output=True)
        said = done.stderr.decode(errors="replace")
        assert done.returncode == 0, f"peers_probe: exit {done.returncode}: {said}"
        return load_file(results)


def error(ours, reference):
    """|ours - reference| / |reference| in the 2-norm; 0 when both are zero."""
    assert ours.shape == reference.shape, f"shapes {tuple(ours.shape)} and {tuple(reference.shape)}"
    difference = (ours.double() - reference.double()).norm().item()
    return difference / reference.double().norm().item() if difference else 0.0


def assert_near(ours, reference, tolerance):
    """Both are tensors by name: every one of the reference must be in ours, with at most that error."""
    for name, expected in reference.items():
        found = error(ours[name], torch.as_tensor(expected))
        assert found <= tolerance, f"{name}: relative error {found:.3g} above {tolerance:g}"
