"""Every exception class of Memetica, with its error code, HTTP status and exit code.

MemeticaError                what happened, and a hint on what to do about it
├── WrongUse                 the request is wrong: an unknown option, an impossible page (exit code 2, HTTP 400)
│   └── WrongState           what is asked for does not fit the state of a thing, such as undoing twice (HTTP 409)
├── NotFound                 there is no such meme, category or file (HTTP 404)
├── LibraryError             the library's folder is missing or cannot be read
├── UnreadableFile           a file is damaged, too large or not what its name says; recorded, the batch goes on
├── DecodingFailed           our own code failed to decode a file, which says nothing about the file; recorded
├── DataFolderError          the data folder cannot be opened or written, or was made by a newer Memetica
├── IndexUnusable            the index is missing, damaged or made by other encoders
├── ModelUnavailable         a model's weights or engine are not available on this machine
├── MissingExtra             packages that few people need, and this command does, are not installed
├── EndpointError            a model's endpoint did not answer a call as expected; recorded, the batch goes on
├── TooBusy                  too much is asked of this server at once; it may be asked again soon (HTTP 503)
├── InboxFull                no more uploads are accepted until some are decided on (HTTP 507)
└── SuspectedDuplicate       an upload looks like a meme of the library: the curator must confirm it (HTTP 409)
"""

from __future__ import annotations


class MemeticaError(Exception):
    """An error that the user can act on; `hint` says how, and may be empty. A traceback ends with it.

    >>> MemeticaError("There is no index.", hint="Run `memetica index`.").hint
    'Run `memetica index`.'
    """

    code = "error"
    status = 500
    exit_code = 1
    retry_after: int | None = None  # seconds after which the same request may succeed

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword arguments do not survive a process pool without this.
        return (_revive, (type(self), self.message, self.hint))


def _revive(kind: type[MemeticaError], message: str, hint: str) -> MemeticaError:
    return kind(message, hint=hint)


class WrongUse(MemeticaError):
    """The request is wrong."""

    code = "wrong_use"
    status = 400
    exit_code = 2


class WrongState(WrongUse):
    """The request does not fit the state of what it is about: it would have been right before, or will be later."""

    code = "wrong_state"
    status = 409


class NotFound(MemeticaError):
    """There is no such meme, category or file."""

    code = "not_found"
    status = 404


class LibraryError(MemeticaError):
    """The library's folder is missing or cannot be read."""

    code = "library_unreadable"
    status = 503


class UnreadableFile(MemeticaError):
    """A file is damaged, too large, or not what its name says."""

    code = "unreadable_file"
    status = 422


class DecodingFailed(MemeticaError):
    """Our own code failed to decode a file: nothing is said about the file."""

    code = "decoding_failed"


class DataFolderError(MemeticaError):
    """The data folder cannot be opened or written."""

    code = "data_folder"
    status = 503


class IndexUnusable(MemeticaError):
    """The index is missing, damaged or was made by other encoders."""

    code = "index_unusable"
    status = 503


class ModelUnavailable(MemeticaError):
    """A model's weights or engine are not available on this machine."""

    code = "model_unavailable"
    status = 503


class MissingExtra(MemeticaError):
    """Packages that few people need, and this command does, are not installed."""

    code = "missing_extra"


class EndpointError(MemeticaError):
    """A model's endpoint did not answer a call as expected."""

    code = "endpoint"
    status = 502


class TooBusy(MemeticaError):
    """Too much is asked of this server at once; the same request may succeed soon."""

    code = "too_busy"
    status = 503
    retry_after = 3


class InboxFull(MemeticaError):
    """No more uploads are accepted until some of the waiting ones are decided on."""

    code = "inbox_full"
    status = 507


class SuspectedDuplicate(MemeticaError):
    """An upload looks like a meme that is in the library."""

    code = "suspected_duplicate"
    status = 409
