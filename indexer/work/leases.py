"""Work that several processes share: each takes what nobody else is doing, and tells while it lives."""

from __future__ import annotations

import os
import platform
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from search.catalogue import Catalogue
from search.errors import DataFolderError
from search.meme import Meme, Stage
from search.settings import Settings

LEASE_SECONDS = 90.0
WAIT_SECONDS = 3600.0  # a first scan reads every file of the library
_RENEWALS = 3  # in the time of a lease: one may come late, or find the catalogue busy


class Shift:
    """One process's share of a stage's work. What it has taken is its own until it gives it back or is gone."""

    def __init__(self, catalogue: Catalogue, stage: Stage, *, seconds: float = LEASE_SECONDS) -> None:
        self.owner = f"{_machine()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._catalogue = catalogue
        self._stage = stage
        self._seconds = seconds

    def take(self, content_hash: str, *, sources: Iterable[str] = ("",)) -> bool:
        """Return whether the work on a content, by all of these sources, is this shift's now."""
        taken: list[str] = []
        with self._catalogue.transaction():
            for source in sources:
                if not self._catalogue.leases.take(
                    self._stage, content_hash, owner=self.owner, seconds=self._seconds, source=source
                ):
                    self.give_back(content_hash, sources=taken)
                    return False
                taken.append(source)
        return True

    def give_back(self, content_hash: str, *, sources: Iterable[str] = ("",)) -> None:
        """Let others take the work on a content; called when its result is kept, in the same transaction."""
        with self._catalogue.transaction():
            for source in sources:
                self._catalogue.leases.release(self._stage, content_hash, owner=self.owner, source=source)

    def taken(self, memes: Iterable[Meme], *, source: str = "") -> Iterator[Meme]:
        """Yield the memes whose work nobody else is doing, each taken just before it is yielded."""
        for meme in memes:
            if self.take(meme.content_hash, sources=(source,)):
                yield meme

    def until_done(
        self, missing: Callable[[], list[Meme]], *, lacks: Callable[[Meme], bool], source: str = ""
    ) -> Iterator[Meme]:
        """Yield each missing meme once, until all is done or in the hands of others; what the dead held comes too.

        `lacks` is asked of each meme once it is taken: whoever had it a moment ago may have done it.
        """
        met: set[str] = set()
        while True:
            before = len(met)
            for meme in self.taken((meme for meme in missing() if meme.content_hash not in met), source=source):
                met.add(meme.content_hash)
                if lacks(meme):
                    yield meme
                else:
                    self.give_back(meme.content_hash, sources=(source,))
            if len(met) == before:
                return
            free_the_dead(self._catalogue)

    def renew(self) -> None:
        """Say that this process lives."""
        self._catalogue.leases.renew(self.owner, seconds=self._seconds)


@contextmanager
def shift_on(catalogue: Catalogue, stage: Stage, *, seconds: float = LEASE_SECONDS) -> Iterator[Shift]:
    """Begin a shift whose leases are renewed while it lasts, and give everything back at its end.

    What dead processes of this machine held is free at once; what those of other machines held, when it runs out.
    """
    free_the_dead(catalogue)
    shift = Shift(catalogue, stage, seconds=seconds)
    over = threading.Event()

    def keep() -> None:
        while not over.wait(seconds / _RENEWALS):
            try:
                shift.renew()
            except DataFolderError:
                continue  # busy: the next renewal is in time still

    keeper = threading.Thread(target=keep, name="leases", daemon=True)
    keeper.start()
    try:
        yield shift
    finally:
        over.set()
        keeper.join()
        catalogue.leases.release_all(shift.owner)


def free_the_dead(catalogue: Catalogue) -> int:
    """Give back what processes of this machine held that no longer run; return how much that was."""
    if os.name != "posix":
        return 0  # elsewhere a signal 0 is no question
    freed = 0
    for owner in {lease.owner for lease in catalogue.leases.held()}:
        machine, pid, _ = owner.rsplit(" ", 2)
        if machine == _machine() and not _runs(int(pid)):
            freed += catalogue.leases.release_all(owner)
    return freed


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _machine() -> str:
    """Return a name for where this process's number means something: a container has numbers of its own."""
    try:
        numbers = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        numbers = "-"
    return f"{platform.node().replace(' ', '_')} {numbers}"


def only_one(settings: Settings, work: str, *, seconds: float = WAIT_SECONDS) -> AbstractContextManager[object]:
    """Return a held lock on a kind of work, for a `with`, waiting for it; raise DataFolderError when that is too long.

    A process that dies lets go of it.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        return FileLock(settings.data / f"{work}.lock").acquire(timeout=seconds)
    except Timeout as error:
        raise DataFolderError(
            f"Another process has been {work} for more than {seconds:,.0f} seconds.",
            hint="Wait for it to end; `memetica status` shows how far it is.",
        ) from error
    except OSError as error:
        raise DataFolderError(
            f"The data folder {settings.data} cannot be written: {error.strerror}.",
            hint="Choose another with `--data` or MEMETICA_DATA.",
        ) from error
