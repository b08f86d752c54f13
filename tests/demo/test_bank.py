"""The bank of jokes is read: a word in it that names nothing would end `make demo` before it has drawn a picture."""

from __future__ import annotations

from demo.jokes import read_bank
from demo.vocabulary import Color


def test_every_word_of_the_bank_names_something() -> None:
    jokes = read_bank()
    assert len(jokes) > 250
    assert Color.GRAY in {scene.color for joke in jokes for scene in joke.scenes}
