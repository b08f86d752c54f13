"""Damages to the files of a data folder, as bad disks, killed copies and careless hands make them.

`index_damages` and `catalogue_damages` yield pairs of a name and a function that applies the damage; each is meant for
a fresh copy of the folder. What must hold after any of them: a command gives the same answers as before or a sentence
with a way back, and never a traceback or other rankings.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

PAGE = 4096
Damage = tuple[str, Callable[[], None]]


def _rewrite(file: Path, body: bytes) -> None:
    """Give a file new bytes under a new inode: other generations may share the old one by a hard link."""
    file.unlink()
    file.write_bytes(body)


def empty(file: Path) -> None:
    """Leave nothing of a file but its name."""
    _rewrite(file, b"")


def halve(file: Path) -> None:
    """Cut the second half of a file off."""
    body = file.read_bytes()
    _rewrite(file, body[: len(body) // 2])


def cut_last_byte(file: Path) -> None:
    """Cut the last byte of a file off."""
    _rewrite(file, file.read_bytes()[:-1])


def zero_page(file: Path) -> None:
    """Overwrite 4 kB in the middle of a file with zeroes."""
    body = bytearray(file.read_bytes())
    start = max(0, len(body) // 2 - PAGE // 2)
    body[start : start + PAGE] = bytes(len(body[start : start + PAGE]))
    _rewrite(file, bytes(body))


def flip_bit(file: Path, *, share: float = 0.6) -> None:
    """Flip one bit of a file, at a share of its length."""
    body = bytearray(file.read_bytes())
    body[int(share * (len(body) - 1))] ^= 0b0001_0000
    _rewrite(file, bytes(body))


def delete(file: Path) -> None:
    """Remove a file."""
    file.unlink()


def fill_with_garbage(file: Path) -> None:
    """Replace every byte of a file by others."""
    _rewrite(file, bytes((7 * place + 3) % 256 for place in range(file.stat().st_size)))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "emptied": empty,
    "halved": halve,
    "last byte gone": cut_last_byte,
    "4 kB zeroed": zero_page,
    "a bit flipped": flip_bit,
    "deleted": delete,
}


def index_damages(index: Path, *, other: Path | None = None) -> Iterator[Damage]:
    """Yield every damage to every file of the live generation, to its manifest and to CURRENT.

    With `other`, the folder of another generation, also each file exchanged for that generation's.
    """
    live = index / (index / "CURRENT").read_text("ascii").split()[0]
    files = sorted(file for file in live.rglob("*") if file.is_file())
    for file in (*files, index / "CURRENT"):
        name = file.relative_to(index).as_posix().removeprefix(f"{live.name}/")
        for what, damage in DAMAGES.items():
            if file.stat().st_size or what == "deleted":
                yield f"{name} {what}", partial(damage, file)
        replacement = None if other is None else other / name
        if replacement is not None and replacement.is_file() and replacement.read_bytes() != file.read_bytes():
            yield f"{name} of another generation", partial(_rewrite, file, replacement.read_bytes())


def catalogue_damages(data: Path) -> Iterator[Damage]:
    """Yield damages to the catalogue of a data folder; no process may have it open."""
    file = data / "catalogue.sqlite"

    def tear_wal() -> None:
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("UPDATE revision SET number = number + 1")
        connection.commit()
        torn = (data / "catalogue.sqlite-wal").read_bytes()
        connection.close()
        (data / "catalogue.sqlite-wal").write_bytes(torn[: len(torn) - PAGE // 2])

    yield "catalogue header garbled", lambda: _rewrite(file, b"not a catalogue " * 6 + file.read_bytes()[96:])
    yield "catalogue pages zeroed", lambda: zero_pages(file)
    yield "catalogue all garbage", lambda: fill_with_garbage(file)
    yield "catalogue halved", lambda: halve(file)
    yield "catalogue emptied", lambda: empty(file)
    yield "catalogue last page gone", lambda: _rewrite(file, file.read_bytes()[:-PAGE])
    yield "catalogue schema zeroed", lambda: zero_range(file, 100, PAGE)
    yield "catalogue of another application", lambda: of_another_application(file)
    yield "catalogue's write-ahead log torn", tear_wal


def zero_pages(file: Path) -> None:
    """Overwrite the middle half of a file's pages with zeroes."""
    size = file.stat().st_size // PAGE
    zero_range(file, size // 4 * PAGE, size * 3 // 4 * PAGE)


def zero_range(file: Path, start: int, end: int) -> None:
    """Overwrite the bytes from `start` to `end` with zeroes."""
    body = bytearray(file.read_bytes())
    body[start:end] = bytes(len(body[start:end]))
    _rewrite(file, bytes(body))


def of_another_application(file: Path) -> None:
    """Replace a catalogue by the database of another program."""
    file.unlink()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE bookmarks (address TEXT)")
    connection.commit()
    connection.close()


def fresh_copy(data: Path, to: Path) -> Path:
    """Return a copy of a data folder to damage; a folder that is there already is replaced."""
    shutil.rmtree(to, ignore_errors=True)
    return shutil.copytree(data, to)
