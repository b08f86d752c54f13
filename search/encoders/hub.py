"""Download a model's files from the model hub: resumed, compared with their digests, each error named for what it is.

The files are laid out as the hub's own cache, so that open_clip and transformers load them offline. Requests are
huggingface_hub's; what is kept between them, and what is said, is ours (docs/decisions/0021-own-model-download.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from search.atomic_write import write_atomically
from search.errors import DataFolderError, ModelUnavailable

DOWNLOADS = ".downloads"  # in the folder of models: a hub cache that is removed once the model is exported
STATE_FILE = "download.json"
HUB_SECONDS = 4.0  # longest wait for the hub's first answer
READ_SECONDS = 20.0  # longest wait for more bytes
BUSY_SECONDS = 60.0  # how long a busy hub is asked again
STATE_SECONDS = 0.5  # between two writes of the progress
STALE_SECONDS = 30.0  # after which a progress that is not written any more is of a process that was killed
_BUSY = {408, 429, 500, 502, 503, 504}
NOT_FOUND, PARTIAL_CONTENT = 404, 206
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # git's SHA-1 of a commit or a small file, SHA-256 of a large one


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


def hub_address() -> str:
    """Return the model hub's address."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def hub_cache() -> Path:
    """Return the folder of weights downloaded from the hub, which all programs that use the hub share."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def is_offline() -> bool:
    """Return whether HF_HUB_OFFLINE forbids to ask the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def check_reachable() -> None:
    """Raise ModelUnavailable unless the model hub answers within seconds, with whatever status."""
    import httpx2

    try:
        httpx2.head(hub_address(), timeout=HUB_SECONDS, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _named(error, hub_address()) from error


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


def list_repository(models: Path, repository: str, *, on_download: OnDownload | None = None) -> list[str]:
    """Return the names of a repository's files; raise ModelUnavailable when the hub does not answer or lacks it.

    While the hub is busy it is asked again, with a report to `on_download`.
    """
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    folder = models / DOWNLOADS
    folder.mkdir(parents=True, exist_ok=True)
    address = f"{hub_address()}/api/models/{repository}/tree/main"

    def ask() -> Any:
        response = get_session().get(
            address,
            params={"recursive": "true"},
            headers=build_hf_headers(library_name="memetica"),
            timeout=HUB_SECONDS,
            follow_redirects=True,
        )
        hf_raise_for_status(response)
        return response.json()

    transfer = _Transfer(folder, repository, on_download or (lambda progress: None))
    try:
        # A page has a thousand files: more than any model's.
        listed = transfer.asking(ask, HubFile(repository, ()))
        return [str(one["path"]) for one in listed if one["type"] == "file"]
    except (ValueError, KeyError, TypeError) as error:
        raise _no_hub() from error
    finally:
        (folder / STATE_FILE).unlink(missing_ok=True)


def current_download(models: Path) -> Download | None:
    """Return the progress of a download into a folder of models, by whichever process; None when there is none."""
    file = models / DOWNLOADS / STATE_FILE
    try:
        if time.time() - file.stat().st_mtime > STALE_SECONDS:
            return None
        return Download(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def download(models: Path, model: str, files: Sequence[HubFile], *, on_download: OnDownload | None = None) -> Path:
    """Download files and return the folder that holds them, laid out as a hub cache.

    What an earlier call received is not received again. Raises ModelUnavailable when the hub does not answer, refuses,
    lacks a file, stays busy or sends what it did not announce; DataFolderError when the disk is too full.
    """
    from filelock import FileLock, Timeout

    folder = models / DOWNLOADS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock", timeout=0):
            return _Transfer(folder, model, on_download or (lambda progress: None)).run(files)
    except Timeout as error:
        raise ModelUnavailable(
            f"Another process is downloading a model into {models}.", hint="`memetica status` shows how far it is."
        ) from error
    except OSError as error:
        raise DataFolderError(
            f"The download cannot be written to {folder}: {error.strerror or error}.",
            hint="Free some space, or choose another data folder with `--data`. The download goes on where it was.",
        ) from error


def remove_download(models: Path) -> None:
    """Remove the downloaded files of a model that is exported: one copy is kept, the exported one."""
    shutil.rmtree(models / DOWNLOADS, ignore_errors=True)


@dataclass
class _Announced:
    """What the hub announces of a file."""

    file: HubFile
    name: str
    url: str
    commit: str
    etag: str
    size: int
    headers: dict[str, str]


@dataclass
class _Transfer:
    folder: Path
    model: str
    on_download: OnDownload
    received: int = 0
    total: int = 0
    message: str = ""
    _started: tuple[float, int] = (0.0, 0)
    _written: float = 0.0

    def run(self, files: Sequence[HubFile]) -> Path:
        found = [one for one in map(self._announced, files) if one is not None]
        self.total = sum(one.size for one in found)
        self.received = sum(self._present(one) for one in found)
        self._check_space(found)
        self._started = (time.monotonic(), self.received)
        try:
            for one in found:
                self._fetch(one)
        finally:
            (self.folder / STATE_FILE).unlink(missing_ok=True)
        return self.folder

    def tell(self, message: str | None = None) -> None:
        """Report the progress to the caller, and to other processes by a file."""
        if message is not None:
            self.message = message
        begun, before = self._started
        seconds = time.monotonic() - begun
        rate = (self.received - before) / seconds if begun and seconds > 1 else 0.0
        progress = Download(self.model, self.received, self.total, rate, self.message)
        self.on_download(progress)
        if message or time.monotonic() - self._written > STATE_SECONDS:
            self._written = time.monotonic()
            write_atomically(self.folder / STATE_FILE, json.dumps(vars(progress)).encode("utf-8"), private=True)

    def _announced(self, file: HubFile) -> _Announced | None:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.utils import build_hf_headers

        for name in file.names:
            url = hf_hub_url(file.repository, name, endpoint=hub_address())
            headers = build_hf_headers(library_name="memetica")

            def ask(url: str = url, headers: dict[str, str] = headers) -> Any:
                return get_hf_file_metadata(url, timeout=HUB_SECONDS, headers=headers, endpoint=hub_address())

            meta = self.asking(ask, file, optional=True)
            if meta is None:
                continue
            # Both become names of files.
            is_named = all(_DIGEST.fullmatch(one or "") for one in (meta.commit_hash, meta.etag))
            if not is_named or meta.size is None:
                raise _no_hub()
            if urlsplit(meta.location).netloc != urlsplit(url).netloc:
                headers.pop("authorization", None)  # the hub's token is not for the network that delivers its files
            return _Announced(file, name, meta.location, meta.commit_hash, meta.etag, meta.size, headers)
        if file.required:
            raise ModelUnavailable(
                f"The model hub has no {file.repository}/{file.names[0]}.",
                hint="Check the model's name with `memetica models`; it may have been renamed or withdrawn.",
            )
        return None

    def _place(self, one: _Announced) -> Path:
        repository = self.folder / f"models--{one.file.repository.replace('/', '--')}"
        return repository / "snapshots" / one.commit / one.name

    def _part(self, one: _Announced) -> Path:
        return self.folder / f"{one.etag}.part"

    def _present(self, one: _Announced) -> int:
        if self._place(one).is_file():
            return one.size
        part = self._part(one)
        if part.is_file() and part.stat().st_size > one.size:
            part.unlink()
        return part.stat().st_size if part.is_file() else 0

    def _check_space(self, found: Sequence[_Announced]) -> None:
        # The exported model is about as large as its weights, and both are there for a moment.
        needed = 2 * self.total - self.received
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise DataFolderError(
                f"{self.model} needs {needed / 1e6:,.0f} MB in {self.folder.parent} while it is prepared; "
                f"{free / 1e6:,.0f} MB are free.",
                hint="Free some space, or choose another data folder with `--data`.",
            )

    def _fetch(self, one: _Announced) -> None:
        place = self._place(one)
        if place.is_file():
            return
        part = self._part(one)
        self.tell()

        self.asking(lambda: self._receive(one, part), one.file, receiving=True)
        if _digest(part, one.etag) != one.etag:
            part.unlink()
            raise ModelUnavailable(
                f"{one.file.repository}/{one.name} arrived damaged: its digest is not the one that the hub announces.",
                hint="Run the command again; the file is downloaded anew.",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        part.replace(place)
        reference = place.parents[1 + one.name.count("/") + 1] / "refs" / "main"
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(one.commit, "utf-8")

    def _receive(self, one: _Announced, part: Path) -> None:
        """Append to a part what is missing of it."""
        from huggingface_hub.utils import get_session, hf_raise_for_status

        with part.open("ab") as file:
            begin = file.tell()
            if begin == one.size:
                return
            headers = {**one.headers, "Range": f"bytes={begin}-", "Accept-Encoding": "identity"}
            with get_session().stream(
                "GET", one.url, headers=headers, timeout=READ_SECONDS, follow_redirects=True
            ) as response:
                if response.is_error:
                    response.read()
                hf_raise_for_status(response)
                if response.status_code != PARTIAL_CONTENT:  # the whole file comes anew
                    file.truncate(0)
                    self.received -= begin
                # huggingface_hub writes blocks of 10 MB: a slow line would show nothing for minutes, and lose them.
                for block in response.iter_raw():
                    file.write(block)
                    self.received += len(block)
                    self.message = ""
                    self.tell()

    def asking(self, ask: Callable[[], Any], file: HubFile, *, optional: bool = False, receiving: bool = False) -> Any:
        """Return what `ask` returns, tried again while the hub is busy; None for an optional file that it lacks.

        While `receiving`, it is also tried again after a cut connection, until nothing has come for BUSY_SECONDS.
        """
        import httpx2

        deadline, pause = time.monotonic() + BUSY_SECONDS, 2.0
        while True:
            before = self.received
            try:
                return ask()
            except (httpx2.HTTPError, OSError) as error:
                status = _status(error)
                if optional and status == NOT_FOUND:
                    return None
                cut = receiving and isinstance(error, httpx2.TransportError)
                if cut and self.received > before:
                    deadline, pause = time.monotonic() + BUSY_SECONDS, 2.0
                    continue  # what came is kept
                wait = _retry_after(error) or pause
                if not (cut or status in _BUSY) or time.monotonic() + wait > deadline:
                    raise _named(error, file.repository) from error
            until = datetime.fromtimestamp(time.time() + wait)
            trouble = "does not answer" if cut else f"is busy ({status})"
            self.tell(f"The model hub {trouble}; trying again at {until:%H:%M:%S}.")
            time.sleep(wait)
            pause = min(2 * pause, 20.0)


def _no_hub() -> ModelUnavailable:
    return ModelUnavailable(
        f"{hub_address()} does not answer as a model hub does.",
        hint="Check HF_ENDPOINT and your proxy; a network that wants a sign-in answers like this too.",
    )


def _named(error: Exception, what: str) -> Exception:
    """Return the error that says what happened, and what to do, for an error of the hub's client."""
    import httpx2

    hub, status = hub_address(), _status(error)
    goes_on = "run the command again; the download goes on where it was."
    if status == 401:
        return ModelUnavailable(
            f"The model hub does not know who asks for {what} (401).",
            hint="Set HF_TOKEN to a token of your account at the hub, or check the one that is set.",
        )
    if status == 403:
        return ModelUnavailable(
            f"The model hub does not let you have {what} (403).",
            hint=f"Agree to its terms at {hub}/{what}, with the account of your HF_TOKEN.",
        )
    if status == NOT_FOUND:
        return ModelUnavailable(
            f"The model hub has no {what} (404).", hint="Check the model's name with `memetica models`."
        )
    if status:
        kind = "is busy or broken" if status in _BUSY else "refuses the request"
        return ModelUnavailable(f"The model hub {hub} {kind} ({status}).", hint=f"Later, {goes_on}")
    if isinstance(error, httpx2.ProxyError):
        return ModelUnavailable(
            f"The proxy between here and the model hub {hub} does not let the request through: {error}.",
            hint="Check HTTPS_PROXY and HTTP_PROXY, with the proxy's user name and password if it wants them.",
        )
    if isinstance(error, (httpx2.HTTPError, httpx2.InvalidURL)):
        reason = str(error) or type(error).__name__
        return ModelUnavailable(
            f"The model hub {hub} does not answer: {reason}.", hint=f"Check the network and HF_ENDPOINT, and {goes_on}"
        )
    return error


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _retry_after(error: BaseException) -> float:
    """Return the seconds that the hub asks to wait, 0 when it does not say."""
    value = getattr(error, "response", None)
    text = value.headers.get("Retry-After", "") if value is not None else ""
    return float(text) if text.isdigit() else 0.0


def _digest(file: Path, etag: str) -> str:
    """Return a file's digest of the kind that an ETag of the hub is: SHA-256 of large files, git's SHA-1 of others."""
    with file.open("rb") as opened:
        if len(etag) == 64:
            return hashlib.file_digest(opened, "sha256").hexdigest()
        found = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
        while block := opened.read(1 << 20):
            found.update(block)
    return found.hexdigest()
