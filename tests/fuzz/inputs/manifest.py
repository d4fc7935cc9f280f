"""MANIFEST.json but for its last line, which the target adds."""

import json

from . import FILE_NAMES


def manifest_text(**changes):
    digest = "0123456789abcdef" * 2
    members = {
        "format": "peerless checkpoint",
        "version": 2,
        "step": 100,
        "run": "r1",
        "program": "0.1.0",
        "tokenizer": digest,
        "data": digest,
        "data_sources": ["train[0]: a"],
        "config": "run: {name: a}\n",
        "files": [{"name": "state-00000-of-00001.safetensors", "bytes": 100, "xxh3_128": digest, "blocks": "0" * 16}],
        "tensors": [
            {"name": "w", "dtype": "F32", "shape": [4, 3], "slices": [{"file": 0, "offset": [0, 0], "extent": [4, 3]}]},
            {"name": "step", "dtype": "I64", "shape": [], "slices": [{"file": 0, "offset": [], "extent": []}]},
        ],
    }
    members.update(changes)
    body = ",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in members.items())
    return ("{" + body + ",\n").encode()


def inputs():
    digest = "0123456789abcdef" * 2

    def file(name="a.safetensors", size=1, blocks="0" * 16):
        return {"name": name, "bytes": size, "xxh3_128": digest, "blocks": blocks}

    def tensor(shape, *boxes, dtype="U8", name="t"):
        slices = [{"file": 0, "offset": offset, "extent": extent} for offset, extent in boxes]
        return manifest_text(tensors=[{"name": name, "dtype": dtype, "shape": shape, "slices": slices}])

    yield "valid", manifest_text()
    yield "valid_bare", manifest_text(files=[], tensors=[], data_sources=[])
    yield "valid_version_1", manifest_text(version=1, files=[{"name": "a", "bytes": 1, "xxh3_128": digest}])
    yield "valid_slices", tensor([4, 4], ([0, 0], [2, 4]), ([2, 0], [2, 1]), ([2, 1], [2, 3]))
    yield "valid_two_blocks", manifest_text(files=[file(size=2**20 + 1, blocks="0f" * 16)])
    yield "version_3", manifest_text(version=3)
    yield "version_0", manifest_text(version=0)
    yield "version_2_63", manifest_text(version=2**63)
    yield "step_below_0", manifest_text(step=-1)
    yield "step_2_63_less_1", manifest_text(step=2**63 - 1)
    yield "more_members", manifest_text(more=1)
    yield "fewer_members", b'{"version": 2,\n'
    yield "no_object", b"[1,\n"
    yield "nothing", b""
    for name, size, blocks in [
        ("2_63", 2**63 - 1, ""),
        ("2_64", 2**64 - 1, ""),
        ("0", 0, ""),
        ("short", 2**20 + 1, "0" * 16),
        ("odd", 1, "0" * 17),
        ("no_digits", 1, "x" * 16),
        ("sign", 1, "-" + "0" * 15),
        ("0x", 1, "0x" + "0" * 14),
    ]:
        yield f"blocks_{name}", manifest_text(files=[file(size=size, blocks=blocks)])
    yield "file_twice", manifest_text(files=[file(), file()])
    yield "tensor_twice", manifest_text(tensors=[{"name": "t", "dtype": "U8", "shape": [0], "slices": []}] * 2)
    yield "hole", tensor([4], ([0], [1]), ([2], [2]))
    yield "overlap", tensor([4], ([0], [3]), ([1], [1]))
    yield "too_many", tensor([1], *([([0], [1])] * 30))
    yield "outside", tensor([4], ([4], [1]), ([0], [4]))
    yield "extent_overflow", tensor([4], ([1], [2**63 - 1]))
    yield "no_such_file", manifest_text(files=[])
    yield "other_rank", tensor([4, 1], ([0], [4]))
    yield "shape_overflow", tensor([2**62, 2], ([0, 0], [2**62, 2]))
    yield "shape_zero_first", tensor([0, 2**62, 2**62], ([0, 0, 0], [0, 2**62, 2**62]))
    yield "shape_zero_last", tensor([2**31, 2**31, 0], ([0, 0, 0], [2**31, 2**31, 0]))
    yield "slice_overflow", tensor([2**62, 2**62, 0], ([0, 0, 0], [2**62, 2**62, 0]))
    yield "slices_wrap", tensor([0, 2**62, 2**62], ([0, 2**62, 2**62], [0, 0, 0]), ([0, 0, 0], [0, 1, 2**62]))
    yield "long_tensor_name", tensor([1], name="n" * 3000)
    yield "long_tensor_name_of_controls", tensor([1], name="\u0001" * 500)
    yield "long_digest", manifest_text(tokenizer="0" * 3000)
    yield "long_file_name", manifest_text(files=[file(name="/" * 2500)])
    yield "wide_file_name", manifest_text(files=[file(name="\u20ac" * 100)])
    for i, name in enumerate(FILE_NAMES + ["MANIFEST.json"]):
        yield f"file_name_{i:02}", manifest_text(files=[file(name=name)])
