"""Token shards without checksums, which the target makes right."""

import struct


def inputs():
    def padded(data):
        return data + bytes(-len(data) % 64)

    def file(
        tokens=(1, 5, 6, 2, 1, 7, 2),
        documents=((0, 10), (4, 5)),
        width=2,
        vocab=100,
        bos=1,
        eos=2,
        magic=b"PLTOKENS",
        version=1,
        end=b"PLTOKENZ",
        num_tokens=None,
        num_documents=None,
        raw_bytes=None,
        table=b"",
    ):
        head = magic + struct.pack("<IIIiiI", version, width, vocab % 2**32, bos, eos, 0) + bytes(32)
        size = {2: "H", 4: "I"}.get(width, "B")
        body = padded(struct.pack(f"<{len(tokens)}{size}", *tokens))
        records = padded(b"".join(struct.pack("<QQ", *document) for document in documents))
        trailer = struct.pack(
            "<QQQ",
            len(tokens) if num_tokens is None else num_tokens,
            len(documents) if num_documents is None else num_documents,
            sum(size for _, size in documents) % 2**64 if raw_bytes is None else raw_bytes,
        )
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
