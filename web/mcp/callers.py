"""Who calls a tool, and what they may do: the owner of the data folder by a pipe, anybody by HTTP, keys by both."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from search.errors import MemeticaError
from search.settings import Settings
from web.access.keys import ApiKey, Scope, find_key
from web.access.rate_limit import KeyRates, RateLimit, client_network

VISITORS_PER_MINUTE = 120


class Forbidden(MemeticaError):
    """The caller may not use a tool."""

    code = "not_allowed"
    status = 403


@dataclass(frozen=True)
class Caller:
    """Where a call comes from: `address` is empty for a pipe; `key` is what was sent or given, empty for none."""

    address: str = ""
    key: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the caller is a program that the owner of the data folder started."""
        return not self.address


class Callers:
    """Checks calls against scopes and rates."""

    def __init__(self, settings: Settings, *, find: Callable[[str], ApiKey | None] | None = None) -> None:
        self._settings = settings
        self._find = find or (lambda key: find_key(settings.data, key))
        self._keys = KeyRates()
        self._visitors = RateLimit(burst=VISITORS_PER_MINUTE // 2, refill_seconds=60 / VISITORS_PER_MINUTE)

    def check(self, caller: Caller, scope: Scope) -> ApiKey | None:
        """Return the caller's key, None for one that needs none; raise Forbidden, also beyond a rate.

        The owner may read and get suggestions. By HTTP, visitors may read unless the site is closed, and get
        suggestions with the setting `open_suggestions`. An upload always needs a key.
        """
        key = self._find(caller.key) if caller.key else None
        if caller.key and key is None:
            raise Forbidden("This API key is unknown or was revoked.", hint="`memetica keys add NAME` makes a new one.")
        needs_none = {
            Scope.READ: caller.is_local or not self._settings.closed,
            Scope.SUGGEST: caller.is_local or self._settings.open_suggestions,
            Scope.UPLOAD: False,
        }[scope]
        if not needs_none and key is None:
            raise Forbidden(
                f"This needs an API key that may {scope}.",
                hint=f"The curator makes one: memetica keys add NAME --may {scope}; set it up as MEMETICA_KEY, or "
                "by HTTP as the header `Authorization: Bearer KEY`.",
            )
        if not needs_none and key is not None and scope not in key.scopes:
            raise Forbidden(f"The key {key.name!r} may not {scope}; it may {', '.join(key.scopes)}.")
        self._count(caller, key)
        return key

    def _count(self, caller: Caller, key: ApiKey | None) -> None:
        if key is not None:
            wait = self._keys.acquire(key.hash, per_minute=key.per_minute)
        else:
            wait = 0.0 if caller.is_local else self._visitors.acquire(client_network(caller.address))
        if wait:
            raise Forbidden("Too many calls.", hint=f"Try again in {max(1, math.ceil(wait))} s.")
