"""The contract of an index, whoever keeps it: the files of a generation in this process, or an engine elsewhere.

A search asks all its signals at once, because each call to an engine is a trip: `propose` returns the best memes by
each signal, `judge` the scores of any memes by each. Filters go as conditions, not as ids. What does not depend on
where an index lies stays outside: encoders, scales, fusion, the relevance cut-off, reasons and snippets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue
from search.index.columns import Ids, MemeColumns
from search.index.conditions import Where
from search.index.generations import Manifest
from search.index.lexical.schema import ALL_TEXT
from search.index.lexical.vocabulary import WordIndex
from search.index.vectors.whitening import Whitening
from search.meme import Field

Direction = NDArray[np.float32]  # [d], of length 1
LazyDirection = Direction | Future[Direction]  # a Future while another thread computes it
RawScores = NDArray[np.float64]  # [n], one for each meme, NaN where there is nothing to compare


@dataclass(frozen=True)
class Words:
    """Asks for BM25 of terms in a text field, or in all text: 0 for none of them, NaN for a meme without the field."""

    terms: tuple[str, ...]
    field: str = ALL_TEXT


@dataclass(frozen=True, eq=False)
class Near:
    """Asks for the cosine with a direction: of a meme's best row, or the mean of its `best` nearest; NaN without rows.

    `field` is a text field, `Field.LOOK` or `Field.PICTURE`. Only memes without data in the fields `unless` are
    proposed.
    """

    field: Field
    direction: LazyDirection
    best: int = 1
    unless: tuple[Field, ...] = ()


@dataclass(frozen=True, eq=False)
class Within:
    """Asks for the share of equal bits between fingerprints ([m, bytes]) and a meme's, the nearest two; NaN beyond.

    `radius` is the number of bits in which two fingerprints may differ.
    """

    fingerprints: NDArray[np.uint8]
    radius: int


Ask = Words | Near | Within


class Index(Protocol):
    """An open, immutable view of one generation; any thread may use it."""

    @property
    def name(self) -> str:
        """The name of what is open; another one when any of it has changed."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What the generation was made of."""
        ...

    @property
    def columns(self) -> MemeColumns:
        """The values of all memes for facets, orders and collapsing, in this process."""
        ...

    @property
    def lexical(self) -> WordIndex:
        """What is known of words: the vocabulary, frequencies, and the memes that hold some."""
        ...

    @property
    def whitening(self) -> Whitening | None:
        """The whitening of text embeddings; None when no text has been embedded."""
        ...

    def frequencies(self, terms: Sequence[str]) -> Mapping[str, int]:
        """Return in how many memes each of some terms is."""
        ...

    def propose(
        self, asks: Sequence[Ask], k: int, where: Where | None = None, *, pool: Executor | None = None
    ) -> list[Ids]:
        """Return, for each ask, the ids of its best k memes among those that a condition selects, in any order.

        With a pool, an index in this process compares embeddings in its threads.
        """
        ...

    def judge(self, asks: Sequence[Ask], ids: Ids) -> list[RawScores]:
        """Return, for each ask, the score of each meme ([n]), exact, by one BM25 and one cosine for all indexes."""
        ...

    def select(self, where: Where) -> Ids:
        """Return the rising ids of all memes that a condition selects."""
        ...

    def newest(self, where: Where | None = None) -> Ids:
        """Return the ids of all memes that a condition selects, newest first."""
        ...

    def count_rows(self, field: Field) -> int:
        """Return how many embeddings of a field there are, by `Near`'s fields; 0 where a field has none."""
        ...

    def rows_of(self, id: int, field: Field) -> NDArray[np.float32]:
        """Return a meme's embeddings of a field ([m, d]); m is 0 for a meme without."""
        ...

    def sample(self, field: Field, rows: int) -> NDArray[np.floating]:
        """Return about `rows` embeddings of a field ([m, d]), spread over all memes, always the same."""
        ...

    def check_unchanged(self) -> None:
        """Raise IndexUnusable when what is open was damaged since."""
        ...


@dataclass(frozen=True)
class Making:
    """What a generation is made with: the names of the encoders, how texts are split, and the least weight of one."""

    text_encoder: str
    image_encoder: str = ""
    splitter: str = ""
    least_weight: float = 0.0


class IndexStore(ABC):
    """The place where the generations of one library's index are kept."""

    @abstractmethod
    def live(self) -> str | None:
        """Return the name of the live generation in its present state; None when there is none."""

    @abstractmethod
    def open(self) -> Index:
        """Return the live generation, opened; raise IndexUnusable when there is none or it cannot be used."""

    @abstractmethod
    def build(self, catalogue: Catalogue, making: Making, *, on_part: Callable[[], None] = lambda: None) -> Manifest:
        """Make a generation of all present memes, and then the live one at once; a failure changes nothing."""

    @abstractmethod
    def put(self, catalogue: Catalogue, ids: Collection[int], *, least_weight: float = 0.0) -> Manifest:
        """Make these memes in the live generation as they are in the catalogue; whoever opens it next sees them.

        Memes whose files have vanished are removed.
        """

    @abstractmethod
    def drop(self, catalogue: Catalogue, ids: Collection[int]) -> Manifest:
        """Remove memes from the live generation, whatever the catalogue has."""


def resolved(direction: LazyDirection) -> Direction:
    """Return a direction, waiting for the thread that computes it."""
    return direction.result() if isinstance(direction, Future) else direction
