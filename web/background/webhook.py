"""Tells another program what happened, by JSON to the address of the setting `webhook`."""

from __future__ import annotations

import json
import logging
import queue
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from search.settings import Settings
from search.system.distribution import __version__

SECONDS = 10.0  # without a byte, after which an attempt has failed
PAUSES = (10.0, 60.0, 600.0)  # seconds before the second, third and last attempt
MOST_WAITING = 100  # messages; while an address is away for long, the oldest are dropped
logger = logging.getLogger("memetica.webhook")


class Webhook:
    """Sends messages from a thread of its own, in order; what is away, busy or fails is tried again.

    `pauses` are the seconds before each further attempt.
    """

    def __init__(self, address: str, *, pauses: Sequence[float] = PAUSES) -> None:
        self._address = address
        self._pauses = pauses
        self._waiting: queue.Queue[Mapping[str, Any]] = queue.Queue(MOST_WAITING)
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)  # starts with the first message

    def send(self, told: Mapping[str, Any]) -> None:
        """Send a message, as soon as those before it are sent or given up; returns at once."""
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()
        while True:
            try:
                return self._waiting.put_nowait(told)
            except queue.Full:
                with suppress(queue.Empty):
                    self._waiting.get_nowait()
                logger.warning("The webhook %s is behind: a message was dropped.", shown(self._address))

    def close(self) -> None:
        """Stop, after an attempt that is under way."""
        self._closed.set()
        if self._thread.is_alive():
            self.send({})  # wakes the thread
            self._thread.join(SECONDS)

    def _run(self) -> None:
        while True:
            told = self._waiting.get()
            for pause in (*self._pauses, None):
                if self._closed.is_set():
                    return
                failure = post(self._address, told)
                if failure is None:
                    break
                again = pause is not None and failure.passes
                said = f"it is tried again in {pause:g} s" if again else "it is not tried again"
                logger.warning("The webhook %s was not told: %s; %s.", shown(self._address), failure.reason, said)
                if not again or self._closed.wait(pause):
                    break


def webhook_of(settings: Settings) -> Webhook | None:
    """Return a webhook to the address of the settings, None without one."""
    return Webhook(settings.webhook) if settings.webhook else None


def message(event: str, **about: Any) -> dict[str, Any]:
    """Return a message: the event, its time, and what it is about.

    >>> list(message("indexed", new=3))
    ['event', 'at', 'new']
    """
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"event": event, "at": now, **about}


@dataclass(frozen=True)
class Failure:
    """Why an address did not take a message, and whether it may take it later."""

    reason: str
    passes: bool


def post(address: str, told: Mapping[str, Any]) -> Failure | None:
    """Send a message as JSON, and return why it was not taken, None when it was. Redirects are not followed."""
    headers = {"Content-Type": "application/json", "User-Agent": f"Memetica/{__version__}"}
    try:
        request = urllib.request.Request(address, json.dumps(told).encode(), headers)
        with _OPENER.open(request, timeout=SECONDS):
            return None
    except HTTPError as error:
        error.close()
        said = f"it answered {error.code}"
        if 300 <= error.code < 400:
            said += ", and redirects are not followed"
        return Failure(said, passes=error.code in (408, 425, 429) or error.code >= 500)
    except (OSError, HTTPException, ValueError) as error:  # away, or what answers speaks no HTTP
        return Failure(str(getattr(error, "reason", error)) or type(error).__name__, passes=True)


def shown(address: str) -> str:
    """Return an address without what may be secret in it: the path and the query of many are keys.

    >>> shown("https://name:word@hooks.example:8443/T0/B1/secret?token=x")
    'https://hooks.example:8443/…'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: one of a POST would become a GET without the message, at an address that nobody named."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stays)
