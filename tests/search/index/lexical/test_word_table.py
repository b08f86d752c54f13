"""The vocabulary of an extended index, kept in two files, against the term dictionary and against one file."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import search.index.lexical.word_table
from search.errors import IndexUnusable
from search.index.lexical.analyzer import term_of
from search.index.lexical.index import LexicalIndex
from search.index.lexical.schema import read_words
from search.index.lexical.word_table import CHANGED_FILE, COUNTS_FILE, WORDS_FILE, ChangedWords, WordTable
from search.index.lexical.writer import Document, build_lexical, extend_lexical
from search.meme import Field

TEXT = "cafe café cafés cafë résumé resume rose rosé roses été ete this is fine dog dogs 猫 кот пёс zebra naïve Ünder"
WORDS = TEXT.split()


def document(id: int, text: str) -> Document:
    return Document(id, {Field.OCR: text}, f"Dogs/{id}.png")


@pytest.fixture
def _extended_as_large_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search.index.lexical.word_table, "READ_UP_TO", 0)
    monkeypatch.setattr(search.index.lexical.word_table, "MERGED_SHARE", 10)


@pytest.mark.usefixtures("_extended_as_large_ones_are")
@pytest.mark.parametrize("seed", range(4))
def test_a_vocabulary_in_two_files_is_that_of_the_term_dictionary_and_finds_what_one_file_does(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    texts = {id: " ".join(draw.sample(WORDS, 5)) for id in range(1, 7)}
    build_lexical(tmp_path / "0", [document(id, text) for id, text in texts.items()])
    for step in range(3):
        id, text = 10 + step, " ".join(draw.sample(WORDS, 4))
        source, target = tmp_path / f"{step}", tmp_path / f"{step + 1}"
        extend_lexical(source, target, [document(id, text)], without=np.array([id]))
        assert (target / WORDS_FILE).samefile(tmp_path / "0" / WORDS_FILE)
    index = LexicalIndex.open(target)
    found, truth = index.vocabulary, read_words(index._searcher)
    assert isinstance(found, ChangedWords)
    assert list(found.items()) == list(truth.items()) and len(found) == len(truth)
    assert all(word in found for word in truth) and "nobody" not in found
    assert set(found.some(10_000)) == set(truth)
    whole = LexicalIndex.open(target)
    whole._words = WordTable.of(truth)
    for word in (*WORDS, "cafè", "rosè", "fin", "dgo", "naive", "ûnder", "nobody"):
        for bare in (True, False):
            assert index.forms(word, bare=bare) == whole.forms(word, bare=bare), word
        assert list(index.accented(word)) == list(whole.accented(word)), word
        assert index.similar_words(word) == whole.similar_words(word), word


@pytest.mark.usefixtures("_extended_as_large_ones_are")
def test_a_meme_that_changes_often_is_counted_as_the_index_counts_it(tmp_path: Path) -> None:
    build_lexical(tmp_path / "0", [document(id, "this is fine") for id in range(1, 4)])
    for step in range(12):
        new = [document(9, f"a zebra is word{step}")]
        extend_lexical(tmp_path / f"{step}", tmp_path / f"{step + 1}", new, without=np.array([9]))
    index = LexicalIndex.open(tmp_path / "12")
    assert index.vocabulary["zebra"] == read_words(index._searcher)["zebra"]
    assert [word for word in index.vocabulary if word not in read_words(index._searcher)] == []


@pytest.mark.parametrize("share", [0.2, 0.0])
def test_few_words_and_many_changed_ones_are_one_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(search.index.lexical.word_table, "READ_UP_TO", 0 if share == 0.0 else 100)
    monkeypatch.setattr(search.index.lexical.word_table, "MERGED_SHARE", share)
    build_lexical(tmp_path / "0", [document(1, "this is fine")])
    extend_lexical(tmp_path / "0", tmp_path / "1", [document(2, "this zebra")], without=np.array([2]))
    index = LexicalIndex.open(tmp_path / "1")
    assert isinstance(index.vocabulary, WordTable) and not (tmp_path / "1" / CHANGED_FILE).exists()
    assert index.vocabulary["this"] == 2 and index.vocabulary["zebra"] == 1


@pytest.mark.usefixtures("_extended_as_large_ones_are")
@pytest.mark.parametrize("file", [WORDS_FILE, COUNTS_FILE, CHANGED_FILE])
@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"[1, 2"])
def test_damaged_words_are_said_to_be_so(tmp_path: Path, file: str, damage: bytes) -> None:
    build_lexical(tmp_path / "0", [document(1, "this is fine")])
    extend_lexical(tmp_path / "0", tmp_path / "1", [document(2, "this zebra")], without=np.array([2]))
    (tmp_path / "1" / file).unlink()
    (tmp_path / "1" / file).write_bytes(damage)
    with pytest.raises(IndexUnusable, match="damaged"):
        LexicalIndex.open(tmp_path / "1")


def test_words_are_chosen_evenly() -> None:
    words = {f"word{at:04}": at for at in range(1000)}
    table = WordTable.of(words)
    assert table.some(100) == sorted(words)[::10]
    assert table.has("word0000") and table.has("word0999")
    assert not any(table.has(one) for one in ("word", "word1000", "zzz", ""))
    changed = ChangedWords(table, {"a": 1, "word0005": 9})
    assert len(changed) == 1001 and changed["word0005"] == 9 and list(changed)[:2] == ["a", "word0000"]
    assert WordTable.of({}).some(5) == [] and list(WordTable.of({})) == [] and not WordTable.of({}).has("a")


def test_stemming_changes_no_first_letter() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    endings = ("", "s", "ies", "ied", "ing", "ingly", "ly", "ness", "y", "ying", "e", "ed", "eed", "ous", "i")
    words = [f"{one}{other}{end}" for one in letters for other in letters for end in endings]
    for word in [*words, "skies", "sky", "news", "dying"]:
        assert term_of(word)[:1] == word[:1], word
