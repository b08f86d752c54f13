"""Tell memes that were removed from a library that is not there: an unmounted disk, a wrong or an empty folder.

An index that follows such a folder would empty the site. Only the curator knows, so indexing stops and asks.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from indexer.library.format import MemeFile, is_empty, meme_hash, scan
from search.errors import LibraryError, UnreadableFile
from search.settings import stored_setting
from search.workspace import Workspace

# A curator who removes ten memes knows about each; below it, half of a small library may go without a question.
FEW = 10
Known = tuple[int, str, int, int, bool]  # id, content hash, size, mtime in nanoseconds, present


def check_library_is_known(workspace: Workspace) -> None:
    """Raise LibraryError when the data folder was made for another library than the workspace's.

    The library is the same folder reached by another path, too: through a link, or renamed by a mount. A data folder
    without memes takes any library.

    >>> check_library_is_known(workspace)
    """
    before = stored_setting(workspace.data, "library")
    if before is None or _same_folder(before.expanduser().absolute(), workspace.library):
        return
    known = {path: row for path, row in workspace.catalogue.memes.known().items() if row[4]}
    if not known:
        return
    entries = scan(workspace.library, follow_links=workspace.settings.follow_links)
    found = [entry for entry in entries if isinstance(entry, MemeFile)]
    same = sum(entry.path in known and known[entry.path][2] == entry.size for entry in found)
    raise LibraryError(
        f"{workspace.library} is another folder than {before}, whose {_memes(len(known))} the data folder "
        f"{workspace.data} has indexed: it has {_memes(len(found))}, {same:,} of them known.",
        hint="Choose another data folder with `--data FOLDER`, or make one here: `mkdir .memetica`. If the library was "
        f"moved here, or this folder is to replace it, run `memetica index --library {workspace.library}`. Until then "
        "the old index serves.",
    )


def check_not_emptied(workspace: Workspace, library: Path, *, apart_from: Collection[str] = ()) -> None:
    """Raise LibraryError when the library's folder is empty though memes of it are known.

    `apart_from` are paths that do not count: of files that an interrupted operation has moved itself.

    >>> check_not_emptied(workspace, workspace.library)
    """
    if not is_empty(library):
        return
    known = sum(row[4] for path, row in workspace.catalogue.memes.known().items() if path not in apart_from)
    if known:
        raise LibraryError(
            f"{library} is empty, but {_memes(known)} of it are known.",
            hint="Check that its disk is mounted. If they were removed on purpose, run `memetica index --gone`.",
        )


def check_not_gone(
    library: Path,
    gone: Collection[str],
    found: Collection[MemeFile],
    known: Mapping[str, Known],
    *,
    follow_links: bool,
    outside: int = 0,
) -> dict[str, str]:
    """Raise LibraryError when most of the known memes are gone at once, or all of them.

    `gone` are the paths of the known memes that were not found. A meme whose content is elsewhere in the library was
    renamed. Returns the content hashes, by path, that were computed for this: of new files as large as a missing one.
    `outside` is the number of links that were not followed, for the message.
    """
    present = sum(row[4] for row in known.values())
    hashes: dict[str, str] = {}
    if not _is_suspicious(len(gone), present, len(found)):
        return hashes
    sizes = {known[path][2] for path in gone}
    contents = set()
    for entry in found:
        row = known.get(entry.path)
        if row is not None and row[2:4] == (entry.size, entry.mtime_ns):
            contents.add(row[1])
        elif entry.size in sizes:
            try:
                hashes[entry.path] = meme_hash(library, entry.path, follow_links=follow_links)
            except UnreadableFile:
                continue  # reported when it is read for the catalogue
            contents.add(hashes[entry.path])
    lost = sum(known[path][1] not in contents for path in gone)
    if _is_suspicious(lost, present, len(found)):
        links = f" {outside:,} links that lead out of the library are not followed (`follow_links`)." if outside else ""
        raise LibraryError(
            f"{lost:,} of {_memes(present)} {'is' if lost == 1 else 'are'} gone from {library}, "
            f"which has {_memes(len(found))} now.{links}",
            hint="Check that its disk is mounted and that it is the right folder. If they were removed on purpose, run "
            "`memetica index --gone`. Until then the old index serves.",
        )
    return hashes


def _is_suspicious(lost: int, known: int, found: int) -> bool:
    return lost > 0 and (found == 0 or (lost > FEW and 2 * lost > known))


def _same_folder(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False


def _memes(number: int) -> str:
    return f"{number:,} meme{'' if number == 1 else 's'}"
