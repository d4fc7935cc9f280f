"""The files of tests/golden are what their generator makes."""

import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from program import assert_near

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
from make import make  # noqa: E402


def test_files():
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        made, committed = ({file.name: file for file in Path(of).glob("*.safetensors")} for of in (folder, GOLDEN))
        assert made.keys() == committed.keys()
        for name, file in committed.items():
            assert safe_open(file, "pt").metadata() == safe_open(made[name], "pt").metadata()
            old, new = load_file(file), load_file(made[name])
            assert old.keys() == new.keys()
            for key, tensor in old.items():
                if not key.startswith("expected."):
                    assert torch.equal(tensor, new[key]), key
                elif tensor.is_floating_point():  # the order of sums may differ from machine to machine
                    assert_near({key: new[key]}, {key: tensor}, 1e-12 if tensor.dtype == torch.float64 else 1e-5)
