"""What a search returns: hits, each with its explanation, and how the query was interpreted."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Any, overload

from search.evidence import percent
from search.meme import Field, Likeness, Meme, Sort

INLINED = 60  # hits shown in the HTML of an answer: a notebook file stores every inlined thumbnail


@dataclass(frozen=True)
class Snippet:
    """A piece of a text that matched; `html` is escaped except for `<mark>` around the matched words."""

    field: Field
    source: str
    html: str
    words: tuple[str, ...] = ()  # the words and phrases in `<mark>`, the first form of each


class ReasonKind(StrEnum):
    """What a meme has in common with what was asked for."""

    SAYS = "says"  # words of the query stand in a text, in the name or in the category
    MEANING = "meaning"  # a text is close in meaning
    PICTURE = "picture"  # the picture fits the words, by the image encoder
    LOOKS = "looks"  # the pictures look similar


class Place(StrEnum):
    """Where a reason holds: a field, or the category, which is a part of the field `name`."""

    NAME = "name"
    CATEGORY = "category"
    OCR = "ocr"
    DESCRIPTION = "description"
    VISUAL = "visual"
    ANALYSIS = "analysis"
    PICTURE = "picture"


_PLACES = {
    Place.NAME: "name",
    Place.CATEGORY: "category",
    Place.OCR: "text",
    Place.DESCRIPTION: "description",
    Place.VISUAL: "description",
    Place.ANALYSIS: "analysis",
    Place.PICTURE: "picture",
}


@dataclass(frozen=True)
class Reason:
    """A reason for a hit that can be checked: for `says`, the words that stand in the place, as they are written there.

    `source` is the author of a text: an OCR engine, a model or a sidecar's label.

    >>> from search.results import Place, Reason, ReasonKind
    >>> Reason(ReasonKind.SAYS, Place.DESCRIPTION, "gpt-4o", ("cats", "mat")).in_words()
    'description by gpt-4o says “cats”, “mat”'
    """

    kind: ReasonKind
    place: Place
    source: str = ""
    words: tuple[str, ...] = ()

    def in_words(self) -> str:
        """Return the reason as a phrase."""
        place = _PLACES[self.place]
        if self.kind is ReasonKind.SAYS:
            words = ", ".join(f"“{word}”" for word in self.words)
            if self.place in (Place.NAME, Place.CATEGORY):
                return f"{'file name' if self.place is Place.NAME else 'category'} has {words}"
            author = f" by {self.source}" if self.place is not Place.OCR and self.source else ""
            return f"{place}{author} says {words}"
        if self.kind is ReasonKind.MEANING:
            named = "name and category" if self.place is Place.NAME else place
            return f"close in meaning to its {named}"
        return "picture fits the words" if self.kind is ReasonKind.PICTURE else "looks similar"

    def to_json(self) -> dict[str, Any]:
        """Return the reason as the HTTP API has it."""
        return {
            "kind": self.kind.value,
            "place": self.place.value,
            "source": self.source,
            "words": list(self.words),
            "in_words": self.in_words(),
        }


@dataclass(frozen=True)
class Hit:
    """A meme in an answer, its score (higher is better), and each field's share of the score (they add up to 1).

    >>> hit = searcher.search("a dog in a burning room")[0]
    >>> hit
    <Hit 'Dogs/fine.png' 0.30: description 91 %, ocr 7 %, name 2 %>
    """

    meme: Meme
    score: float
    explanation: Mapping[Field, float] = field(default_factory=dict)  # largest share first
    snippets: tuple[Snippet, ...] = ()
    reasons: tuple[Reason, ...] = ()  # the strongest first; none where nothing can be named
    variants: int = 0
    variant_ids: tuple[int, ...] = ()
    certain: bool = True  # whether it matches; False for a weaker hit: similar to the query, probably not an answer

    @property
    def path(self) -> str:
        """The meme's path, relative to the library."""
        return self.meme.path

    @property
    def reason(self) -> str:
        """The explanation in words: each field with its share, largest first; shares that round to 0 % are omitted."""
        return ", ".join(f"{name.value} {percent(share)}" for name, share in self.explanation.items() if share >= 0.005)

    def __repr__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"<Hit {self.meme.path!r} {self.score:.2f}{reason}>"


@dataclass(frozen=True)
class Operator:
    """An operator or an excluded word of a query: as typed, its name, its value, and its meaning in plain words."""

    part: str
    operator: str
    value: str
    means: str


