"""Work leases: several processes share a stage, and each piece of work is done by one of them."""

from __future__ import annotations

import os
import platform
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from search.catalogue import Catalogue
from search.errors import DataFolderError
from search.meme import Meme, Stage
from search.system.processes import is_running

LEASE_SECONDS = 90.0
_RENEWALS = 3  # per lease time: one renewal may be late, or find the catalogue busy


class WorkLease:
    """One process's leases in a stage: an acquired content is reserved for it until released or expired."""

    def __init__(self, catalogue: Catalogue, stage: Stage, *, seconds: float = LEASE_SECONDS) -> None:
        self.owner = f"{_machine()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._catalogue = catalogue
        self._stage = stage
        self._seconds = seconds

    def acquire(self, content_hash: str, *, sources: Iterable[str] = ("",)) -> bool:
        """Acquire a content for all of these sources or for none; return whether it was acquired."""
        acquired: list[str] = []
        with self._catalogue.transaction():
            for source in sources:
                if not self._catalogue.leases.acquire(
                    self._stage, content_hash, owner=self.owner, seconds=self._seconds, source=source
                ):
                    self.release(content_hash, sources=acquired)
                    return False
                acquired.append(source)
        return True

    def release(self, content_hash: str, *, sources: Iterable[str] = ("",)) -> None:
        """Release the work on a content; call it in the transaction that stores the result."""
        with self._catalogue.transaction():
            for source in sources:
                self._catalogue.leases.release(self._stage, content_hash, owner=self.owner, source=source)

    def acquire_each(self, memes: Iterable[Meme], *, source: str = "") -> Iterator[Meme]:
        """Yield the memes that no other process works on, each acquired just before it is yielded."""
        for meme in memes:
            if self.acquire(meme.content_hash, sources=(source,)):
                yield meme

    def until_done(
        self, missing: Callable[[], list[Meme]], *, is_missing: Callable[[Meme], bool], source: str = ""
    ) -> Iterator[Meme]:
        """Yield each missing meme once, until all remaining ones are leased by other processes.

        `missing` is called again after each round, because other processes may release their leases. `is_missing` is
        called for each acquired meme, because the previous holder may have done its work.
        """
        seen: set[str] = set()
        while True:
            before = len(seen)
            waiting = (meme for meme in missing() if meme.content_hash not in seen)
            for meme in self.acquire_each(waiting, source=source):
                seen.add(meme.content_hash)
                if is_missing(meme):
                    yield meme
                else:
                    self.release(meme.content_hash, sources=(source,))
            # A process that died during the round held some of it.
            if not reclaim_stale(self._catalogue) and len(seen) == before:
                return

    def renew(self) -> None:
        """Extend all held leases by the lease time."""
        self._catalogue.leases.renew(self.owner, seconds=self._seconds)


@contextmanager
def work_lease(catalogue: Catalogue, stage: Stage, *, seconds: float = LEASE_SECONDS) -> Iterator[WorkLease]:
    """Return a WorkLease that a thread renews during the `with` block; its leases are released at the end.

    Leases of dead processes on this machine are reclaimed at once; those of other machines when they expire.

    >>> with work_lease(workspace.catalogue, Stage.OCR) as lease:
    ...     lease.acquire("c0ffee"), lease.acquire("c0ffee")
    (True, False)
    """
    reclaim_stale(catalogue)
    lease = WorkLease(catalogue, stage, seconds=seconds)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(seconds / _RENEWALS):
            try:
                lease.renew()
            except DataFolderError:
                continue  # busy: the next renewal is still in time

    renewing = threading.Thread(target=renew, name="leases", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        ended.set()
        renewing.join()
        catalogue.leases.release_all(lease.owner)


def reclaim_stale(catalogue: Catalogue) -> int:
    """Release the leases of processes on this machine that no longer run; return the number of leases.

    >>> reclaim_stale(workspace.catalogue)
    0
    """
    if os.name != "posix":
        return 0  # signal 0 only tests for existence on POSIX
    reclaimed = 0
    for owner in {lease.owner for lease in catalogue.leases.held()}:
        machine, pid, _ = owner.rsplit(" ", 2)
        if machine == _machine() and not is_running(int(pid)):
            reclaimed += catalogue.leases.release_all(owner)
    return reclaimed


def _machine() -> str:
    """Return a name of the scope in which process ids are unique: the machine and its process namespace."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = "-"
    return f"{platform.node().replace(' ', '_')} {namespace}"
