"""Safetensors files."""

import json
import struct

from . import FILE_NAMES, LARGEST


def inputs():
    def file(header, data=b"", length=None):
        text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + data

    def tensor(begin, end, shape=None, dtype="U8"):
        return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}

    one = b'{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    yield "valid_empty", file({})
    yield "valid", file(
        {"__metadata__": {"format": "pt"}, "a": tensor(0, 24, [2, 3], "F32"), "b": tensor(24, 25, [])}, bytes(25)
    )
    yield "valid_any_order", file(
        {"a": tensor(2, 3), "b": tensor(0, 2, [1], "F16"), "none": tensor(2, 2, [0, 9])}, bytes(3)
    )
    dtypes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
    begin, all_types = 0, {}
    for dtype, size in dtypes.items():
        all_types[dtype] = tensor(begin, begin + size, [1], dtype)
        begin += size
    yield "valid_types", file(all_types, bytes(begin))
    yield "too_short", b"1234567"
    for name, length in [
        ("2_63", 2**63),
        ("2_64", 2**64 - 1),
        ("2_32", 2**32),
        ("one_more", 3),
        ("limit", 100_000_000),
    ]:
        yield f"length_{name}", file(b"{}", length=length)
    yield "length_0", file(b"", b"{}")
    yield "key_twice", file(b'{"a":' + one + b',"a":' + one + b"}", b"x")
    yield "key_twice_by_escape", file(b'{"a":' + one + b',"\\u0061":' + one + b"}", b"x")
    yield "dtype_twice", file(b'{"a":{"dtype":"U8","dtype":"F64","shape":[1],"data_offsets":[0,1]}}', b"x")
    yield "overlap", file({"a": tensor(0, 4), "b": tensor(2, 6)}, bytes(6))
    yield "same_bytes", file({"a": tensor(0, 4), "b": tensor(0, 4)}, bytes(4))
    yield "many_on_same_bytes", file({str(i): tensor(0, 1) for i in range(70)}, b"x")
    yield "hole", file({"a": tensor(0, 2), "b": tensor(3, 4)}, bytes(4))
    yield "trailing", file({"a": tensor(0, 2)}, bytes(3))
    yield "missing_data", file({"a": tensor(0, 2)}, bytes(1))
    yield "backwards", file({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}, bytes(1))
    for name, shape in [
        ("product", [2**32, 2**32, 16]),
        ("product_to_0", [2**62, 4]),
        ("zero_last", [2**62, 2**62, 0]),
        ("zero_first", [0, 2**62, 2**62]),
        ("2_63", [2**63]),
        ("2_64", [2**64]),
        ("minus", [-1]),
        ("float", [1.0]),
        ("exponent", [1e400]),
        ("many", [1] * 600),
    ]:
        yield f"shape_{name}", file({"a": tensor(0, 0, shape, "F64")})
    yield "offset_2_63", file({"a": {"dtype": "U8", "shape": [0], "data_offsets": [2**63, 2**63]}})
    yield "metadata_number", file({"__metadata__": {"a": 1}})
    yield "metadata_list", file({"__metadata__": []})
    yield "metadata_of_text", file({"__metadata__": {"": "\u0000\u2028", "a" * 300: "b" * 300}})
    yield "unknown_type", file({"a": tensor(0, 1, [1], "F8_E4M3")}, b"x")
    yield "more_members", file({"a": {**tensor(0, 1), "code": "x"}}, b"x")
    yield "nested", file(b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}")[:LARGEST]
    yield "nested_objects", file(b'{"a":' * 800)
    yield "invalid_utf8", file(b'{"\xff":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x")
    yield "lone_surrogate", file(b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x")
    yield "nul", file(b"{}\0garbage")
    yield "two_values", file(b"{}{}")
    yield "pickle", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00cos\nsystem\nX\x02\0\0\0idq\x01\x85q\x02Rq\x03."
    yield "zip", b"PK\x03\x04\x14\x00\x00\x00\x00\x00" + bytes(16) + b"\x0b\x00\x00\x00archive/data.pkl"
    yield "zip_in_data", file({"a": tensor(0, 26)}, b"PK\x03\x04" + bytes(22))
    yield "zip_behind", file({"a": tensor(0, 1)}, b"x" + b"PK\x05\x06" + bytes(18))
    yield "long_name", file({"n" * 3800: tensor(0, 1, [2])}, b"x")
    yield "long_name_of_controls", file({"\u0001" * 600: tensor(0, 1, [2])}, b"x")
    yield "long_key_twice", file(b'{"%b":1,"%b":1}' % (b"k" * 1900, b"k" * 1900))
    yield "long_syntax_error", file(b'{"' + b"\xc2\x80" * 1900 + b"\n")
    yield "long_metadata_key", file({"__metadata__": {"k" * 3900: 1}})
    yield "long_type", file({"a": tensor(0, 1, [1], "F" * 3800)}, b"x")
    for i, name in enumerate(FILE_NAMES):
        yield f"name_{i:02}", file({name: tensor(0, 1)}, b"x")