@dataclass(frozen=True)
class Understood:
    """How a query was interpreted.

    For a search: the words (`text`), the whole query in normal form (`typed`), operators with their meanings, a notice
    for each ignored part, and the corrections of misspelled words. For `similar`: the meme and the likeness.
    """

    text: str = ""
    typed: str = ""
    sort: Sort = Sort.RELEVANCE
    is_shortened: bool = False
    has_image: bool = False
    operators: tuple[Operator, ...] = ()
    notices: tuple[str, ...] = ()
    category: str | None = None
    spelling: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    phrases: tuple[str, ...] = ()  # quoted, with a word each: only what says all of them matches
    asks_more: bool = False  # words beside the phrases: what matches says the phrases and fits the words
    showing: str = ""  # the corrected words; "" when nothing was corrected
    certain: int | None = None  # how many memes match, as `Answer.total`; None for an unranked listing
    similar_to: Meme | None = None
    likeness: Likeness | None = None

    @property
    def is_picture(self) -> bool:
        """Whether a picture alone was searched for: what matches is the same picture, weaker hits look similar."""
        return self.has_image and not self.text

    @property
    def is_narrowed(self) -> bool:
        """Whether only some of the memes were searched: those of a category, or that an operator leaves."""
        return bool(self.operators) or self.category is not None

    @property
    def asks_nothing(self) -> bool:
        """Whether nothing was asked for, as by `""` or an operator that was left out: the answer is all memes."""
        asked = self.text or self.operators or self.category is not None or self.has_image
        return not asked and self.similar_to is None

    def to_json(self) -> dict[str, Any]:
        """Return the `query` object of the HTTP API; keys without a value are omitted."""
        if self.similar_to is not None and self.likeness is not None:
            row: dict[str, Any] = {
                "like": self.similar_to.id,
                "path": self.similar_to.path,
                "by": self.likeness.value,
            }
        else:
            row = {"text": self.text, "sort": self.sort.value, "typed": self.typed}
            row |= {"shortened": True} if self.is_shortened else {}
            row |= {"picture": True} if self.has_image else {}
            row |= {"operators": [dict(vars(operator)) for operator in self.operators]}
            row |= {"notices": list(self.notices)} if self.notices else {}
            row |= {"phrases": list(self.phrases)} if self.phrases else {}
            row |= {"category": self.category} if self.category is not None else {}
            if self.spelling:
                row["spelling"] = {word: list(others) for word, others in self.spelling.items()}
                row["showing"] = self.showing
        return row | ({"certain": self.certain} if self.certain is not None else {})

    def __str__(self) -> str:
        if self.similar_to is not None:
            return f"like {self.similar_to.path}"
        return self.typed + (" with an image" if self.has_image else "")


@dataclass(frozen=True)
class Answer(Sequence[Hit]):
    """One page of hits in rank order, the number of all memes that match, and how the query was interpreted.

    After the last of the `total` matches come the `weaker` hits: memes that are similar and probably do not answer. An
    answer is a sequence of its hits. A notebook shows it as thumbnails.

    >>> answer = searcher.search("a dog in a burning room", k=2)
    >>> [hit.path for hit in answer][0]
    'Dogs/fine.png'
    >>> len(answer)
    2
    >>> answer
    <Answer 2 of 1 match and ... weaker for 'a dog in a burning room' in ... ms>
    """

    hits: tuple[Hit, ...]
    total: int  # memes that match, wherever the page is
    understood: Understood
    took_ms: float
    # The number of matches by category, year, type and tag: as many as match when the query is narrowed to the value.
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    is_exact: bool = True  # False where `total` is about the number: more memes may match than were looked at
    weaker: int = 0  # further hits, which follow the matches
    thumbnails: Path | None = field(default=None, compare=False)  # the folder of the thumbnails for the HTML

    @property
    def names_words(self) -> bool:
        """Whether a hit of this page holds words of the query.

        >>> searcher.search("burning").names_words, searcher.search("zxqv").names_words
        (True, False)
        """
        return any(reason.kind is ReasonKind.SAYS for hit in self.hits for reason in hit.reasons)

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, at: int) -> Hit: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, at: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[at]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __repr__(self) -> str:
        about = "" if self.is_exact else "about "
        count = "1 match" if self.total == 1 else f"{about}{self.total:,} matches"
        weaker = f" and {self.weaker:,} weaker" if self.weaker else ""
        return f"<Answer {len(self)} of {count}{weaker} for {str(self.understood)!r} in {self.took_ms:.0f} ms>"

    def _repr_html_(self) -> str:
        """Return the hits as HTML that needs no other file: thumbnails are inlined."""
        cards = "".join(_card(hit, self.thumbnails) for hit in self.hits[:INLINED])
        more = f"<p>… and {len(self) - INLINED:,} more</p>" if len(self) > INLINED else ""
        return f'<p>{escape(repr(self)[1:-1])}</p><div style="display:flex;flex-wrap:wrap;gap:12px">{cards}</div>{more}'


def _card(hit: Hit, thumbnails: Path | None) -> str:
    image = _image(hit.meme, thumbnails)
    picture = f'<img src="{escape(image)}" alt="" style="max-width:160px;max-height:160px">' if image else ""
    return (
        f'<figure style="margin:0;width:160px;font-size:12px;overflow-wrap:anywhere">{picture}'
        f"<figcaption><b>{escape(hit.path)}</b><br>{hit.score:.3f} {escape(hit.reason)}</figcaption></figure>"
    )


def _image(meme: Meme, thumbnails: Path | None) -> str:
    """Return a meme's thumbnail as a data: URI; without a thumbnail its placeholder, or ""."""
    if thumbnails is not None and meme.has_thumbnail:
        try:
            raw = (thumbnails / meme.content_hash[:2] / f"{meme.content_hash}.webp").read_bytes()
        except OSError:
            return meme.placeholder
        return f"data:image/webp;base64,{base64.b64encode(raw).decode('ascii')}"
    return meme.placeholder
