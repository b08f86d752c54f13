"""Encoders: what they promise, held against torch's own run of the same model."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import ColourImageEncoder, HashingTextEncoder
from PIL import Image

from search.encoders import checked
from search.errors import IndexUnusable


def test_fake_text_encoder_keeps_the_promise_and_puts_shared_words_nearer():
    encoder = HashingTextEncoder()
    texts = ["a cat on a sofa", "the cat and the sofa", "quarterly tax return", ""]
    rows = checked(encoder.encode(texts), rows=4, dimensions=encoder.dimensions, encoder=encoder.name)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_fake_image_encoder_puts_a_picture_nearest_to_its_colour_word():
    encoder = ColourImageEncoder()
    pictures = encoder.encode_images([Image.new("RGB", (32, 20), "#2233dd"), Image.new("RGB", (9, 9), "#e02020")])
    words = encoder.encode_text(["something red", "a blue thing"])
    assert (pictures @ words.T).argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.ones((2, 3)), "shape"),
        (np.ones((1, 4)), "length 1"),
        (np.array([[np.nan, 0, 0, 1]]), "finite"),
    ],
)
def test_a_broken_promise_is_named_at_the_border(bad, says):
    with pytest.raises(IndexUnusable, match=says):
        checked(bad, rows=1, dimensions=4, encoder="broken")


def test_checked_accepts_no_rows_and_gives_contiguous_float32():
    assert checked(np.zeros((0, 4)), rows=0, dimensions=4, encoder="any").shape == (0, 4)
    rows = checked(np.eye(4)[:, ::-1][:2], rows=2, dimensions=4, encoder="any")
    assert rows.dtype == np.float32 and rows.flags.c_contiguous
