#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/: for each fuzz target valid inputs, and the inputs that once were or might be a fault.

The same bytes each time. What a fuzzer finds is added here, by name, in the smallest form that shows it.
"""

import json
import shutil
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 4096

TRAVERSALS = [
    "../x", "..", ".", "/etc/passwd", "a/b", "a/../b", "..\\x", "a\\b", "\\\\host\\x", "C:\\x", "C:/x", "./a", "a/",
    "a//b", ".hidden", "a\0b", "a\nb", "", "%2e%2e/x", "\u2025/x", "\uff0e\uff0e/x", "...", "~/x", "file:///x", "a" * 256,
]


def safetensors():
    def file(header, data=b"", length=None):
        text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + data

    def tensor(begin, end, shape=None, dtype="U8"):
        return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}

    yield "valid_empty", file({})
    yield "valid", file({"__metadata__": {"format": "pt"}, "a": tensor(0, 24, [2, 3], "F32"), "b": tensor(24, 25, [])}, bytes(25))
    yield "valid_any_order", file({"a": tensor(2, 3), "b": tensor(0, 2, [1], "F16"), "none": tensor(2, 2, [0, 9])}, bytes(3))
    dtypes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
    begin, all_types = 0, {}
    for dtype, size in dtypes.items():
        all_types[dtype] = tensor(begin, begin + size, [1], dtype)
        begin += size
    yield "valid_types", file(all_types, bytes(begin))
    yield "too_short", b"1234567"
    for name, length in [("2_63", 2**63), ("2_64", 2**64 - 1), ("2_32", 2**32), ("one_more", 3), ("limit", 100_000_000)]:
        yield f"length_{name}", file(b"{}", length=length)
    yield "length_0", file(b"", b"{}")
    yield "key_twice", file(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x")
    yield "key_twice_by_escape", file(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x")
    yield "dtype_twice", file(b'{"a":{"dtype":"U8","dtype":"F64","shape":[1],"data_offsets":[0,1]}}', b"x")
    yield "overlap", file({"a": tensor(0, 4), "b": tensor(2, 6)}, bytes(6))
    yield "same_bytes", file({"a": tensor(0, 4), "b": tensor(0, 4)}, bytes(4))
    yield "many_on_same_bytes", file({str(i): tensor(0, 1) for i in range(70)}, b"x")
    yield "hole", file({"a": tensor(0, 2), "b": tensor(3, 4)}, bytes(4))
    yield "trailing", file({"a": tensor(0, 2)}, bytes(3))
    yield "missing_data", file({"a": tensor(0, 2)}, bytes(1))
    yield "backwards", file({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}, bytes(1))
    for name, shape in [
        ("product", [2**32, 2**32, 16]), ("product_to_0", [2**62, 4]), ("zero_last", [2**62, 2**62, 0]),
        ("zero_first", [0, 2**62, 2**62]), ("2_63", [2**63]), ("2_64", [2**64]), ("minus", [-1]), ("float", [1.0]),
        ("exponent", [1e400]), ("many", [1] * 600),
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
    yield "pickle", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00cos\nsystem\nX\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03."
    yield "zip", b"PK\x03\x04\x14\x00\x00\x00\x00\x00" + bytes(16) + b"\x0b\x00\x00\x00archive/data.pkl"
    yield "zip_in_data", file({"a": tensor(0, 26)}, b"PK\x03\x04" + bytes(22))
    yield "zip_behind", file({"a": tensor(0, 1)}, b"x" + b"PK\x05\x06" + bytes(18))
    yield "long_name", file({"n" * 3800: tensor(0, 1, [2])}, b"x")
    yield "long_name_of_controls", file({"\u0001" * 600: tensor(0, 1, [2])}, b"x")
    yield "long_key_twice", file(b'{"%b":1,"%b":1}' % (b"k" * 1900, b"k" * 1900))
    yield "long_syntax_error", file(b'{"' + b"\xc2\x80" * 1900 + b"\n")
    yield "long_metadata_key", file({"__metadata__": {"k" * 3900: 1}})
    yield "long_type", file({"a": tensor(0, 1, [1], "F" * 3800)}, b"x")
    for i, name in enumerate(TRAVERSALS):
        yield f"name_{i:02}", file({name: tensor(0, 1)}, b"x")


def manifest_text(**changes):
    digest = "0123456789abcdef" * 2
    members = {
        "format": "peerless checkpoint", "version": 2, "step": 100, "run": "r1", "program": "0.1.0", "tokenizer": digest,
        "data": digest, "data_sources": ["train[0]: a"], "config": "run: {name: a}\n",
        "files": [{"name": "state-00000-of-00001.safetensors", "bytes": 100, "xxh3_128": digest, "blocks": "0" * 16}],
        "tensors": [
            {"name": "w", "dtype": "F32", "shape": [4, 3], "slices": [{"file": 0, "offset": [0, 0], "extent": [4, 3]}]},
            {"name": "step", "dtype": "I64", "shape": [], "slices": [{"file": 0, "offset": [], "extent": []}]},
        ],
    }
    members.update(changes)
    body = ",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in members.items())
    return ("{" + body + ",\n").encode()


def manifest():
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
        ("2_63", 2**63 - 1, ""), ("2_64", 2**64 - 1, ""), ("0", 0, ""), ("short", 2**20 + 1, "0" * 16),
        ("odd", 1, "0" * 17), ("no_digits", 1, "x" * 16), ("sign", 1, "-" + "0" * 15), ("0x", 1, "0x" + "0" * 14),
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
    for i, name in enumerate(TRAVERSALS + ["MANIFEST.json"]):
        yield f"file_name_{i:02}", manifest_text(files=[file(name=name)])


def shard():
    def padded(data):
        return data + bytes(-len(data) % 64)

    def file(tokens=(1, 5, 6, 2, 1, 7, 2), documents=((0, 10), (4, 5)), width=2, vocab=100, bos=1, eos=2, magic=b"PLTOKENS",
             version=1, end=b"PLTOKENZ", num_tokens=None, num_documents=None, raw_bytes=None, table=b""):
        head = magic + struct.pack("<IIIiiI", version, width, vocab % 2**32, bos, eos, 0) + bytes(32)
        size = {2: "H", 4: "I"}.get(width, "B")
        body = padded(struct.pack(f"<{len(tokens)}{size}", *tokens))
        records = padded(b"".join(struct.pack("<QQ", *document) for document in documents))
        trailer = struct.pack(
            "<QQQ", len(tokens) if num_tokens is None else num_tokens,
            len(documents) if num_documents is None else num_documents,
            sum(size for _, size in documents) % 2**64 if raw_bytes is None else raw_bytes)
        return head + body + records + (table or bytes(64)) + trailer + bytes(32) + end

    yield "valid", file()
    yield "valid_wide", file(tokens=(70000, 3), documents=((0, 1),), width=4, vocab=2**31 - 1, bos=-1, eos=-1)
    yield "valid_one_token", file(tokens=(3,), documents=((0, 0),), bos=-1, eos=-1)
    yield "valid_longer", file(tokens=(1, 9, 9, 2) * 100, documents=[(4 * i, i) for i in range(100)])
    yield "magic", file(magic=b"PLTOKENX")
    yield "end_magic", file(end=b"PLTOKENS")
    for version in (0, 2, 2**32 - 1):
        yield f"version_{version}", file(version=version)
    for width in (0, 1, 3, 8, 2**31):
        yield f"width_{width}", file(width=width)
    for vocab in (0, 1, 65537, 2**31, 2**32 - 1):
        yield f"vocab_{vocab}", file(vocab=vocab)
    for bos in (-2, 100, 2**31 - 1, -(2**31)):
        yield f"bos_{bos}", file(bos=bos)
    for count in (0, 6, 8, 33, 2**61, 2**63, 2**64 - 1):
        yield f"tokens_{count}", file(num_tokens=count)
    for count in (0, 1, 3, 5, 2**60, 2**63, 2**64 - 1):
        yield f"documents_{count}", file(num_documents=count)
    yield "raw_bytes", file(raw_bytes=14)
    yield "raw_bytes_2_64", file(documents=((0, 2**64 - 1), (4, 2)))
    yield "raw_bytes_2_63", file(documents=((0, 2**63), (4, 1)))
    yield "no_documents", file(documents=())
    yield "no_tokens", file(tokens=(), documents=((0, 0),))
    yield "documents_backwards", file(documents=((0, 1), (4, 1), (3, 1)))
    yield "document_twice", file(documents=((0, 1), (0, 1)))
    yield "document_not_at_0", file(documents=((1, 1),))
    yield "document_behind", file(documents=((0, 1), (7, 1)))
    yield "document_far_behind", file(documents=((0, 1), (2**64 - 1, 1)))
    yield "token_outside", file(tokens=(1, 100, 2, 1, 5, 2, 2))
    yield "no_bos", file(tokens=(5, 5, 6, 2, 1, 7, 2))
    yield "no_eos", file(tokens=(1, 5, 6, 2, 1, 7, 7))
    yield "cut", file()[:-1]
    yield "cut_in_half", file()[:200]
    yield "head_alone", file()[:64]
    yield "ends_alone", file()[:64] + file()[-64:]
    yield "longer", file() + bytes(64)
    yield "nothing", b""


def yaml():
    data = "data: {train: [{path: a}]}\n"
    yield "valid", b"""# A comment.
