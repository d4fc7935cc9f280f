"""A tokenizer that we train gives the same ids through the SentencePiece package."""

import json
import tempfile
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from cases import cases
from program import peerless

CORPUS = Path(__file__).resolve().parents[2] / "data" / "corpus"
TEXTS = [
    "The counter says 42.",
    "  two  spaces,\ttabs\tand\n\nempty lines\n",
    "no space at the end ",
    "Grüße, 日本語, Ελληνικά, 🦉🦉 and e\u0301",
    "camelCase snake_case SHOUTING 3.14159e-10 --flag=value",
    "a" * 300 + " " * 70 + "\n" * 9,
    "\u00a0no-break\u200bzero width\r\nCRLF \x00? \x7f \ufeff",
    "",
    " ",
]


@cases(bpe=("bpe",), unigram=("unigram",))
def test_ids(algorithm):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = ("--type", algorithm, "--vocab-size", 700, "--out", "small.model", CORPUS)
        peerless("tokenizer", "train", *arguments, folder=folder)
        processor = SentencePieceProcessor(model_file=str(folder / "small.model"))
        corpus = [file.read_text()[:20000] for file in sorted(CORPUS.glob("*.txt"))]
        for text in [*TEXTS, *corpus]:
            encode = ("tokenizer", "encode", "--tokenizer", "small.model", "--json")
            ids = json.loads(peerless(*encode, folder=folder, stdin=text.encode()))
            if "\0" not in text:  # NUL and U+2581 are given as bytes, which SentencePiece's encoder does not do
                assert ids == processor.encode(text), text[:60]
            assert processor.decode(ids) == text
