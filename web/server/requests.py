"""A request as the server reads it: refused by its headers when its body would be too large, before it is stored."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from waitress.parser import HTTPRequestParser
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

from search.errors import MemeticaError
from web.errors import UnreadableRequest, too_large

MAX_CHUNK_LINE = 1024  # bytes between two chunks of a body; waitress has no limit, and joins them again and again

BodyLimit = Callable[[str], int]


class NoRoom(Error):
    """The bodies that are being received fill the space for them."""

    code = 503
    reason = "Service Unavailable"


class Request(HTTPRequestParser):
    """One request that is being received.

    `body_limit` returns the largest body of a path in bytes; `has_room` whether a request's body may be stored now.
    """

    def __init__(
        self,
        adjustments: object,
        *,
        body_limit: BodyLimit,
        has_room: Callable[[Request], bool],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(adjustments)
        self.began = clock()
        self.limit = 0  # bytes of the body, from when the headers are known
        self.command, self.path = "GET", "/"  # of a request that cannot be parsed
        self._body_limit = body_limit
        self._has_room = has_room

    @property
    def promised(self) -> int:
        """How many bytes of its body may yet have to be stored, with those that are."""
        if self.body_rcv is None or self.error:
            return 0
        return self.limit if self.chunked else self.content_length

    def received(self, data: bytes) -> int:
        """Take the next bytes of the connection; return how many of them belong to this request."""
        in_head = not self.headers_finished
        if in_head and len(self.header_plus) < 8192:
            self._note_address(self.header_plus + data)
        path = self.path
        try:
            consumed: int = super().received(data)
        except ValueError:  # a length of thousands of digits
            self.error, self.completed, consumed = BadRequest("a header is invalid"), True, len(data)
        if in_head and self.headers_finished and not self.error:
            self._judge_headers()
        elif self.chunked and self.body_rcv is not None and not self.error:
            self._judge_chunks()
        if self.error:
            self.expect_continue = False  # else waitress asks for the body that it refuses
            if self.path == "/":
                self.path = path  # waitress forgets the address of a request whose headers are too large
        return consumed

    def _note_address(self, head: bytes) -> None:
        parts = head.lstrip().split(b" ", 2)
        if len(parts) > 1 and parts[1].startswith(b"/"):
            self.path = unquote_to_bytes(parts[1].partition(b"?")[0]).decode("latin-1")

    def _judge_headers(self) -> None:
        self.limit = self._body_limit("/" + self.path.lstrip("/"))
        if self.content_length > self.limit:
            self._refuse(RequestEntityTooLarge("by its header"))
        elif self.promised > self.adj.inbuf_overflow and not self._has_room(self):
            self._refuse(NoRoom("too many bodies"))

    def _judge_chunks(self) -> None:
        if len(self.body_rcv) > self.limit:
            self._refuse(RequestEntityTooLarge("in chunks"))
        elif max(len(self.body_rcv.control_line), len(self.body_rcv.trailer)) > MAX_CHUNK_LINE:
            self._refuse(BadRequest("a chunk's line is too long"))

    def _refuse(self, error: Error) -> None:
        self.error, self.completed = error, True
        if self.body_rcv is not None:
            self.body_rcv.getbuf().close()

    def explained(self) -> MemeticaError:
        """Return the error of a request that was refused, for its page or its JSON."""
        code = int(self.error.code)
        if code == 413:
            return too_large(self.limit or self._body_limit("/" + self.path.lstrip("/")))
        if code == 431:
            limit = f"{self.adj.max_request_header_size // 1024} kB"
            return UnreadableRequest(431, f"The address and headers are too large: the limit is {limit}.")
        if code == 503:
            error = UnreadableRequest(503, "Too many uploads are being received.", hint="Try again in a few seconds.")
            error.retry_after = 10
            return error
        return UnreadableRequest(code, "The request cannot be understood: it is not valid HTTP/1.1.")
