"""Download a model's files from the model hub: resumed, compared with their digests, each error named for what it is.

The files are laid out as the hub's own cache, so that open_clip and transformers load them offline. Requests are
huggingface_hub's; what is kept between them, and what is said, is ours (docs/decisions/0021-own-model-download.md).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from search.encoders.hub import DOWNLOADS, HUB_SECONDS, STATE_FILE, Download, HubFile, OnDownload
from search.encoders.hub_errors import (
    BUSY,
    NOT_FOUND,
    hub_address,
    named_error,
    no_hub,
    request_headers,
    seconds_to_wait,
    session,
    status_of,
)
from search.errors import DataFolderError, ModelUnavailable
from search.system.atomic_write import write_atomically

READ_SECONDS = 20.0  # longest wait for more bytes
BUSY_SECONDS = 60.0  # how long a busy hub is asked again
STATE_SECONDS = 0.5  # between two writes of the progress
PARTIAL_CONTENT = 206
# What a network that delivers files answers for an address whose signature has expired.
_EXPIRED = {400, 401, 403, NOT_FOUND, 410}
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # git's SHA-1 of a commit or a small file, SHA-256 of a large one


def list_repository(models: Path, repository: str, *, on_download: OnDownload | None = None) -> list[str]:
    """Return the names of a repository's files; raise ModelUnavailable when the hub does not answer or lacks it.

    While the hub is busy it is asked again, with a report to `on_download`.
    """
    from huggingface_hub.utils import hf_raise_for_status

    folder = models / DOWNLOADS
    address = f"{hub_address()}/api/models/{repository}/tree/main"

    def ask() -> Any:
        response = session().get(
            address,
            params={"recursive": "true"},
            headers=request_headers(),
            timeout=HUB_SECONDS,
            follow_redirects=True,
        )
        hf_raise_for_status(response)
        return response.json()

    transfer = _Transfer(folder, repository, on_download or (lambda progress: None))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A page has a thousand files: more than any model's.
        listed = transfer.asking(ask, HubFile(repository, ()))
        return [str(one["path"]) for one in listed if one["type"] == "file"]
    except (ValueError, KeyError, TypeError) as error:
        raise no_hub() from error
    except OSError as error:
        raise _cannot_be_written(folder, error) from error
    finally:
        (folder / STATE_FILE).unlink(missing_ok=True)


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
        raise _cannot_be_written(folder, error) from error


def _cannot_be_written(folder: Path, error: OSError) -> DataFolderError:
    return DataFolderError(
        f"The download cannot be written to {folder}: {error.strerror or error}.",
        hint="Free some space, or choose another data folder with `--data`. The download goes on where it was.",
    )


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

    @property
    def is_elsewhere(self) -> bool:
        """Whether another host than the hub delivers it, by an address that is signed for a while."""
        return urlsplit(self.url).netloc != urlsplit(hub_address()).netloc


@dataclass
class _Transfer:
    folder: Path
    model: str
    on_download: OnDownload
    received: int = 0
    total: int = 0
    message: str = ""
    has_answered: bool = False  # whether the hub has answered anything
    missing: list[tuple[str, str]] = field(default_factory=list)  # repositories, and what each does not have
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
            self._note_missing(found)
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

        for name in file.names:
            url = hf_hub_url(file.repository, name, endpoint=hub_address())
            headers = request_headers()

            def ask(url: str = url, headers: dict[str, str] = headers) -> Any:
                session()
                return get_hf_file_metadata(url, timeout=HUB_SECONDS, headers=headers, endpoint=hub_address())

            meta = self.asking(ask, file, optional=True)
            if meta is None:
                self.missing.append((file.repository, name))
                continue
            # Both become names of files.
            is_named = all(_DIGEST.fullmatch(one or "") for one in (meta.commit_hash, meta.etag))
            if not is_named or meta.size is None:
                raise no_hub()
            found = _Announced(file, name, meta.location, meta.commit_hash, meta.etag, meta.size, headers)
            if found.is_elsewhere:
                headers.pop("authorization", None)  # the hub's token is not for the network that delivers its files
            return found
        if file.required:
            raise ModelUnavailable(
                f"The model hub has no {file.repository}/{file.names[0]}.",
                hint="Check the model's name with `memetica models`; it may have been renamed or withdrawn.",
            )
        return None

    def _place(self, one: _Announced) -> Path:
        return self._repository(one.file.repository) / "snapshots" / one.commit / one.name

    def _repository(self, repository: str) -> Path:
        return self.folder / f"models--{repository.replace('/', '--')}"

    def _part(self, one: _Announced) -> Path:
        return self.folder / f"{one.etag}.part"

    def _present(self, one: _Announced) -> int:
        if self._place(one).is_file():
            return one.size
        part = self._part(one)
        if part.is_file() and part.stat().st_size > one.size:
            part.unlink()
        return part.stat().st_size if part.is_file() else 0

    def _note_missing(self, found: Sequence[_Announced]) -> None:
        """Note which files the repositories do not have, as the hub's cache does: else loaders would ask the hub."""
        commits = {one.file.repository: one.commit for one in found}
        for repository, name in self.missing:
            if repository in commits:
                mark = self._repository(repository) / ".no_exist" / commits[repository] / name
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.touch()

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
        self.asking(lambda: self._deliver(one, part), one.file, receiving=True)
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

    def _deliver(self, one: _Announced, part: Path) -> None:
        """Append to a part what is missing of it; where its address has expired, by the one that is announced now."""
        import httpx2

        try:
            self._receive(one, part)
        except httpx2.HTTPError as error:
            if status_of(error) not in _EXPIRED or not one.is_elsewhere:
                raise
            now = self._announced(replace(one.file, names=(one.name,), required=True))
            if now is None or now.etag != one.etag:
                raise ModelUnavailable(
                    f"The model hub has got another {one.file.repository}/{one.name} meanwhile.",
                    hint="Run the command again; the file is downloaded anew.",
                ) from error
            one.url = now.url
            self._receive(one, part)

    def _receive(self, one: _Announced, part: Path) -> None:
        """Append to a part what is missing of it."""
        from huggingface_hub.utils import hf_raise_for_status

        with part.open("ab") as file:
            begin = file.tell()
            if begin == one.size:
                return
            headers = {**one.headers, "Range": f"bytes={begin}-", "Accept-Encoding": "identity"}
            with session().stream(
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
                    if file.tell() > one.size:
                        return  # it is not what was announced, and might never end

    def asking(self, ask: Callable[[], Any], file: HubFile, *, optional: bool = False, receiving: bool = False) -> Any:
        """Return what `ask` returns, tried again while the hub is busy; None for an optional file that it lacks.

        Once the hub has answered, it is also tried again after a cut connection; while `receiving`, until nothing has
        come for BUSY_SECONDS.
        """
        import httpx2

        deadline, pause = time.monotonic() + BUSY_SECONDS, 2.0
        while True:
            before = self.received
            try:
                found = ask()
                self.has_answered = True
                return found
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                status = status_of(error)
                self.has_answered |= bool(status)
                if optional and status == NOT_FOUND:
                    return None
                cut = self.has_answered and isinstance(error, httpx2.TransportError)
                if cut and receiving and self.received > before:
                    deadline, pause = time.monotonic() + BUSY_SECONDS, 2.0
                    continue  # what came is kept
                wait = seconds_to_wait(error) or pause
                if not (cut or status in BUSY) or time.monotonic() + wait > deadline:
                    raise named_error(error, file.repository) from error
            until = datetime.fromtimestamp(time.time() + wait)
            trouble = "does not answer" if cut else f"is busy ({status})"
            self.tell(f"The model hub {trouble}; trying again at {until:%H:%M:%S}.")
            time.sleep(wait)
            pause = min(2 * pause, 20.0)


def _digest(file: Path, etag: str) -> str:
    """Return a file's digest of the kind that an ETag of the hub is: SHA-256 of large files, git's SHA-1 of others."""
    with file.open("rb") as opened:
        if len(etag) == 64:
            return hashlib.file_digest(opened, "sha256").hexdigest()
        found = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
        while block := opened.read(1 << 20):
            found.update(block)
    return found.hexdigest()
