"""Which memes hold the words of a query."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.index.lexical.index import LexicalIndex
from search.index.lexical.writer import Document, build_lexical
from search.meme import Field
from search.query.words import memes_holding

DOCUMENTS = [
    Document(1, {Field.OCR: "group chat at night"}, "Work/received_0007469_n.png"),
    Document(2, {Field.OCR: "group chat at noon"}, "Work/received_0008000_n.png"),
    Document(3, {Field.OCR: "a chat in 2021"}, "Work/IMG_1.png"),
]


@pytest.mark.parametrize(
    ("query", "held_by"),
    [
        ("chat 0007469", [1]),
        ("0008000 noon", [2]),
        ("night 0008000", []),  # each has one of the two
        ("chat 2021", [3]),  # numbers in texts count as before
        ("chat", [1, 2, 3]),
        ("received chat", []),  # words of a camera's names are no words
    ],
)
def test_a_code_beside_words_may_stand_in_the_files_name(tmp_path: Path, query: str, held_by: list[int]) -> None:
    build_lexical(tmp_path / "words", DOCUMENTS)
    assert memes_holding(query, {}, LexicalIndex.open(tmp_path / "words")).tolist() == held_by
