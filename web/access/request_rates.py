"""Limits on how often one client may search and send pictures, so that nobody takes the site from others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from flask import Flask, current_app, g, request

from search.errors import MemeticaError
from search.settings import Settings
from web.access.hosts import is_loopback
from web.access.rate_limit import RateLimit, client_network


class Work(StrEnum):
    """What is counted."""

    SEARCH = "searches"  # searches, feeds of a search, similar memes, a meme's page with its similar memes
    UPLOAD = "pictures"  # pictures that visitors send


AUTOMATIC = {Work.SEARCH: 120, Work.UPLOAD: 20}  # a minute: more than a person does, less than a machine can


class TooManyRequests(MemeticaError):
    """A client does more than its share."""

    code = "too_many_requests"
    status = 429

    @classmethod
    def until(cls, message: str, *, seconds: float) -> Self:
        """Return the error that says when to try again."""
        whole = max(1, math.ceil(seconds))
        error = cls(message, hint=f"Try again in {whole} second{'s' if whole > 1 else ''}.")
        error.retry_after = whole
        return error


@dataclass(frozen=True)
class _Limit:
    rate: RateLimit
    spares_loopback: bool


def register(app: Flask, settings: Settings, *, clock: Callable[[], float]) -> None:
    """Give an application its limits by the settings `search_rate` and `upload_rate`."""
    limits: dict[Work, _Limit] = {}
    for work, setting in ((Work.SEARCH, settings.search_rate), (Work.UPLOAD, settings.upload_rate)):
        if setting != "off":
            a_minute = AUTOMATIC[work] if setting == "auto" else int(setting)
            rate = RateLimit(burst=math.ceil(a_minute / 2), refill_seconds=60 / a_minute, clock=clock)
            limits[work] = _Limit(rate, spares_loopback=setting == "auto")
    app.extensions["request_rates"] = limits


def count(work: Work) -> None:
    """Count one piece of work of the current request's client; raise TooManyRequests beyond its limit.

    The requests of a program with an API key are counted by key instead (`web.access.key_requests`).
    """
    if "api_key" in g:
        return
    limit: _Limit | None = current_app.extensions["request_rates"].get(work)
    address = request.remote_addr or ""
    if limit is None or (limit.spares_loopback and is_loopback(address)):
        return
    wait = limit.rate.acquire(client_network(address))
    if wait:
        raise TooManyRequests.until(f"Too many {work.value} from your address.", seconds=wait)
