"""The model hub: its cache on this machine, whether it answers, and the progress of a download from it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from search.encoders.hub_errors import PROXY_WANTS_SIGN_IN, hub_address, named_error, proxy_refuses, session

DOWNLOADS = ".downloads"  # in the folder of models: a hub cache that is removed once the model is exported
STATE_FILE = "download.json"
HUB_SECONDS = 4.0  # longest wait for the hub's first answer
STALE_SECONDS = 30.0  # after which a progress that is not written any more is of a process that was killed


@dataclass(frozen=True)
class HubFile:
    """A file to have: the first of `names` that a repository of the hub holds. It may be missing unless required."""

    repository: str
    names: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True)
class Download:
    """The progress of a download, in bytes and bytes a second; `message` says why it waits, if it does."""

    model: str
    received: int
    total: int
    rate: float = 0.0
    message: str = ""

    @property
    def seconds_left(self) -> float | None:
        """The seconds that the rest takes at this rate; None while the rate is unknown."""
        return (self.total - self.received) / self.rate if self.rate else None


OnDownload = Callable[[Download], None]


def hub_cache() -> Path:
    """Return the folder of weights downloaded from the hub, which all programs that use the hub share."""
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def is_offline() -> bool:
    """Return whether HF_HUB_OFFLINE forbids to ask the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def check_reachable() -> None:
    """Raise ModelUnavailable unless the model hub answers within seconds, with whatever status."""
    import httpx2

    try:
        answer = session().head(hub_address(), timeout=HUB_SECONDS, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise named_error(error, hub_address()) from error
    if answer.status_code == PROXY_WANTS_SIGN_IN:
        raise proxy_refuses("it wants a user name and a password")


def are_cached(files: Sequence[HubFile]) -> bool:
    """Return whether the hub's shared cache has every required file."""
    from huggingface_hub import try_to_load_from_cache

    return all(
        any(isinstance(try_to_load_from_cache(one.repository, name, cache_dir=hub_cache()), str) for name in one.names)
        for one in files
        if one.required
    )


def cached_snapshot(repository: str, name: str, *, cache: Path | None = None) -> Path | None:
    """Return the folder of a repository's files in a hub cache (else the shared one) that has this file, or None."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, name, cache_dir=cache or hub_cache())
    return Path(found).parents[name.count("/")] if isinstance(found, str) else None


def current_download(models: Path) -> Download | None:
    """Return the progress of a download into a folder of models, by whichever process; None when there is none."""
    file = models / DOWNLOADS / STATE_FILE
    try:
        if time.time() - file.stat().st_mtime > STALE_SECONDS:
            return None
        return Download(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remove_download(models: Path) -> None:
    """Remove the downloaded files of a model that is exported: one copy is kept, the exported one."""
    shutil.rmtree(models / DOWNLOADS, ignore_errors=True)
