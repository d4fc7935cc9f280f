"""Compares peerless with PyTorch, Transformers, peer-pytorch, safetensors, SentencePiece and TensorBoard:
scripts/test.sh peers.

Runs every function test_* of every test_*.py here, or those whose name holds the argument. PEERLESS_PROGRAM names the
program, beside which peers_probe lies. The last line says how it went: "N passed, N failed, N skipped".
"""

import importlib
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def tests():
    """(name, callable) of each test; one with `cases` (cases.py) counts once per case."""
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(file.stem)
        for name, test in vars(module).items():
            if not name.startswith("test_"):
                continue
            name = f"{file.stem.removeprefix('test_')}.{name.removeprefix('test_')}"
            for case, arguments in getattr(test, "cases", {"": ()}).items():
                yield (f"{name}[{case}]" if case else name), lambda: test(*arguments)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = 0
    for name, test in tests():
        if wanted not in name:
            continue
        begin = time.monotonic()
        try:
            test()
            passed += 1
            print(f"ok      {name}  {time.monotonic() - begin:.1f} s", flush=True)
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"failed: {name}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
