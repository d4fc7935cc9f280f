"""SentencePiece models, built field by field (sentencepiece_model.proto)."""

import struct


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


def inputs():
    normal, unknown, control, user, unused, byte = range(1, 7)

    def piece(text, kind=normal, score=0.0, more=b""):
        return field(
            1, field(1, text) + (field(2, score) if score else b"") + (field(3, kind) if kind != normal else b"") + more
        )

    specials = piece("<unk>", unknown) + piece("<s>", control) + piece("</s>", control)
    byte_pieces = b"".join(piece(f"<0x{i:02X}>", byte) for i in range(256))
    words = (
        piece("\u2581")
        + piece("t")
        + piece("h")
        + piece("e")
        + piece("th", score=-1.0)
        + piece("\u2581the", score=-2.0)
    )
    bpe = field(2, field(3, 2) + field(35, 1))
    lossless = field(3, field(1, "identity") + field(3, 0) + field(4, 0) + field(5, 1))

    def normalizer(charsmap):
        return field(3, field(1, "n") + field(2, charsmap))

    yield "valid_lossless", specials + byte_pieces + words + bpe + lossless
    yield "valid_bpe", specials + words + field(2, field(3, 2)) + field(3, field(1, "identity"))
    yield "valid_unigram", specials + words + field(2, field(3, 1)) + lossless
    yield "valid_word", specials + words + field(2, field(3, 3)) + lossless
    yield "valid_char", specials + words + field(2, field(3, 4)) + lossless
    yield "valid_user_defined", specials + words + piece("cat", user) + piece("x", unused) + field(
        2, field(3, 2)
    ) + lossless
    yield "space_without_a_piece", specials + byte_pieces + piece("t") + piece("\u2581the") + bpe + lossless
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
    yield "byte_text_as_number", specials + byte_pieces[:-14] + piece(
        "<0xFF>", byte, more=field(1, 7)
    ) + words + bpe + lossless
    yield "kind_as_text", specials + piece("t", more=field(3, "x")) + words + field(2, field(3, 2)) + lossless
    yield "kind_unknown", specials + piece("q", more=field(3, 77)) + words + field(2, field(3, 2)) + lossless
    yield "kind_2_32", specials + piece("q", more=field(3, 2**32 + byte)) + words + field(2, field(3, 2)) + lossless
    for name, number in [("0", 0), ("5", 5), ("2_31", 2**31), ("2_32", 2**32 + 2), ("minus", -1)]:
        yield f"algorithm_{name}", specials + words + field(2, field(3, number)) + lossless
    for name, score in [
        ("nan", float("nan")),
        ("infinite", float("inf")),
        ("minus_infinite", float("-inf")),
        ("huge", 3e38),
    ]:
        yield f"score_{name}", specials + words + piece("he", score=score) + field(2, field(3, 1)) + lossless
    yield "unknown_id", specials + words + field(2, field(3, 1) + field(40, 5)) + lossless
    yield "bos_piece", specials + words + field(2, field(3, 1) + field(46, "t")) + lossless
    for name, charsmap in [
        ("0", b"\0\0\0\0"),
        ("1", b"\1\0\0\0"),
        ("short", b"\0\0\0"),
        ("2_31", struct.pack("<I", 2**31) + bytes(8)),
        ("2_32", b"\xff" * 4 + bytes(8)),
        ("all", struct.pack("<I", 8) + bytes(8)),
        ("one_less", struct.pack("<I", 7) + bytes(8)),
        ("four", struct.pack("<I", 4) + bytes(5)),
        ("1024", struct.pack("<I", 1024) + bytes(1025)),
        ("1024_ones", struct.pack("<I", 1024) + b"\xff" * 1024 + b"\0"),
        ("1024_no_end", struct.pack("<I", 1024) + b"\xff" * 1025),
        (
            "1024_ascending",
            struct.pack("<I", 1024) + struct.pack("<256I", *(i << 10 | 1 << 8 for i in range(256))) + b"a\0",
        ),
        (
            "1024_leaves",
            struct.pack("<I", 1024) + struct.pack("<256I", *(2**31 | i * 997 for i in range(256))) + b"abc\0",
        ),
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
    yield "self_test", specials + words + field(2, field(3, 1)) + lossless + field(
        4, field(1, field(1, "a") + field(2, "b"))
    )
    yield "text", b"not a model\n"
