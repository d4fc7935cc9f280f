"""Bytes from which tests/fuzz/round_trip.cpp draws tensors."""


def inputs():
    yield "nothing", b""
    yield "scalar", bytes([1, 97, 4, 0]) + bytes(range(8))
    yield "matrix", bytes([3]) + b"abc" + bytes([1, 2, 2, 3]) + bytes(range(24))
    yield "of_0", bytes([1, 98, 1, 2, 0, 3, 1, 98, 8, 1, 5]) + bytes(5)
    yield "names", bytes([11]) + b'\xff\x00"\\/../\n\xc3\xa9' + bytes([8, 1, 2]) + b"xy"
    yield "text", b"The quick brown fox jumps over the lazy dog. " * 8
    yield "count", bytes(range(256))
    yield "types", b"".join(bytes([0, i, 1, 2]) + bytes([i] * 16) for i in range(10))
