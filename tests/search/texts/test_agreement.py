"""Agreement of texts: one that disagrees with the others weighs less, those that agree have full weight."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, ReadingRecord
from search.encoders.base import unit_rows
from search.meme import Field, Text, TextKind
from search.settings import Settings
from search.texts.agreement import (
    MINILM_RANGE,
    cosine_range,
    find_contradictions,
    is_contradicted,
    rate_texts,
    text_weights,
)
from tests.support.fakes import HashingTextEncoder
from web.cli.main import main

FINE = (
    'A yellow dog drinks coffee at a table in a burning room. The text reads: "THIS IS FINE, I AM OKAY WITH THE EVENTS"'
)
FINE_TOO = (
    "A cartoon dog in a hat sits at a table in a burning room, drinking coffee. "
    "The caption says “This is fine, I am okay with the events”."
)
OTHER = 'A man in sunglasses stands before a green wall. The text reads: "WHAT IF I TOLD YOU THAT CATS CAN READ MAPS"'
OCR = "THIS IS FINE I AM\nOKAY WITH THE EVENT5"


def simple(body: str, source: str = "m") -> Text:
    return Text(TextKind.SIMPLE, source, body)


def ocr(body: str = OCR) -> Text:
    return Text(TextKind.OCR, "rapidocr", body)


def embedded(*texts: Text) -> np.ndarray:
    """Return what the hashing encoder makes of descriptions; zeros for OCR."""
    rows = HashingTextEncoder().encode([text.body for text in texts])
    rows[[text.kind is TextKind.OCR for text in texts]] = 0
    return rows


def weights(*texts: Text) -> list[float]:
    return text_weights(texts, embedded(*texts)).tolist()


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_description_of_another_meme_weighs_next_to_nothing_wherever_it_stands(at: int) -> None:
    texts = [simple(FINE, "a"), simple(FINE_TOO, "b"), ocr()]
    texts.insert(at, simple(OTHER, "c"))
    found = weights(*texts)
    assert found[at] < 0.05
    assert all(weight > 0.8 for number, weight in enumerate(found) if number != at)


def test_ocr_decides_between_two_descriptions() -> None:
    assert weights(simple(FINE), simple(OTHER), ocr())[1] < 0.1
    assert weights(simple(OTHER), simple(FINE), ocr())[0] < 0.1


def test_descriptions_that_agree_outvote_garbled_ocr() -> None:
    found = weights(simple(FINE, "a"), simple(FINE_TOO, "b"), ocr("|| ~ae Tees oF ZZ wh4rgl mbl3 xx"))
    assert found[:2] == pytest.approx([1, 1], abs=0.1)
    assert found[2] < 0.1


def test_of_two_that_contradict_each_other_neither_is_known_to_be_wrong() -> None:
    texts = [simple(FINE, "a"), simple(OTHER, "b")]
    reliabilities = rate_texts(texts, embedded(*texts))
    assert [reliability.weight for reliability in reliabilities] == [1, 1]
    assert all(is_contradicted(reliability) for reliability in reliabilities)


def test_texts_without_anything_to_compare_weigh_in_full() -> None:
    silent = simple("A yellow dog drinks coffee in a burning room.")
    assert weights(simple(FINE)) == [1]
    assert weights(silent, ocr()) == [1, 1], "a describer need not quote"
    assert weights(silent, simple(FINE_TOO), ocr()) == pytest.approx([1, 1, 1], abs=0.1)
    assert text_weights([], np.zeros((0, 8), np.float32)).shape == (0,)


def test_the_order_of_the_texts_does_not_matter() -> None:
    texts = [simple(FINE, "a"), simple(OTHER, "b"), simple(FINE_TOO, "c"), ocr()]
    forward, backward = weights(*texts), weights(*reversed(texts))
    assert forward == pytest.approx(backward[::-1], abs=1e-6)


def test_the_reasons_say_what_better_supported_texts_hold_against_one() -> None:
    texts = [simple(FINE.replace("yellow", "blue"), "a"), simple(FINE, "b"), ocr()]
    reliabilities = rate_texts(texts, embedded(*texts))
    assert "says blue dog, not yellow, unlike the simple description by b" in reliabilities[0].reasons
    texts = [simple(OTHER, "c"), simple(FINE, "b"), ocr()]
    assert "only 0 % of its words agree with the text in the picture" in rate_texts(texts, embedded(*texts))[0].reasons


def test_vectors_that_are_not_one_for_each_text_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 2 texts"):
        text_weights([simple(FINE), simple(OTHER)], np.zeros((3, 8), np.float32))


def test_the_curator_is_shown_the_memes_whose_texts_contradict_each_other(
    tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    [meme] = [one for one in tiny_indexed.memes.everything() if one.path == "Dogs/fine.png"]
    for kind, source, body in (
        (TextKind.SIMPLE, "good", FINE),
        (TextKind.SIMPLE, "bad", OTHER),
        (TextKind.OCR, "rapidocr", OCR),
    ):
        tiny_indexed.readings.put(ReadingRecord(meme.content_hash, kind, source, body))
    encoder = HashingTextEncoder()
    split_texts(tiny_indexed)
    embed_passages(tiny_indexed, encoder, progress=SILENT)
    [found] = find_contradictions(tiny_indexed, encoder=encoder.name)
    assert found.meme.path == "Dogs/fine.png"
    assert found.reliabilities[0].text.source == "bad"
    assert [reliability.support for reliability in found.reliabilities] == sorted(
        reliability.support for reliability in found.reliabilities
    )
    # The command lists the same.
    places = ["--data", str(tiny_settings.data), "--json"]
    said = CliRunner().invoke(main, ["contradictions", *places], env={"MEMETICA_TEXT_ENCODER": encoder.name})
    [row] = map(json.loads, said.stdout.splitlines())
    assert (row["path"], row["witnesses"][0]["source"]) == ("Dogs/fine.png", "bad")
    assert row["witnesses"][0]["weight"] < 0.1 < row["witnesses"][-1]["weight"]


@pytest.mark.parametrize(("middle", "spread"), [(0.37, 0.1), (0.8, 0.02), (0.1, 0.2)])
def test_the_range_of_another_encoders_cosines_is_measured_on_the_library(middle: float, spread: float) -> None:
    # Rows that share one direction have cosines around its share squared.
    random = np.random.default_rng(2)
    own = unit_rows(random.normal(size=(100, max(4, round((1 - middle) ** 2 / spread**2)))))
    rows = np.column_stack([np.full(len(own), middle**0.5), own * (1 - middle) ** 0.5])
    asked: list[tuple[str, Field]] = []

    def sample(encoder: str, field: Field, *, limit: int) -> np.ndarray:
        asked.append((encoder, field))
        return rows[: 10 if encoder == "few" else limit]

    catalogue: Any = SimpleNamespace(embeddings=SimpleNamespace(sample_of_field=sample))
    found = cosine_range(catalogue, "another#1")
    # Never above MiniLM's: descriptions that are all alike would otherwise contradict each other.
    assert found.least == pytest.approx(min(middle - 2.2 * spread, MINILM_RANGE.least), abs=0.4 * spread + 0.01)
    assert found.most == pytest.approx(min(middle + 1.3 * spread, MINILM_RANGE.most), abs=0.3 * spread + 0.01)
    assert cosine_range(catalogue, "few") == cosine_range(catalogue, "all-MiniLM-L6-v2") == MINILM_RANGE
    assert asked == [("another#1", Field.DESCRIPTION), ("few", Field.DESCRIPTION)]
