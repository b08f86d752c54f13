"""The connection to a Qdrant server: its address, deadlines, repeated requests, and its errors in ours."""

from __future__ import annotations

import json
import ssl
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from search.errors import IndexUnusable, WrongUse

PREFIX = "qdrant:"
ATTEMPTS = 3  # of a request whose answer did not come
FIRST_PAUSE = 0.2  # seconds before the second attempt, twice as many before the third
PAGE = 5_000  # points of one page of a list
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BUSY = (429, 502, 503, 504)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # in the message of the TLS library
_AWAY = "Start it, or check `index_engine`; without it, the index on this machine answers, where there is one."

Result = TypeVar("Result")


class EngineAway(IndexUnusable):
    """The engine that keeps the index does not answer."""


@dataclass(frozen=True)
class QdrantAddress:
    """Where a library's index lies: a server, and the alias of the library's live collection there."""

    url: str
    alias: str

    @classmethod
    def parse(cls, text: str) -> QdrantAddress:
        """Return the address in `qdrant:URL`, or `qdrant:URL/ALIAS`; raise WrongUse for another text.

        >>> QdrantAddress.parse("qdrant:https://search.example.org:6333/memes")
        QdrantAddress(url='https://search.example.org:6333', alias='memes')
        """
        parts = urlsplit(text.removeprefix(PREFIX))
        alias = parts.path.strip("/") or "memetica"
        fits = text.startswith(PREFIX) and parts.scheme in ("http", "https") and parts.hostname and "/" not in alias
        if not fits or parts.username or parts.query or parts.fragment:
            raise WrongUse(
                f"{text!r} is not the address of an index.",
                hint="Write qdrant:http://HOST:6333 or qdrant:https://HOST:6333/NAME; a key goes into the setting "
                "`qdrant_key`.",
            )
        return cls(f"{parts.scheme}://{parts.netloc}", alias)


def connect(url: str, *, key: str = "", seconds: float = 10, certificate: Path | None = None) -> QdrantClient:
    """Return a client of a server; nothing is sent yet.

    `key` is the server's API key, `certificate` a file of the authorities that its certificate is checked by. Raises
    WrongUse when that file cannot be read.
    """
    more: dict[str, Any] = {}
    if certificate is not None:
        try:
            more["verify"] = ssl.create_default_context(cafile=certificate)
        except OSError as error:  # SSLError for a file of something else is one
            raise WrongUse(
                f"{certificate} is no file of certificates: {error.strerror or error}.",
                hint="Set `qdrant_certificate` to one in PEM form, or to nothing for the system's authorities.",
            ) from error
    parts = urlsplit(url)
    with warnings.catch_warnings():
        if parts.hostname in _LOOPBACK:  # what stays on this machine need not be encrypted
            warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return QdrantClient(
            url=url,
            port=None if parts.port else 6333,
            api_key=key or None,
            timeout=max(1, round(seconds)),
            check_compatibility=False,  # it would ask the server when the client is made
            **more,
        )


class Connection:
    """A client with one alias, whose requests are repeated where the server does not answer."""

    def __init__(self, client: Any, alias: str, *, place: str = "Qdrant") -> None:
        self.client = client
        self.alias = alias
        self.place = place

    def ask(self, request: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
        """Return the answer to a request that may be repeated; raise EngineAway or IndexUnusable."""
        for attempt in range(ATTEMPTS):
            try:
                return request(*arguments, **options)
            except UnexpectedResponse as error:
                if error.status_code not in _BUSY:
                    raise self._refused(error) from error
                reason: Exception = error
            except (ResponseHandlingException, ApiException, QdrantException, OSError) as error:
                # A QdrantException is a busy server, too, which says when to ask again.
                if _UNTRUSTED in str(error):
                    raise IndexUnusable(
                        f"The certificate of {self.place} is signed by nobody whom this system knows.",
                        hint="Set `qdrant_certificate` to the file of its authority.",
                    ) from error
                reason = getattr(error, "source", error)
            except (ValueError, AssertionError) as error:  # no JSON, or without a result
                reason = error
            if attempt < ATTEMPTS - 1:
                time.sleep(FIRST_PAUSE * 2**attempt)
        if isinstance(reason, ValueError | AssertionError):
            raise EngineAway(f"{self.place} answers, but not as a Qdrant server does.", hint=_AWAY) from reason
        raise EngineAway(f"{self.place} does not answer: {_first_line(reason)}.", hint=_AWAY) from reason

    def _refused(self, error: UnexpectedResponse) -> IndexUnusable:
        if error.status_code in (401, 403):
            return IndexUnusable(f"{self.place} refuses the key.", hint="Set MEMETICA_QDRANT_KEY to its API key.")
        return IndexUnusable(f"{self.place} answered {error.status_code}: {_reason_of(error)}.", hint=_AWAY)

    def scroll(
        self, collection: str, where: models.Filter, *, payload: Sequence[str] | bool = False, page: int = PAGE
    ) -> Iterator[models.Record]:
        """Yield all points that pass a filter."""
        offset = None
        while True:
            points, offset = self.ask(
                self.client.scroll,
                collection,
                scroll_filter=where,
                limit=page,
                offset=offset,
                with_payload=payload,
                with_vectors=False,
            )
            yield from points
            if offset is None:
                return


def _reason_of(error: UnexpectedResponse) -> str:
    """Return what the server says of a refused request."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(error.content)["status"]["error"]).rstrip(".")
    return _first_line(error)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].rstrip(".")