data:
  seq_len: 128
  train:
    - path: "a b"
      weight: 1.5
    - {path: c, weight: 2e-1}
  val: [{path: d, name: e}]
tokenizer: {kind: sentencepiece, model: 'm'}
checkpoint: {every_steps: 2%, keep_last: 3, mode: sync}
model:
  n_layers: 4
  softcap: null
  tie: true
  ffw: {kind: peer, num_keys: 16, top_k: 2, query_norm: head}
  layers:
    - at: [0, 2-3]
      ffw: {kind: dense, d_ff: 8}
optim: {lr: 1e-3, betas: [0.9, 0.95], warmup: 2e9tok}
"""
    yield "valid_small", (data + "tokenizer: {kind: byte}").encode()
    yield "valid_block_text", (data + "tokenizer:\n  kind: sentencepiece\n  model: |\n    two\n    lines\n").encode()
    yield "bomb", ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi"))).encode()
    yield "deep_lists", b"a: " + b"[" * 4000
    yield "deep_mappings", b"{a: " * 1000
    yield "deep_dashes", b"- " * 2000
    yield "deep_keys", b"? " * 2000
    yield "deep_indent", "".join(" " * i + "a:\n" for i in range(80)).encode()
    yield "deep_32", b"a: " + b"[" * 31 + b"]" * 31
    yield "anchor", b"data: &a {}\n"
    yield "alias", b"data: *a\n"
    yield "alias_of_itself", b"&a [*a]"
    yield "merge", b"data: {}\nmodel:\n  <<: {n_layers: 3}\n"
    for i, tag in enumerate(["!!python/object/apply:os.system", "!", "!!str", "!<tag:yaml.org,2002:int>", "!e!x", "!!binary"]):
        yield f"tag_{i}", f"data: {tag} x\n".encode()
    yield "directive", b"%YAML 1.2\n---\n" + data.encode()
    yield "directive_tag", b"%TAG ! tag:x,2000:\n---\n" + data.encode()
    yield "directive_version_9", b"%YAML 9.9\n---\n{}"
    yield "two_documents", b"---\n{}\n---\n{}\n"
    yield "key_twice", b"data: {}\ndata: {}\n"
    yield "key_twice_quoted", b"data: {}\n\"data\": {}\n"
    yield "key_null", b"~: 1\n: 2\n"
    yield "key_list", b"[a]: 1\n"
    yield "key_mapping", b"? {a: b}\n: 1\n"
    yield "unknown_keys", "".join(f"k{i}: {i}\n" for i in range(50)).encode()
    yield "misspelt", b"dat: {}\ntokeniser: {kid: byte}\nmodel: {layer: 3}\n"
    yield "no_kind", (data + "tokenizer: {model: m}").encode()
    yield "unknown_kind", (data + "tokenizer: {kind: bpe}").encode()
    yield "list_at_top", b"- a\n- b\n"
    yield "word_at_top", b"word"
    yield "nothing", b""
    yield "comment_alone", b"# nothing\n"
    for name, value in [
        ("nan", ".nan"), ("infinite", ".inf"), ("2_63", 2**63), ("hex", "0x10"), ("octal", "010"), ("1e400", "1e400"),
        ("minus_0", "-0"), ("float", "1.0"), ("under", "1_000"), ("sexagesimal", "1:30"), ("quoted", '"1"'), ("long", "9" * 3000),
    ]:
        yield f"number_{name}", f"data: {{train: [{{path: a, weight: {value}}}], seq_len: {value}}}\n".encode()
    for name, value in [("huge", "9e999%"), ("tokens", "9223372036854775807tok"), ("share", "0.0000001%"), ("range", "5-2")]:
        yield f"length_{name}", f"checkpoint: {{every_steps: {value}}}\nmodel: {{layers: [{{at: [{value}]}}]}}\n".encode()
    yield "backslash_at_the_end", b'"\\'
    yield "escape_of_two_bytes", '"\\\u00e9"'.encode()
    yield "escape_surrogate", b'data: "\\uD800"\n'
    yield "escape_beyond", b'data: "\\UFFFFFFFF"\n'
    yield "escape_nul", b'data: "a\\0b"\n'
    yield "escape_control", b'data: {train: [{path: "\\e[2J\\a"}]}\n"\\e": 1\n'
    yield "nul", b"data: \0\n"
    yield "tab", b"data:\n\ttrain: 1\n"
    yield "utf8_mark", b"\xef\xbb\xbfdata: {}\n"
    yield "utf16", "data: {}\n".encode("utf-16")
    yield "latin_1", b"data: \xe9\n"
    yield "surrogate", b"data: \xed\xa0\x80\n"
    yield "crlf", b"data:\r\n  train:\r\n  - path: a\r\n"
    yield "next_line", "data: \u0085 \u2028 \u2029\n".encode()
    yield "long_keys", "".join("  " * i + "\u00a0" * 60 + ":\n" for i in range(20)).encode()[:LARGEST]
    yield "long_quoted_keys", ("{" + '"' + "\\x01" * 60 + '": {') .encode() * 15
    yield "long_unknown_keys", b"".join(b'"%b\\x01%b": 1\n' % (bytes([97 + i]) * 60, b"k" * 300) for i in range(10))
    yield "long_word", b"data: " + b"w" * 4000


def overrides():
    lines = {
        "valid": "data.seq_len=4\nmodel.layers.0.at=[1, 2-3]\nmodel.ffw={kind: peer, num_keys: 2}\noptim.betas=[0, 0.5]",
        "valid_kind": "tokenizer={kind: byte}\nmodel.layers.0.ffw.d_ff=16",
        "valid_list": "data.train=[{path: x}]\ndata.train.0.weight=3",
        "no_value": "data.seq_len", "no_key": "=3", "empty_key": "data..seq_len=3", "nothing": "", "equals": "=",
        "equals_in_value": "data.train.0.path=a=b", "unknown": "data.seqlen=4", "element_2": "data.train.2.path=a",
        "element_2_64": "data.train.18446744073709551616.path=a", "element_minus": "data.train.-1.path=a",
        "element_of_none": "data.0=a", "of_a_word": "data.seq_len.x=1", "of_a_list": "data.train.path=x",
        "anchor": "data=&a x", "alias": "data=*a", "tag": "data=!!str x", "two_documents": "data=a\n--- b",
        "bracket": "optim.betas=[0.1", "brace": "data={", "quote": "data='", "comment": "data=# a", "null": "model.softcap=",
        "list_of_lists": "optim.betas=[[[[0]]]]", "other_kind": "tokenizer.kind=byte", "kind_of_key": "model.ffw.d_ff=8",
        "deep": ".".join("a" * 40) + "=1", "deep_32": ".".join("a" * 32) + "=[1]", "deep_value": "data=" + "[" * 2000,
        "long_key": "k" * 4000 + "=1", "long_value": "data.seq_len=" + "9" * 4000,
        "long_path": ".".join(["\x01" * 60] * 30) + "=1", "controls": "\x1b[2J=\x1b[2J", "backslash": 'data="\\',
        "index_key": "0=1", "many": "\n".join(f"data.train.0.k{i}=1" for i in range(150)),
        "nested_unknown": ".".join(f"{i:060}x" for i in range(32)) + "=1",
    }
    for name, text in lines.items():
        yield name, text.encode()
    yield "invalid_utf8", b"\xff.\xfe=\xfd"
    yield "nul", b"data.seq_len=\x004"


def messages():
    kinds = {name: number for number, name in enumerate(
        "challenge hello welcome refused beat waiting gathered report lost goodbye set get add check wait compare_set remove "
        "count append reply failed".split(), start=1)}

    def frame(kind, *texts, id=0, rank=0, number=0, length=None):
        parts = [text if isinstance(text, bytes) else text.encode() for text in texts]
        kind = kinds.get(kind, kind)
        body = struct.pack("<BQqq", kind, id % 2**64, rank, number) + b"".join(struct.pack("<I", len(p)) + p for p in parts)
        return struct.pack("<I", len(body) if length is None else length) + body

    counts = {"challenge": 1, "hello": 3, "welcome": 1, "refused": 1, "waiting": 1, "report": 1, "lost": 2, "set": 2, "get": 1,
              "add": 1, "check": 2, "wait": 2, "compare_set": 3, "remove": 1, "append": 2, "reply": 1, "failed": 1}
    yield "valid_all", b"".join(frame(kind, *["t"] * counts.get(kind, 0), id=i, number=1) for i, kind in enumerate(kinds))
    yield "store", b"".join([
        frame("set", "a", "1"), frame("add", "a", number=2), frame("get", "a"), frame("append", "a", "x"),
        frame("add", "a", number=2), frame("check", "a", "b"), frame("wait", "b", number=1000, id=7), frame("get", "b", "a", number=500),
        frame("set", "b", ""), frame("compare_set", "c", "", "d"), frame("compare_set", "c", "d", "e"), frame("compare_set", "c", "d", "f"),
        frame("count"), frame("remove", "a"), frame("remove", "a"), frame("goodbye"), frame("wait"), frame("check")])
    yield "add_overflows", frame("add", "a", number=2**63 - 1) + frame("add", "a", number=1) + frame("add", "b", number=-(2**63)) + frame("add", "b", number=-1)
    yield "add_text", frame("set", "a", "9223372036854775808") + frame("add", "a") + frame("set", "a", "-") + frame("add", "a") + frame("set", "a", "") + frame("add", "a")
    yield "wait_for_ever", frame("wait", "a", number=2**63 - 1) + frame("get", "a", number=-(2**63)) + frame("set", "a", "1")
    yield "wait_in_vain", frame("wait", "\x01" * 1024, number=100) + frame("count") * 3
    yield "long_key", frame("set", "k" * 1025, "") + frame("add", "k" * 1025) + frame("get", "k" * 1025) + frame("remove", "k" * 1025)
    yield "many_texts", frame("check", *[""] * 900)
    yield "one_after_another", (frame("wait", "a", number=9, id=1) + frame("set", "a", "") + frame("remove", "a")) * 20
    for length in (0, 24, 25, 26, 2**31 - 1, 2**31, 2**32 - 1):
        yield f"length_{length}", frame("beat", length=length)
    for kind in (0, 22, 255):
        yield f"kind_{kind}", frame(kind, "a")
    yield "text_too_long", frame("beat", length=29) + struct.pack("<I", 1)
    yield "text_2_32", frame("beat", length=29) + b"\xff" * 4
    yield "half_a_length", frame("beat", length=27) + b"\0\0"
    yield "texts_of_goodbye", frame("goodbye", "a")
    yield "no_text_of_hello", frame("hello")
    yield "handshake_1024", frame("hello", "n" * 32, "p" * 32, "a" * (1024 - 25 - 12 - 64))
    yield "handshake_1025", frame("hello", "n" * 32, "p" * 32, "a" * (1025 - 25 - 12 - 64))
    yield "partial", frame("set", "key", "value")[:-1]
    yield "http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    yield "row", b"12 3456 78 in all-reduce of layer 3"
    yield "row_of_limits", b"9223372036854775808 -9223372036854775808  x"
    yield "nothing", b""


def journal():
    def text(**changes):
        members = {"version": 1, "starts": 1, "durable": 100, "good": 50, "rollbacks": 0}
        return json.dumps({**members, **changes}).encode()

    yield "valid", text() + b"\n"
    yield "valid_skip", text(skip={"step": 3, "samples": 96}, rollbacks=1)
    yield "many_starts", text(starts=99)
    yield "version_2", text(version=2)
    for key in ("starts", "rollbacks", "durable"):
        yield f"{key}_2_63_less_1", text(**{key: 2**63 - 1})
        yield f"{key}_2_63", text(**{key: 2**63})
    yield "minus", text(good=-1)
    yield "float", text(good=1.0)
    yield "skip_number", text(skip=3)
    yield "skip_empty", text(skip={})
    yield "skip_null", text(skip=None)
    yield "list", b"[1]"
    yield "number", b"1"
    yield "twice", b'{"version":1,"version":1}'
    yield "deep", b"[" * 4000
    yield "nothing", b""
    yield "cut", text()[:20]
    yield "nul", text() + b"\0"
    yield "long", text() + b" " * (LARGEST - 90)
    yield "long_error", b'{"' + b"\xc2\x80" * 1900 + b"\n"
    yield "owner", b"0123456789abcdef0123456789abcdef machine rank 0, pid 12\n...."
    yield "owner_here", b"0123456789abcdef0123456789abcdef here rank 0, pid 12\n...."
    yield "owner_words", b"a b"
    yield "owner_line", b"\n....."
    yield "owner_spaces", b"    \n"
    yield "owner_controls", b"a b \x1b[2J\x00\xff\n"
    yield "owner_long", b"a b " + b"h" * 4000
    yield "owner_long_controls", b"a b " + b"\x01" * 2000 + b"\n"


def node_list():
    lists = [
        "a", "node[01-03,7],x5", "rack[1-2]n[01-04]-ib", "n[0-65535]", "n[0-65536]", "n[0-255][0-255]", "n[0-255][0-256]",
        "n[1-99999999999999999999]", "n[9-1]", "n[]", "n[1", "n]1", "n[[1]]", "n[1-2-3]", "n[-1]", "n[1-]", "n[,]", "n[1,]", ",", "a,",
        ",a", "", "a b", "a;rm", "../a", "a\0b", "a\nb", "\u00e9", "n[01-100]", "n[1.0]", "n[1e3]", "n[0x1]", "[1-3]", "[1-3],[1-3]",
        "n[%s1]" % ("0" * 300), "n[%s1]" % ("0" * 251), "a" * 253, "a" * 254, "n[0-65534],b", "n[0-65535],b", "n" + "[1-2]" * 17,
        "n" + "[1-2]" * 16, "n" + "[1]" * 252, "n[0-65535]" + "[1]" * 240, "[0-65535]" * 2, ",".join("a" * 2000), "n[" + "1," * 1900 + "1]",
        "n[" + "0-9," * 900 + "1]", "\x1b[2J" * 100, "n[\x1b-1]",
    ]
    for i, text in enumerate(lists):
        yield f"{i:02}", text.encode()


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, value, wire=None):
    """A field of a protocol buffer: an int is a varint, a float has 4 bytes."""
    if isinstance(value, int):
        return varint(number << 3 | (0 if wire is None else wire)) + varint(value % 2**64)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | (2 if wire is None else wire)) + varint(len(value)) + value


def sentencepiece():
    normal, unknown, control, user, unused, byte = range(1, 7)

    def piece(text, kind=normal, score=0.0, more=b""):
        return field(1, field(1, text) + (field(2, score) if score else b"") + (field(3, kind) if kind != normal else b"") + more)

    specials = piece("<unk>", unknown) + piece("<s>", control) + piece("</s>", control)
    byte_pieces = b"".join(piece(f"<0x{i:02X}>", byte) for i in range(256))
    words = piece("\u2581") + piece("t") + piece("h") + piece("e") + piece("th", score=-1.0) + piece("\u2581the", score=-2.0)
    bpe = field(2, field(3, 2) + field(35, 1))
    lossless = field(3, field(1, "identity") + field(3, 0) + field(4, 0) + field(5, 1))

    def normalizer(charsmap):
        return field(3, field(1, "n") + field(2, charsmap))

    yield "valid_lossless", specials + byte_pieces + words + bpe + lossless
    yield "valid_bpe", specials + words + field(2, field(3, 2)) + field(3, field(1, "identity"))
    yield "valid_unigram", specials + words + field(2, field(3, 1)) + lossless
    yield "valid_word", specials + words + field(2, field(3, 3)) + lossless
    yield "valid_char", specials + words + field(2, field(3, 4)) + lossless
    yield "valid_user_defined", specials + words + piece("cat", user) + piece("x", unused) + field(2, field(3, 2)) + lossless
    yield "nothing", b""
    yield "no_pieces", bpe + lossless
    yield "no_trainer", specials + words + lossless
    yield "no_normalizer", specials + words + bpe
    yield "no_unknown", words + field(2, field(3, 1)) + lossless
    yield "two_unknown", specials + piece("<u>", unknown) + words + bpe + lossless
    yield "piece_twice", specials + words + words + field(2, field(3, 2)) + lossless
    yield "piece_empty", specials + piece("") + words + field(2, field(3, 1)) + lossless
    yield "piece_of_no_text", specials + field(1, b"") + words + field(2, field(3, 2)) + lossless
    yield "piece_invalid_utf8", specials + piece(b"\xff\xfe") + words + field(2, field(3, 1)) + lossless
    yield "piece_nul", specials + piece("a\0b") + words + field(2, field(3, 1)) + lossless
    yield "piece_nul_unigram", specials + piece("\0") + words + field(2, field(3, 1)) + lossless
    yield "piece_long", specials + piece("w" * 3000) + words + field(2, field(3, 1)) + lossless
    yield "byte_without_fallback", specials + piece("<0x41>", byte) + words + field(2, field(3, 2)) + lossless
    yield "byte_alone", specials + piece("<0x41>", byte) + words + bpe + lossless
    yield "byte_no_number", specials + piece("<0xGG>", byte) + words + bpe + lossless
    yield "byte_of_no_text", specials + field(1, field(3, byte)) + words + bpe + lossless
    # To SentencePiece a field of another wire type is one that it does not know.
    yield "byte_text_as_number", specials + byte_pieces[:-14] + piece("<0xFF>", byte, more=field(1, 7)) + words + bpe + lossless
    yield "kind_as_text", specials + piece("t", more=field(3, "x")) + words + field(2, field(3, 2)) + lossless
    yield "kind_unknown", specials + piece("q", more=field(3, 77)) + words + field(2, field(3, 2)) + lossless
    yield "kind_2_32", specials + piece("q", more=field(3, 2**32 + byte)) + words + field(2, field(3, 2)) + lossless
    for name, number in [("0", 0), ("5", 5), ("2_31", 2**31), ("2_32", 2**32 + 2), ("minus", -1)]:
        yield f"algorithm_{name}", specials + words + field(2, field(3, number)) + lossless
    for name, score in [("nan", float("nan")), ("infinite", float("inf")), ("minus_infinite", float("-inf")), ("huge", 3e38)]:
        yield f"score_{name}", specials + words + piece("he", score=score) + field(2, field(3, 1)) + lossless
    yield "unknown_id", specials + words + field(2, field(3, 1) + field(40, 5)) + lossless
    yield "bos_piece", specials + words + field(2, field(3, 1) + field(46, "t")) + lossless
    for name, charsmap in [
        ("0", b"\0\0\0\0"), ("1", b"\1\0\0\0"), ("short", b"\0\0\0"), ("2_31", struct.pack("<I", 2**31) + bytes(8)),
        ("2_32", b"\xff" * 4 + bytes(8)), ("all", struct.pack("<I", 8) + bytes(8)), ("one_less", struct.pack("<I", 7) + bytes(8)),
        ("four", struct.pack("<I", 4) + bytes(5)), ("1024", struct.pack("<I", 1024) + bytes(1025)),
        ("1024_ones", struct.pack("<I", 1024) + b"\xff" * 1024 + b"\0"), ("1024_no_end", struct.pack("<I", 1024) + b"\xff" * 1025),
        ("1024_ascending", struct.pack("<I", 1024) + struct.pack("<256I", *(i << 10 | 1 << 8 for i in range(256))) + b"a\0"),
        ("1024_leaves", struct.pack("<I", 1024) + struct.pack("<256I", *(2**31 | i * 997 for i in range(256))) + b"abc\0"),
        ("1024_labels", struct.pack("<I", 1024) + struct.pack("<256I", *(1 << 8 | i for i in range(256))) + b"abc\0"),
    ]:
        yield f"trie_{name}", specials + words + field(2, field(3, 2)) + normalizer(charsmap)
    yield "denormalizer", specials + words + field(2, field(3, 2)) + lossless + field(5, field(2, b"\0\0\0\0a"))
    yield "length_2_31", field(1, b"")[:1] + varint(2**31 - 1)
    yield "length_2_64", field(1, b"")[:1] + varint(2**64 - 1)
    yield "varint_of_11_bytes", b"\x08" + b"\xff" * 11
    yield "varint_cut", b"\x08\xff"
    yield "groups", b"\x0b" * 2000
    yield "wire_7", b"\x0f\x00"
    yield "field_0", specials + words + bpe + lossless + field(0, 1)
    yield "field_2_29", specials + words + bpe + lossless + varint(2**32 << 3) + b"\0"
    nested = b""
    while len(nested) < 1900:
        nested = field(1, nested)
    yield "nested", nested
    yield "fixed", specials + words + bpe + lossless + b"\x49" + bytes(8) + b"\x4d" + bytes(4)
    yield "self_test", specials + words + field(2, field(3, 1)) + lossless + field(4, field(1, field(1, "a") + field(2, "b")))
    yield "text", b"not a model\n"


def round_trip():
    yield "nothing", b""
    yield "scalar", bytes([1, 97, 4, 0]) + bytes(range(8))
    yield "matrix", bytes([3]) + b"abc" + bytes([1, 2, 2, 3]) + bytes(range(24))
    yield "of_0", bytes([1, 98, 1, 2, 0, 3, 1, 98, 8, 1, 5]) + bytes(5)
    yield "names", bytes([11]) + b"\xff\x00\"\\/../\n\xc3\xa9" + bytes([8, 1, 2]) + b"xy"
    yield "text", b"The quick brown fox jumps over the lazy dog. " * 8
    yield "count", bytes(range(256))
    yield "types", b"".join(bytes([0, i, 1, 2]) + bytes([i] * 16) for i in range(10))


TARGETS = [journal, manifest, messages, node_list, overrides, round_trip, safetensors, sentencepiece, shard, yaml]

shutil.rmtree(CORPUS, ignore_errors=True)
for target in TARGETS:
    folder = CORPUS / target.__name__
    folder.mkdir(parents=True)
    for name, content in target():
        path = folder / name
        assert not path.exists(), f"{path} twice"
        path.write_bytes(content[:LARGEST])
