"""Our safetensors files are read by the format's own library, and we refuse what it refuses."""

import json
import struct
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from cases import cases
from program import copy, work
from reference_training import batches, build

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
REFUSED = 65  # exit code for data


def bits(tensor):
    return tensor.contiguous().flatten().view(torch.uint8) if tensor.dim() else tensor[None].view(torch.uint8)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert (ours[name].dtype, ours[name].shape) == (tensor.dtype, tensor.shape), name
        assert torch.equal(bits(ours[name]), bits(tensor)), name


def test_every_dtype_and_shape_goes_through_our_reader_and_writer():
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name in DTYPES:
        for shape in ((), (3,), (0, 5), (2, 3, 5)):  # odd numbers of bytes: what follows lies at odd addresses
            values = torch.randint(0, 100, shape, generator=generator)
            tensors[f"{name} \u00e4\"\\ {shape}"] = values.to(getattr(torch, name))
    tensors["nan"] = torch.tensor([float("nan"), float("-inf"), -0.0])
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.safetensors", Path(folder) / "b.safetensors"
        save_file(tensors, source, metadata={"format": "pt", "note": "\u65e5\u672c \n"})
        assert copy(source, target) == (0, "")
        assert_same(load_file(target), tensors)


def test_what_we_write_of_a_model_is_what_we_were_given():
    model = {"n_layers": 1, "d_model": 6, "n_heads": 1, "ffw": {"kind": "dense", "d_ff": 5}}
    config = {"vocab_size": 50, "dtype": "fp32", "model": model, "optim": {"lr": 1e-30}}  # nothing moves
    weights = build(config).named_weights()
    ours = work(config, batches(config) | weights)
    assert_same({name: ours[name] for name in weights}, weights)


def file_of(header, data=b"\0" * 12, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype="F32", shape=(3,), begin=0, end=12):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@cases(
    empty=(b"",),
    no_header=(b"\0" * 7,),
    header_longer_than_the_file=(file_of({"a": tensor()}, length=1 << 20),),
    header_above_the_limit=(file_of({"a": tensor()}, length=1 << 40),),
    not_json=(file_of(b'{"a": '),),
    a_list=(file_of(b"[]", b""),),
    not_utf8=(file_of(b'{"\xff": {}}', b""),),
    unknown_dtype=(file_of({"a": tensor("F31")}),),
    negative_shape=(file_of({"a": tensor(shape=(-3,))}),),
    shape_and_bytes_differ=(file_of({"a": tensor(shape=(2,))}),),
    shape_that_overflows=(file_of({"a": tensor(shape=(1 << 62, 1 << 62))}),),
    beyond_the_data=(file_of({"a": tensor(shape=(4,), end=16)}),),
    data_left_over=(file_of({"a": tensor(shape=(2,), end=8)}),),
    a_hole=(file_of({"a": tensor(shape=(1,), end=4), "b": tensor(shape=(1,), begin=8, end=12)}),),
    overlap=(file_of({"a": tensor(shape=(2,), end=8), "b": tensor(shape=(2,), begin=4, end=12)}),),
    end_before_begin=(file_of({"a": tensor(shape=(0,), begin=12, end=0)}),),
    no_shape=(file_of({"a": {"dtype": "F32", "data_offsets": [0, 12]}}),),
    metadata_that_is_no_text=(file_of({"__metadata__": {"step": 3}, "a": tensor()}),),
)
def test_refuses_what_the_library_refuses(content):
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "bad.safetensors"
        source.write_bytes(content)
        try:
            load_file(source)
            raise AssertionError("the library reads this")
        except (SafetensorError, ValueError, OSError):
            pass
        code, complaint = copy(source, Path(folder) / "copy.safetensors")
        assert code == REFUSED and str(source) in complaint, (code, complaint)
