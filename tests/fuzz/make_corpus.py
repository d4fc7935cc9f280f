#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/TARGET/NAME from tests/fuzz/inputs/TARGET.py: for each fuzz target valid inputs, and those
that once were a fault or might become one.

The same bytes each time. What a fuzzer finds is added to the inputs, in the smallest form that shows it.
"""

import importlib
import shutil
from pathlib import Path

from inputs import LARGEST

HERE = Path(__file__).parent

shutil.rmtree(HERE / "corpus", ignore_errors=True)
for module in sorted((HERE / "inputs").glob("[!_]*.py")):
    folder = HERE / "corpus" / module.stem
    folder.mkdir(parents=True)
    for name, content in importlib.import_module(f"inputs.{module.stem}").inputs():
        path = folder / name
        assert not path.exists(), f"{path} twice"
        path.write_bytes(content[:LARGEST])
