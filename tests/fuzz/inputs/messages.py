"""Frames between the coordinator and its clients (include/peerless/cluster/message.h)."""

import struct


def inputs():
    kinds = {
        name: number
        for number, name in enumerate(
            "challenge hello welcome refused beat waiting gathered report lost goodbye set get add check wait "
            "compare_set remove count append reply failed".split(),
            start=1,
        )
    }

    def frame(kind, *texts, id=0, rank=0, number=0, length=None):
        parts = [text if isinstance(text, bytes) else text.encode() for text in texts]
        kind = kinds.get(kind, kind)
        body = struct.pack("<BQqq", kind, id % 2**64, rank, number) + b"".join(
            struct.pack("<I", len(p)) + p for p in parts
        )
        return struct.pack("<I", len(body) if length is None else length) + body

    counts = {
        "challenge": 1,
        "hello": 3,
        "welcome": 1,
        "refused": 1,
        "waiting": 1,
        "report": 1,
        "lost": 2,
        "set": 2,
        "get": 1,
        "add": 1,
        "check": 2,
        "wait": 2,
        "compare_set": 3,
        "remove": 1,
        "append": 2,
        "reply": 1,
        "failed": 1,
    }
    yield "valid_all", b"".join(
        frame(kind, *["t"] * counts.get(kind, 0), id=i, number=1) for i, kind in enumerate(kinds)
    )
    yield "store", b"".join(
        [
            frame("set", "a", "1"),
            frame("add", "a", number=2),
            frame("get", "a"),
            frame("append", "a", "x"),
            frame("add", "a", number=2),
            frame("check", "a", "b"),
            frame("wait", "b", number=1000, id=7),
            frame("get", "b", "a", number=500),
            frame("set", "b", ""),
            frame("compare_set", "c", "", "d"),
            frame("compare_set", "c", "d", "e"),
            frame("compare_set", "c", "d", "f"),
            frame("count"),
            frame("remove", "a"),
            frame("remove", "a"),
            frame("goodbye"),
            frame("wait"),
            frame("check"),
        ]
    )
    yield "add_overflows", frame("add", "a", number=2**63 - 1) + frame("add", "a", number=1) + frame(
        "add", "b", number=-(2**63)
    ) + frame("add", "b", number=-1)
    yield "add_text", frame("set", "a", "9223372036854775808") + frame("add", "a") + frame("set", "a", "-") + frame(
        "add", "a"
    ) + frame("set", "a", "") + frame("add", "a")
    yield "wait_for_ever", frame("wait", "a", number=2**63 - 1) + frame("get", "a", number=-(2**63)) + frame(
        "set", "a", "1"
    )
    yield "wait_in_vain", frame("wait", "\x01" * 1024, number=100) + frame("count") * 3
    yield "long_key", frame("set", "k" * 1025, "") + frame("add", "k" * 1025) + frame("get", "k" * 1025) + frame(
        "remove", "k" * 1025
    )
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
