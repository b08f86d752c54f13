"""Encoders: what they promise, and what is said when one cannot be had."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from search.encoders.base import validate_vectors
from search.encoders.registry import (
    chosen_image_encoder,
    export_image_encoder,
    export_text_encoder,
    load_image_encoder,
    load_text_encoder,
)
from search.errors import IndexUnusable, ModelUnavailable
from search.settings import Settings
from tests.support.fakes import ColorImageEncoder, HashingTextEncoder


def test_fake_text_encoder_keeps_the_promise_and_puts_shared_words_nearer():
    encoder = HashingTextEncoder()
    texts = ["a cat on a sofa", "the cat and the sofa", "quarterly tax return", ""]
    rows = validate_vectors(encoder.encode(texts), rows=4, dimensions=encoder.dimensions, encoder=encoder.name)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_fake_image_encoder_puts_a_picture_nearest_to_its_colour_word():
    encoder = ColorImageEncoder()
    pictures = encoder.encode_images([Image.new("RGB", (32, 20), "#2233dd"), Image.new("RGB", (9, 9), "#e02020")])
    words = encoder.encode_text(["something red", "a blue thing"])
    assert (pictures @ words.T).argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.ones((2, 3)), "shape"),
        (np.ones((1, 4)), "length is not 1"),
        (np.array([[np.nan, 0, 0, 1]]), "finite"),
    ],
)
def test_a_broken_promise_is_named_at_the_border(bad, says):
    with pytest.raises(IndexUnusable, match=says):
        validate_vectors(bad, rows=1, dimensions=4, encoder="broken")


def test_checked_accepts_no_rows_and_gives_contiguous_float32():
    assert validate_vectors(np.zeros((0, 4)), rows=0, dimensions=4, encoder="any").shape == (0, 4)
    rows = validate_vectors(np.eye(4)[:, ::-1][:2], rows=2, dimensions=4, encoder="any")
    assert rows.dtype == np.float32 and rows.flags.c_contiguous


def test_a_text_encoder_that_was_never_made_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(ModelUnavailable, match="missing") as raised:
        load_text_encoder(Settings(data=tmp_path))
    assert "memetica index" in raised.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [load_text_encoder, export_text_encoder])
def test_an_unknown_text_encoder_is_named_with_the_known_one(tmp_path, verb):
    with pytest.raises(ModelUnavailable, match="'bert'") as raised:
        verb(Settings(data=tmp_path, text_encoder="bert"))
    assert "all-MiniLM-L6-v2" in raised.value.hint


def test_no_image_encoder_is_made_ready_unless_one_is_chosen(tmp_path):
    assert export_image_encoder(Settings(data=tmp_path)) == chosen_image_encoder(Settings(data=tmp_path)) == ""
    assert list(tmp_path.iterdir()) == []


def test_an_image_encoder_that_is_not_here_is_named_with_what_mends_it(tmp_path):
    with pytest.raises(ModelUnavailable, match="ViT-B-32/openai#1234") as raised:
        load_image_encoder(Settings(data=tmp_path), "ViT-B-32/openai#1234")
    assert "memetica index" in raised.value.hint
