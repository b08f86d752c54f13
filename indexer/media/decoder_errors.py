"""Tell what a decoder raises about a file's bytes from a mistake in our own code, which says nothing about the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from search.errors import UnreadableFile

MEMORY_MESSAGE = "Decoding it takes more memory than is allowed."
MEMORY_HINT = "Save it again with fewer pixels or frames."

# Packages that parse a file's bytes in Python: on hostile ones, anything may be raised from within them.
_DECODERS = ("PIL",)
# Errors that a wrong call raises. From another place than within a decoder they are ours: a PyAV that had dropped an
# argument of `av.open` made every video "broken".
_MISTAKES = (AssertionError, AttributeError, ImportError, NameError, TypeError)


class DamagedFile(UnreadableFile):
    """A decoder cannot read a file's bytes; a more lenient one may."""


def is_about_the_file(error: Exception) -> bool:
    """Return whether an error raised while a file was decoded is about its bytes, and no mistake of our own code.

    >>> is_about_the_file(ValueError("cannot decode")), is_about_the_file(TypeError("unexpected argument"))
    (True, False)
    """
    if not isinstance(error, _MISTAKES):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0] in _DECODERS


@contextmanager
def decoder_errors_as_unreadable() -> Iterator[None]:
    """Raise what decoders say about a file as DamagedFile; mistakes of our own are raised as they are."""
    try:
        yield
    except UnreadableFile:
        raise
    except MemoryError as error:
        raise UnreadableFile(MEMORY_MESSAGE, hint=MEMORY_HINT) from error
    except Exception as error:
        if not is_about_the_file(error):
            raise
        reason = str(error).strip().rstrip(".") or type(error).__name__
        cut = any(word in reason.lower() for word in ("truncated", "not processed", "unexpected end", "eof"))
        how = "It is incomplete or damaged at its end" if cut else "It is damaged"
        raise DamagedFile(f"{how}: {reason}.", hint="Copy or save it again.") from error
