"""journal.json and .owner of a run's folder."""

import json

from . import LARGEST


def inputs():
    def text(**changes):
        members = {"version": 1, "starts": 1, "durable": 100, "rollbacks": 0}
        return json.dumps({**members, **changes}).encode()

    yield "valid", text() + b"\n"
    yield "valid_skip", text(skip={"step": 3, "samples": 96}, rollbacks=1)
    yield "valid_save", text(save_ms=850)
    yield "save_2_63_less_1", text(save_ms=2**63 - 1)
    yield "save_text", text(save_ms="850")
    yield "many_starts", text(starts=99)
    yield "version_2", text(version=2)
    for key in ("starts", "rollbacks", "durable"):
        yield f"{key}_2_63_less_1", text(**{key: 2**63 - 1})
        yield f"{key}_2_63", text(**{key: 2**63})
    yield "minus", text(durable=-1)
    yield "float", text(durable=1.0)
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
