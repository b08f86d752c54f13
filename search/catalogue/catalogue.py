"""The Catalogue class: one open catalogue, with an attribute for each group of tables."""

from __future__ import annotations

import hashlib
import logging
from contextlib import AbstractContextManager
from pathlib import Path

from search.catalogue.batches import Batches
from search.catalogue.calls import Calls
from search.catalogue.database import Database
from search.catalogue.descriptions import Descriptions
from search.catalogue.embeddings import Embeddings
from search.catalogue.failures import Failures
from search.catalogue.gathering import Gathered, gather
from search.catalogue.inherited_texts import InheritedTexts
from search.catalogue.journal import Journal
from search.catalogue.leases import Leases
from search.catalogue.memes import Memes
from search.catalogue.pairs import Pairs
from search.catalogue.pictures import Pictures
from search.catalogue.readings import Readings
from search.catalogue.tags import Tags
from search.catalogue.text_reviews import TextReviews
from search.catalogue.texts import Texts
from search.catalogue.uploads import Uploads
from search.catalogue.verdicts import Verdicts
from search.settings import Settings
from search.system.private_folder import make_private

logger = logging.getLogger("memetica.data")
# Tables with vectors, which the index has, and with work in progress.
_NO_CONTENTS = {"embeddings", "fingerprints", "passages", "sqlite_sequence"}
_NO_CONTENTS |= {"leases", "calls", "uploads", "batches", "batch_items"}


class Catalogue:
    """The stored data about a library, by subject. Close it after use, or use it in a `with` statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.memes = Memes(database)
        self.texts = Texts(database)
        self.readings = Readings(database)
        self.pictures = Pictures(database)
        self.embeddings = Embeddings(database)
        self.descriptions = Descriptions(database)
        self.failures = Failures(database)
        self.text_reviews = TextReviews(database)
        self.leases = Leases(database)
        self.calls = Calls(database)
        self.pairs = Pairs(database)
        self.verdicts = Verdicts(database)
        self.journal = Journal(database)
        self.inherited_texts = InheritedTexts(database)
        self.uploads = Uploads(database)
        self.batches = Batches(database)
        self.tags = Tags(database, self.verdicts)

    @property
    def read_only(self) -> bool:
        """Whether the data folder can only be read."""
        return self._database.read_only

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context in which all writes of this thread happen together or not at all."""
        return self._database.transaction()

    def durable_transaction(self) -> AbstractContextManager[None]:
        """Return a transaction that is on the disk when it ends: a power failure afterwards cannot undo it."""
        return self._database.durable()

    def snapshot(self) -> AbstractContextManager[None]:
        """Return a context in which this thread reads the catalogue as it is at its first query, and does not write."""
        return self._database.snapshot()

    def revision(self) -> int:
        """Return a number that rises whenever something that the index is built from changes.

        Changes within `separately_indexed` do not raise it: they are marked as unindexed until the index is updated.
        """
        return self._database.revision()

    def contents_digest(self) -> bytes:
        """Return the SHA-256 of what pages about memes are made from: all but vectors, uploads, and work in progress.

        It takes about a second for a gigabyte of texts.

        >>> before = workspace.catalogue.contents_digest()
        >>> before == workspace.catalogue.contents_digest()
        True
        """
        digest = hashlib.sha256()
        with self.snapshot():
            for table in self._database.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
                if table["name"] not in _NO_CONTENTS:
                    digest.update(table["name"].encode())
                    for row in self._database.stream(f'SELECT * FROM "{table["name"]}"'):
                        digest.update(repr(tuple(row)).encode())
        return digest.digest()

    def changes(self) -> tuple[int, int]:
        """Return a value that is another one whenever any thread or process has changed the catalogue since."""
        return self._database.changes()

    def separately_indexed(self) -> AbstractContextManager[None]:
        """Return a context in which this thread's changes are marked as unindexed, or are being indexed."""
        return self._database.separately_indexed()

    def is_indexed(self, revision: int) -> bool:
        """Return whether an index of this revision has everything: nothing changed since or waits to be indexed."""
        return revision == self.revision() and not self.uploads.unindexed() and not self.journal.unindexed()

    def gather(self, file: Path, *, decoder: str) -> Gathered:
        """Take over the pictures by `decoder`, texts and embeddings that another catalogue has and this one lacks."""
        return gather(self._database, file, decoder=decoder)

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every thread's connection."""
        self._database.close()


def open_catalogue(settings: Settings, *, create: bool = True, migrate: bool = False) -> Catalogue:
    """Return the catalogue of the data folder, created when it is missing and `create` is given.

    A catalogue of an earlier version is copied to `backups` and brought up to date with `migrate`, and refused without.
    A restore that was interrupted is finished first. Raises DataFolderError when the catalogue is missing, damaged, of
    another version, or cannot be written.

    >>> with open_catalogue(Settings(data=folder)) as catalogue:
    ...     catalogue.memes.count()
    0
    """
    catalogue = Catalogue(Database(settings.data / "catalogue.sqlite", create=create, migrate=migrate))
    for sentence in make_private(settings.data, library=settings.library):
        if migrate:  # `index` and `serve` tell it, not every search
            logger.warning(sentence)
    return catalogue


def inspect_catalogue(settings: Settings) -> Catalogue:
    """Return the catalogue of the data folder to be read only: nothing is created, migrated, finished or written.

    Raises DataFolderError as `open_catalogue` does.

    >>> with inspect_catalogue(workspace.settings) as catalogue:
    ...     catalogue.memes.count()
    9
    """
    return Catalogue(Database(settings.data / "catalogue.sqlite", create=False, inspect=True))
