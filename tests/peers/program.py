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


def run(*command, folder=None, stdin=None):
    """Exit code, standard output and standard error."""
    done = subprocess.run([str(word) for word in command], cwd=folder, input=stdin, capture_output=True)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def peerless(*arguments, folder, stdin=None):
    """What the program prints to standard output; it must not fail."""
    code, output, complaint = run(PROGRAM, *arguments, folder=folder, stdin=stdin)
    assert code == 0, f"peerless {arguments[0]}: exit {code}: {complaint}"
    return output


def copy(source, target):
    """Reads a safetensors file with our reader and writes it with our writer. Returns exit code and complaint."""
    code, _, complaint = run(PROBE, "copy", source, target)
    return code, complaint


def write_example(path, config, tensors, comment=""):
    """A worked example (tests/support/worked_example.h); the config is JSON, which is YAML, by default of AdamW."""
    config = config | {"optim": {"kind": "adamw"} | config.get("optim", {})}
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"config": comment + json.dumps(config)})


def work(config, tensors):
    """What our code makes of a worked example: loss, logits, gradients, the model and the optimizer after its steps."""
    with tempfile.TemporaryDirectory() as folder:
        example, results = Path(folder) / "example.safetensors", Path(folder) / "results.safetensors"
        write_example(example, config, tensors)
        code, _, complaint = run(PROBE, "work", example, results)
        assert code == 0, f"peers_probe: exit {code}: {complaint}"
        return load(results)


def load(file):
    """The tensors of a file of ours, by name; rows of tables, which come in their parts, are whole, as in PyTorch."""
    return {name: t.flatten(1) if ".tables." in name else t for name, t in load_file(file).items()}


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
