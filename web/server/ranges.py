"""Parts of files, sent by the server's loop like whole files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from werkzeug.wsgi import _RangeWrapper

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def file_ranges(application: Application) -> Application:
    """Return an application whose answers to `Range` requests for files are sent by the server's loop.

    Waitress sends an open file without a thread, but a part of one, as every browser asks for a video, through the
    thread of the request, which waits for the client: eight who read slowly would occupy them all.
    """

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = application(environ, start_response)
        if isinstance(answer, _RangeWrapper) and isinstance(answer.iterable, ReadOnlyFileBasedBuffer):
            file = answer.iterable
            if file.seekable():  # the length of the part is the answer's Content-Length
                file.seek(answer.start_byte)
                return file  # type: ignore[return-value]
        return answer

    return wrapped
