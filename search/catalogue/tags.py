"""Tags that the curator gives memes: lines of the ledger, by content, so that they survive renames and a new index."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence

from search.catalogue.database import Database
from search.catalogue.verdicts import Verdict, VerdictKind, Verdicts
from search.errors import WrongUse
from search.meme import Meme, name_key

MAX_TAG = 60  # characters


def checked_tag(text: str) -> str:
    """Return a tag as it is kept: in lower case, with single spaces; raise WrongUse for what cannot be one.

    >>> checked_tag("  Reaction   Image ")
    'reaction image'
    """
    tag = name_key(" ".join(text.split()))
    if not tag:
        raise WrongUse("The tag is empty.", hint="Enter a word.")
    if len(tag) > MAX_TAG:
        raise WrongUse(f"A tag has up to {MAX_TAG} characters.", hint="Shorten it.")
    if not tag.isprintable() or any(one in tag for one in '",|\\'):
        raise WrongUse(f"{tag[:40]!r} cannot be a tag.", hint='Leave out , | " and \\.')
    return tag


def listed_tags(text: str) -> list[str]:
    """Return the tags of a text that separates them by commas, each once.

    >>> listed_tags("cat, Work,cat")
    ['cat', 'work']
    """
    return list(dict.fromkeys(checked_tag(one) for one in text.split(",") if one.strip()))


class Tags:
    """The tags of contents, as the standing lines of the ledger give and take them, read again when it has changed."""

    def __init__(self, database: Database, verdicts: Verdicts) -> None:
        self._database = database
        self._verdicts = verdicts
        self._lock = threading.Lock()
        self._known: tuple[int, dict[str, frozenset[str]]] = (-1, {})

    def add(self, memes: Sequence[Meme], tag: str, *, uid: str | None = None) -> Verdict:
        """Give memes a tag and return the ledger's line; raise WrongUse for an invalid tag."""
        return self._write(VerdictKind.TAGGED, memes, tag, uid)

    def give(self, contents: Sequence[str], tag: str, *, paths: Sequence[str]) -> Verdict:
        """Give a tag to contents, which need not be in the library yet, and return the ledger's line."""
        return self._verdicts.add(VerdictKind.TAGGED, contents, paths=paths, about=checked_tag(tag))

    def remove(self, memes: Sequence[Meme], tag: str, *, uid: str | None = None) -> Verdict:
        """Take a tag from memes and return the ledger's line."""
        return self._write(VerdictKind.UNTAGGED, memes, tag, uid)

    def _write(self, kind: VerdictKind, memes: Sequence[Meme], tag: str, uid: str | None) -> Verdict:
        contents = list(dict.fromkeys(meme.content_hash for meme in memes))
        return self._verdicts.add(kind, contents, paths=[meme.path for meme in memes], about=checked_tag(tag), uid=uid)

    def newest(self) -> int:
        """Return a number that is another one whenever tags were given or taken."""
        return self._database.number("SELECT COALESCE(MAX(id), 0) FROM verdicts")

    def contents(self) -> Mapping[str, frozenset[str]]:
        """Return the content hashes that have each tag, by tag."""
        newest = self.newest()
        with self._lock:
            if self._known[0] != newest:
                self._known = newest, self._replayed()
            return self._known[1]

    def _replayed(self) -> dict[str, frozenset[str]]:
        rows = self._database.rows(
            """
            SELECT kind, contents, about FROM verdicts
            WHERE kind IN ('tagged', 'untagged')
              AND uid NOT IN (SELECT undoes FROM verdicts WHERE undoes IS NOT NULL)
            ORDER BY made_at, uid
            """
        )
        found: dict[str, set[str]] = {}
        for row in rows:
            held = found.setdefault(row["about"], set())
            contents = json.loads(row["contents"])
            held.update(contents) if row["kind"] == VerdictKind.TAGGED else held.difference_update(contents)
        return {tag: frozenset(contents) for tag, contents in sorted(found.items()) if contents}

    def of(self, content_hash: str) -> list[str]:
        """Return the tags of a content, sorted."""
        return [tag for tag, contents in self.contents().items() if content_hash in contents]

    def ids(self) -> dict[str, list[int]]:
        """Return the ids of the present memes that have each tag, by tag; a tag that none has is left out."""
        tags = self.contents()
        if not tags:
            return {}
        rows = self._database.rows(
            """
            SELECT id, content_hash FROM memes
            WHERE vanished_at IS NULL AND content_hash IN (SELECT value FROM json_each(:contents)) ORDER BY id
            """,
            {"contents": json.dumps(sorted({content for held in tags.values() for content in held}))},
        )
        found = {tag: [row["id"] for row in rows if row["content_hash"] in contents] for tag, contents in tags.items()}
        return {tag: ids for tag, ids in found.items() if ids}

    def counts(self) -> dict[str, int]:
        """Return how many present memes have each tag, the most frequent first."""
        found = {tag: len(ids) for tag, ids in self.ids().items()}
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    def of_many(self, memes: Iterable[Meme]) -> dict[str, int]:
        """Return how many of some memes have each tag, the most frequent first."""
        contents = [meme.content_hash for meme in memes]
        found = {tag: sum(one in held for one in contents) for tag, held in self.contents().items()}
        return dict(sorted(((tag, many) for tag, many in found.items() if many), key=lambda one: (-one[1], one[0])))
