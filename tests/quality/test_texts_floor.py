"""The quality of spacing, of text agreement and of passages on frozen texts."""

from __future__ import annotations

import numpy as np
import pytest

from search.workspace import Workspace
from tests.quality.frozen import FrozenEncoder, read_pins
from tests.quality.limits import passages
from tests.quality.texts import plausible_shares, rated_texts, spaced_lines


def test_spacing_finds_the_words_of_a_line() -> None:
    found = spaced_lines()
    share = np.mean([line == spaced for line, spaced in found])  # .77 when the floor was set
    assert share >= 0.76


def test_spacing_of_doubtful_lines_is_as_pinned() -> None:
    pinned, found = read_pins("texts")["spacing"], [spaced for _, spaced in spaced_lines()]
    assert found == pinned


def test_texts_are_of_another_language_from_the_pinned_signs_on() -> None:
    assert plausible_shares() == read_pins("texts")["plausible"]


def test_support_and_weight_of_texts_are_as_pinned() -> None:
    assert np.array(rated_texts()) == pytest.approx(np.array(read_pins("texts")["agreement"]), abs=0.005)


def test_long_sentences_are_split_at_the_pinned_lengths() -> None:
    assert passages() == read_pins("texts")["passages"]


def test_texts_are_split_into_the_passages_that_were_embedded(frozen_workspace: Workspace) -> None:
    memes = frozen_workspace.catalogue.memes.freshest(1000)
    passages = frozen_workspace.catalogue.texts.passages_of([meme.id for meme in memes])
    encoder = FrozenEncoder()
    encoder.encode([row.passage.body for row in passages])
    assert encoder.unknown == []
