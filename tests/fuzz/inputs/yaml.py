"""Configs (tests/fuzz/config.h)."""

from . import LARGEST


def inputs():
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
    yield "bomb", (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi"))
    ).encode()
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
    for i, tag in enumerate(
        ["!!python/object/apply:os.system", "!", "!!str", "!<tag:yaml.org,2002:int>", "!e!x", "!!binary"]
    ):
        yield f"tag_{i}", f"data: {tag} x\n".encode()
    yield "directive", b"%YAML 1.2\n---\n" + data.encode()
    yield "directive_tag", b"%TAG ! tag:x,2000:\n---\n" + data.encode()
    yield "directive_version_9", b"%YAML 9.9\n---\n{}"
    yield "two_documents", b"---\n{}\n---\n{}\n"
    yield "key_twice", b"data: {}\ndata: {}\n"
    yield "key_twice_quoted", b'data: {}\n"data": {}\n'
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
        ("nan", ".nan"),
        ("infinite", ".inf"),
        ("2_63", 2**63),
        ("hex", "0x10"),
        ("octal", "010"),
        ("1e400", "1e400"),
        ("minus_0", "-0"),
        ("float", "1.0"),
        ("under", "1_000"),
        ("sexagesimal", "1:30"),
        ("quoted", '"1"'),
        ("long", "9" * 3000),
    ]:
        yield f"number_{name}", f"data: {{train: [{{path: a, weight: {value}}}], seq_len: {value}}}\n".encode()
    for name, value in [
        ("huge", "9e999%"),
        ("tokens", "9223372036854775807tok"),
        ("share", "0.0000001%"),
        ("range", "5-2"),
    ]:
        text = f"checkpoint: {{every_steps: {value}}}\nmodel: {{layers: [{{at: [{value}]}}]}}\n"
        yield f"length_{name}", text.encode()
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
    yield "long_quoted_keys", ("{" + '"' + "\\x01" * 60 + '": {').encode() * 15
    yield "long_unknown_keys", b"".join(b'"%b\\x01%b": 1\n' % (bytes([97 + i]) * 60, b"k" * 300) for i in range(10))
    yield "long_word", b"data: " + b"w" * 4000
