"""The ground truth of a demo library: captions, templates, copies, queries and their relevant memes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from demo.jokes import Form
from demo.scenes import Scene


class QueryKind(StrEnum):
    """How a query asks for a meme: by what it shows, says or means."""

    DESCRIBES = "describes"
    QUOTES = "quotes"
    MEANS = "means"


class Change(StrEnum):
    """The change that makes a meme's duplicate."""

    COPIED = "copied byte by byte"
    REENCODED = "saved again at low quality"
    RESIZED = "made smaller"
    CROPPED = "cropped by 4 % on each side"
    MIRRORED = "mirrored"
    GRAYED = "made grey"
    BORDERED = "given a border"


@dataclass(frozen=True)
class DemoMeme:
    """One meme of the demo; paths are relative to the library, with `/`. Texts that no sidecar holds are empty."""

    path: str
    category: str
    form: Form
    template: str  # shared by the variants of one picture
    caption: str  # its words as drawn, one lettering per line
    means: str
    scenes: tuple[Scene, ...]
    first_seen: datetime  # UTC
    dated: bool = True  # whether a sidecar says when it was first seen, or the file's own time does
    description: str = ""
    analysis: str = ""
    ocr: str = ""
    asks: tuple[str, str, str] | None = None
    frames: int = 1


@dataclass(frozen=True)
class DemoDuplicate:
    """A second file of a meme, under another name and perhaps in another category."""

    path: str
    original: str
    change: Change
    first_seen: datetime


@dataclass(frozen=True)
class DemoQuery:
    """A query, and the paths of its relevant memes, the intended one first."""

    kind: QueryKind
    text: str
    relevant: tuple[str, ...]


@dataclass(frozen=True)
class DemoTruth:
    """The ground truth of a demo library; `broken` are the files that cannot be decoded, each with the reason."""

    memes: tuple[DemoMeme, ...]
    duplicates: tuple[DemoDuplicate, ...]
    broken: tuple[tuple[str, str], ...]

    @property
    def variants(self) -> tuple[tuple[str, ...], ...]:
        """Groups of paths whose memes share a picture and differ in their words, in the library's order."""
        groups: dict[str, list[str]] = defaultdict(list)
        for meme in self.memes:
            groups[meme.template].append(meme.path)
        return tuple(tuple(group) for group in groups.values() if len(group) > 1)

    def as_json(self) -> dict[str, Any]:
        """Return memes, copies and queries as JSON values; paths are relative to the folder that holds `memes/`."""
        return {
            "memes": [
                {
                    "path": f"memes/{meme.path}",
                    "template": meme.template,
                    "category": meme.category,
                    "caption": meme.caption.splitlines(),
                    "has_description": bool(meme.description),
                }
                for meme in self.memes
            ],
            "duplicates": [
                {
                    "copy": f"memes/{one.path}",
                    "original": f"memes/{one.original}",
                    "transformation": one.change.name.lower(),
                }
                for one in self.duplicates
            ],
            "queries": [
                {
                    "kind": query.kind.value,
                    "query": query.text,
                    "relevant": [f"memes/{path}" for path in query.relevant],
                }
                for query in self.queries()
            ],
        }

    def queries(self) -> tuple[DemoQuery, ...]:
        """Return three queries for each meme with hand-written queries, and all memes that are relevant."""
        copies: dict[str, list[str]] = defaultdict(list)
        for duplicate in self.duplicates:
            copies[duplicate.original].append(duplicate.path)
        alike = {path: group for group in self.variants for path in group}
        found: list[DemoQuery] = []
        for meme in self.memes:
            if meme.asks is None:
                continue
            shows, says, means = meme.asks
            itself = [meme.path]
            # A description fits every variant of the picture; a quotation and a meaning belong to one.
            same = itself + [path for path in alike.get(meme.path, ()) if path != meme.path]
            for kind, text, paths in (
                (QueryKind.DESCRIBES, shows, same),
                (QueryKind.QUOTES, says, itself),
                (QueryKind.MEANS, means, itself),
            ):
                found.append(DemoQuery(kind, text, tuple(paths + [copy for path in paths for copy in copies[path]])))
        return tuple(found)
