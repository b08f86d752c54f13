"""The catalogue: everything that cost work or a decision, in one SQLite file. The only SQL of Memetica.

`Catalogue` holds the file open and gives access to its tables by subject: `memes`, `texts`, `descriptions`, `pictures`,
`embeddings`, `failures`, `text_reviews`, `leases`, `calls`, `pairs`, `verdicts`, `journal`, `inherited_texts`,
`uploads`. One object may be used from any thread: each living thread has a connection of its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from search.catalogue.calls import Call, CallRecord, Calls, CallSums, Outcome
from search.catalogue.database import Database
from search.catalogue.descriptions import Descriptions
from search.catalogue.embeddings import Embeddings
from search.catalogue.failures import Failures
from search.catalogue.inherited_texts import InheritedTexts
from search.catalogue.journal import PENDING, Journal, Operation, OperationKind, OperationState
from search.catalogue.leases import Lease, Leases
from search.catalogue.memes import MemeRecord, Memes
from search.catalogue.pairs import Pair, Pairs
from search.catalogue.pictures import FingerprintRecord, PictureRecord, Pictures
from search.catalogue.text_reviews import TextReview, TextReviews
from search.catalogue.texts import PassageRow, ReadingRecord, SidecarRecord, Texts
from search.catalogue.uploads import Upload, Uploads, UploadState
from search.catalogue.verdicts import Verdict, VerdictKind, Verdicts
from search.settings import Settings

__all__ = [
    "PENDING",
    "Call",
    "CallRecord",
    "CallSums",
    "Catalogue",
    "FingerprintRecord",
    "Lease",
    "MemeRecord",
    "Operation",
    "OperationKind",
    "OperationState",
    "Outcome",
    "Pair",
    "PassageRow",
    "PictureRecord",
    "ReadingRecord",
    "SidecarRecord",
    "TextReview",
    "Upload",
    "UploadState",
    "Verdict",
    "VerdictKind",
    "open_catalogue",
]


class Catalogue:
    """The truth about a library; close it when done, or use it in a `with`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.memes = Memes(database)
        self.texts = Texts(database)
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

    @property
    def read_only(self) -> bool:
        """Whether the data folder can only be read."""
        return self._database.read_only

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context in which all writes of this thread happen, or none."""
        return self._database.transaction()

    def durable_transaction(self) -> AbstractContextManager[None]:
        """Return a transaction that is on the disk when it ends: a power failure afterwards cannot undo it."""
        return self._database.durable()

    def snapshot(self) -> AbstractContextManager[None]:
        """Return a context in which this thread reads the catalogue as it is at the first question, and only reads."""
        return self._database.snapshot()

    def revision(self) -> int:
        """Return a number that rises whenever something that the index is built from changes."""
        return self._database.revision()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every thread's connection."""
        self._database.close()


def open_catalogue(settings: Settings, *, create: bool = True) -> Catalogue:
    """Return the data folder's catalogue, made or brought up to date; raise DataFolderError when it can't be had."""
    return Catalogue(Database(settings.data / "catalogue.sqlite", create=create))
