"""The errors that Memetica raises on purpose.

MemeticaError                a sentence for the reader, and a hint that mends it
├── WrongUse                 the request itself is wrong: an unknown option, a bad query (exit code 2, HTTP 400)
│   └── BadQuery             a query's operator cannot be understood
├── NotFound                 there is no such meme, category or file (HTTP 404)
├── LibraryError             the library's folder is gone or cannot be read
├── UnreadableFile           one file is broken, too large or not what its name says; recorded, the batch goes on
├── DataFolderError          the data folder cannot be opened or written, or belongs to a newer Memetica
├── IndexUnusable            the index is missing, damaged or made by other encoders
├── ModelUnavailable         a model's weights or engine cannot be had here
├── EndpointError            a model's endpoint did not answer one call as asked; recorded, the batch goes on
├── InboxFull                no more uploads are taken until some are decided on (HTTP 507)
└── SuspectedDuplicate       an upload is like a meme that is there: to be added in spite of it, or not (HTTP 409)
"""

from __future__ import annotations


class MemeticaError(Exception):
    """Something that the reader of the message can act on; `hint` says how, and may be empty."""

    code = "error"
    status = 500
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword arguments do not survive a process pool without this.
        return (_revive, (type(self), self.message, self.hint))


def _revive(kind: type[MemeticaError], message: str, hint: str) -> MemeticaError:
    return kind(message, hint=hint)


class WrongUse(MemeticaError):
    """The request itself is wrong."""

    code = "wrong_use"
    status = 400
    exit_code = 2


class BadQuery(WrongUse):
    """A part of a query cannot be understood."""

    code = "bad_query"


class NotFound(MemeticaError):
    """There is no such thing here."""

    code = "not_found"
    status = 404


class LibraryError(MemeticaError):
    """The library's folder is gone or cannot be read."""

    code = "library_unreadable"
    status = 503


class UnreadableFile(MemeticaError):
    """One file cannot be used: broken, too large, or not what its name says."""

    code = "unreadable_file"
    status = 422


class DataFolderError(MemeticaError):
    """The data folder cannot be used as asked."""

    code = "data_folder"
    status = 503


class IndexUnusable(MemeticaError):
    """The index is missing, damaged or was made by other encoders."""

    code = "index_unusable"
    status = 503


class ModelUnavailable(MemeticaError):
    """A model's weights or engine cannot be had on this machine."""

    code = "model_unavailable"
    status = 503


class EndpointError(MemeticaError):
    """A model's endpoint did not answer one call as it was asked to."""

    code = "endpoint"
    status = 502


class InboxFull(MemeticaError):
    """No more uploads are taken until some of those that wait are decided on."""

    code = "inbox_full"
    status = 507


class SuspectedDuplicate(MemeticaError):
    """An upload looks like a meme that is in the library."""

    code = "suspected_duplicate"
    status = 409
