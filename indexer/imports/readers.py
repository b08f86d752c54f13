"""Read the exports of other programs: a folder of files, with what the program says about them beside the files."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from indexer.imports.records import (
    NOTES,
    SOURCES,
    TAGS,
    Found,
    ImportedMeme,
    NotImported,
    listed,
    load_json,
    parsed_time,
    texts_of,
)
from indexer.library.links import is_ignored
from search.errors import WrongUse


class ImportKind(StrEnum):
    """The program that an export comes from."""

    HYDRUS = "hydrus"
    SZURUBOORU = "szurubooru"
    IMMICH = "immich"
    TELEGRAM = "telegram"
    CSV = "csv"


UNNAMED = "The export's description does not name it."
MISSING = "Its file is not in the folder."


def read_export(kind: ImportKind, folder: Path, *, category: str = "", by_tag: str = "") -> Iterator[Found]:
    """Yield what an export holds, in a fixed order; raise WrongUse for a folder that is no export of this kind.

    `category` replaces the categories that the export suggests. With `by_tag`, the tag of that namespace (Hydrus) or
    of that tag category (szurubooru) names it where there is one.

    >>> _ = (folder / "a.png").write_bytes(b"")
    >>> _ = (folder / "a.png.txt").write_text("reaction\\nseries:dogs")
    >>> [meme] = read_export(ImportKind.HYDRUS, folder, by_tag="series")
    >>> meme.category, dict(meme.texts)
    ('dogs', {'tags': 'reaction, series:dogs'})
    """
    if not folder.is_dir():
        raise WrongUse(f"{folder} is not a folder.", hint="Unpack the export, and name its folder.")
    for found in _READERS[kind](folder, by_tag):
        if category and isinstance(found, ImportedMeme):
            found = ImportedMeme(found.file, category, found.name, found.first_seen, found.texts)
        yield found


def _files(folder: Path) -> list[Path]:
    """Return every file below a folder, without hidden ones."""
    return sorted(
        Path(root) / name
        for root, folders, names in os.walk(folder)
        if not folders.sort()  # type: ignore[func-returns-value]
        for name in names
        if not is_ignored(name) and not name.startswith(".")
    )


def _tagged(tags: list[str], namespace: str) -> str:
    return next((tag.partition(":")[2] for tag in tags if namespace and tag.startswith(f"{namespace}:")), "")


def _hydrus(folder: Path, by_tag: str) -> Iterator[Found]:
    """Hydrus Network: files as its export dialog or an export folder writes them, with sidecars.

    A sidecar is `NAME.txt`, `NAME.EXT.txt`, `NAME.json` or `NAME.EXT.json`: a line for each tag or URL, or JSON with
    tags, URLs and notes below names that the user chooses (hydrusnetwork.github.io/hydrus, "Exporting files" and
    "Sidecars"). Files have no dates there; a copy keeps the file's own.
    """
    files = _files(folder)
    sidecars = {file for file in files if file.suffix.lower() in (".txt", ".json")}
    used: set[Path] = set()
    for file in (file for file in files if file not in sidecars):
        own = [
            path
            for ending in (".txt", ".json")
            for path in (file.with_name(file.name + ending), file.with_suffix(ending))
            if path in sidecars
        ]
        used.update(own)
        tags, urls, notes = list[str](), list[str](), list[str]()
        for path in own:
            if path.suffix.lower() == ".json":
                _sort_json(load_json(path), "", tags, urls, notes)
            else:
                for line in path.read_text("utf-8", "replace").splitlines():
                    (urls if re.match(r"https?://", line.strip()) else tags).append(line.strip())
        inner = file.parent.relative_to(folder).parts
        yield ImportedMeme(
            file,
            _tagged(tags, by_tag) or (inner[0] if inner else "Hydrus"),
            _tagged(tags, "title") or file.stem,
            texts=texts_of(**{TAGS: listed(tags), SOURCES: "\n".join(dict.fromkeys(urls)), NOTES: "\n".join(notes)}),
        )
    for path in sorted(sidecars - used):
        yield NotImported(path.relative_to(folder).as_posix(), "It is a text without a file of its name.")


def _sort_json(value: Any, name: str, tags: list[str], urls: list[str], notes: list[str]) -> None:
    """Add the texts of a JSON sidecar to tags, URLs or notes, by the name that they stand under."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _sort_json(inner, f"{name} {key}".lower(), tags, urls, notes)
    elif isinstance(value, list):
        for inner in value:
            _sort_json(inner, name, tags, urls, notes)
    elif isinstance(value, str) and value.strip():
        if re.match(r"https?://", value):
            urls.append(value.strip())
        else:
            (notes if "note" in name else tags).append(value.strip())


def _documents(folder: Path, is_wanted: Callable[[Any], bool], *, what: str) -> tuple[list[Any], set[Path]]:
    """Return the JSON documents of a folder that describe an export, and their files."""
    found = {file: load_json(file) for file in _files(folder) if file.suffix.lower() == ".json"}
    wanted = {file: document for file, document in found.items() if is_wanted(document)}
    if not wanted:
        raise WrongUse(f"There is no {what} in {folder}.", hint="docs/how-to/import.md says how to make the export.")
    return list(wanted.values()), set(wanted)


def _rest(folder: Path, used: set[Path]) -> Iterator[NotImported]:
    for file in _files(folder):
        if file not in used:
            yield NotImported(file.relative_to(folder).as_posix(), UNNAMED)


def _szurubooru(folder: Path, by_tag: str) -> Iterator[Found]:
    """szurubooru: answers of `GET /api/posts/`, saved as JSON files, with its folder `data/posts`.

    A post has `id`, `contentUrl`, `creationTime`, `tags` (each with `names` and `category`), `notes` (each with
    `text`), `source` and `safety` (szurubooru's doc/API.md, "Post").
    """
    documents, used = _documents(
        folder,
        lambda one: isinstance(one, dict) and isinstance(one.get("results"), list),
        what="answer of szurubooru's /api/posts/",
    )
    by_name = {file.name: file for file in _files(folder)}
    seen: set[object] = set()
    for post in (post for document in documents for post in document["results"]):
        if not isinstance(post, dict) or "contentUrl" not in post:
            yield NotImported(str(post)[:60], "It is not a post.")
            continue
        if post.get("id") in seen:
            continue  # pages of a list overlap where posts were added meanwhile
        seen.add(post.get("id"))
        name = unquote(urlsplit(str(post["contentUrl"])).path.rsplit("/", 1)[-1])
        file = by_name.get(name)
        if file is None:
            yield NotImported(f"post {post.get('id')} ({name})", MISSING)
            continue
        used.add(file)
        tags = [tag for tag in post.get("tags") or () if isinstance(tag, dict) and tag.get("names")]
        category = next((str(tag["names"][0]) for tag in tags if by_tag and tag.get("category") == by_tag), "")
        names = [str(tag["names"][0]) for tag in tags]
        if post.get("safety") in ("sketchy", "unsafe"):
            names.append(str(post["safety"]))
        yield ImportedMeme(
            file,
            category.replace("_", " ") or "szurubooru",
            " ".join(names[:4]).replace("_", " ") or f"post {post.get('id')}",
            parsed_time(post.get("creationTime")),
            texts_of(
                **{
                    TAGS: listed(name.replace("_", " ") for name in names),
                    NOTES: "\n".join(str(note["text"]) for note in post.get("notes") or () if note.get("text")),
                    SOURCES: str(post.get("source") or ""),
                }
            ),
        )
    yield from _rest(folder, used)


def _immich(folder: Path, by_tag: str) -> Iterator[Found]:
    """Immich: a downloaded album, with the answer of `GET /api/albums/ID` saved beside it as a JSON file.

    The answer has `albumName` and `assets`; an asset has `originalFileName`, `checksum` (SHA-1 in base64),
    `fileCreatedAt`, `exifInfo.description` and `tags` (Immich's OpenAPI, AlbumResponseDto and AssetResponseDto). A
    download names a second file of one name `NAME+1.EXT`: which is which is told by the checksum.
    """
    documents, used = _documents(
        folder,
        lambda one: isinstance(one, dict) and "albumName" in one and isinstance(one.get("assets"), list),
        what="album of Immich (the answer of /api/albums/ID)",
    )
    by_name: dict[str, list[Path]] = {}
    for file in _files(folder):
        by_name.setdefault(re.sub(r"\+\d+$", "", file.stem) + file.suffix, []).append(file)
    for album in documents:
        for asset in album["assets"]:
            name = str(asset.get("originalFileName") or "")
            free = [file for file in by_name.get(name, ()) if file not in used]
            same = [file for file in free if len(free) > 1 and _sha1(file) == asset.get("checksum")]
            if not free:
                yield NotImported(name or str(asset.get("id")), MISSING)
                continue
            file = (same or free)[0]
            used.add(file)
            tags = [tag.get("value") or tag.get("name") for tag in asset.get("tags") or ()]
            yield ImportedMeme(
                file,
                str(album["albumName"]) or "Immich",
                Path(name).stem,
                parsed_time(asset.get("fileCreatedAt")),
                texts_of(
                    immich__simple_description=str((asset.get("exifInfo") or {}).get("description") or ""),
                    **{TAGS: listed(tags)},
                ),
            )
    yield from _rest(folder, used)


def _sha1(file: Path) -> str:
    with file.open("rb") as opened:
        return base64.b64encode(hashlib.file_digest(opened, "sha1").digest()).decode()


def _telegram(folder: Path, by_tag: str) -> Iterator[Found]:
    """Telegram: a sticker pack, with the answer of the Bot API's `getStickerSet` saved beside its files as JSON.

    A set has `title`, `name` and `stickers`; a sticker has `file_unique_id`, `file_id`, `emoji`, `is_animated` and
    `is_video` (core.telegram.org/bots/api, StickerSet and Sticker). A file is named by one of the two ids, or by the
    sticker's number in the set. Animated stickers are .tgs, drawings that Memetica does not draw.
    """
    documents, used = _documents(
        folder,
        lambda one: isinstance(one, dict) and "stickers" in (one.get("result") or one),
        what="sticker set of Telegram (the answer of getStickerSet)",
    )
    by_stem = {file.stem: file for file in _files(folder) if file not in used}
    numbered = {int(stem): file for stem, file in by_stem.items() if re.fullmatch("[0-9]{1,4}", stem)}
    for document in documents:
        pack = document.get("result") or document
        title = str(pack.get("title") or pack.get("name") or "Telegram")
        for number, sticker in enumerate(pack["stickers"], start=1):
            ids = (sticker.get("file_unique_id"), sticker.get("file_id"))
            file = next((by_stem[one] for one in ids if one in by_stem), numbered.get(number))
            if file is None:
                reason = "It is animated (.tgs), which is no picture." if sticker.get("is_animated") else MISSING
                yield NotImported(f"{title}, sticker {number}", reason)
                continue
            used.add(file)
            if sticker.get("is_animated") or file.suffix.lower() == ".tgs":
                yield NotImported(file.relative_to(folder).as_posix(), "It is animated (.tgs), which is no picture.")
                continue
            emoji = str(sticker.get("emoji") or "")
            yield ImportedMeme(
                file, title, f"{title} {number} {emoji}".strip(), texts=texts_of(**{TAGS: listed([emoji, title])})
            )
    yield from _rest(folder, used)


_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "path", "filename", "image", "picture"),
    "category": ("category", "folder", "album", "collection"),
    "name": ("name", "title"),
    "date": ("date", "first_seen", "first seen", "created", "created_at", "time"),
    "tags": ("tags", "keywords"),
    "description": ("description", "caption", "alt", "alt text"),
    "text": ("text", "ocr"),
    "source": ("source", "url", "link"),
}


def _csv(folder: Path, by_tag: str) -> Iterator[Found]:
    """A folder with one CSV file, whose first line names the columns; a row is about the file in its column `file`."""
    tables = [file for file in _files(folder) if file.suffix.lower() in (".csv", ".tsv")]
    if len(tables) != 1:
        raise WrongUse(
            f"There are {len(tables)} CSV files in {folder}; one is needed.",
            hint="Its columns: file, category, name, …",
        )
    [table] = tables
    used = {table}
    try:
        text = table.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{table} cannot be read: {error}.", hint="Save it as UTF-8.") from error
    try:
        dialect: Any = csv.Sniffer().sniff(text.partition("\n")[0], ",;\t")
    except csv.Error:
        dialect = csv.excel  # a single column
    rows = csv.DictReader(text.splitlines(keepends=True), dialect=dialect)
    headers = {name: _key_of(name) for name in rows.fieldnames or ()}
    if "file" not in headers.values():
        raise WrongUse(f"{table} has no column `file`.", hint="Its first line must name the columns.")
    for name in (name for name, key in headers.items() if not key):
        yield NotImported(f"column {name}", f"It is none of {', '.join(_COLUMNS)}.")
    for line, row in enumerate(rows, start=2):
        cells = {key: (row.get(name) or "").strip() for name, key in headers.items() if key}
        relative = cells["file"].replace("\\", "/")
        file = folder / relative
        if not relative or ".." in Path(relative).parts or Path(relative).is_absolute():
            yield NotImported(f"line {line} ({relative})", "It names no file of this folder.")
            continue
        if not file.is_file():
            yield NotImported(f"line {line} ({relative})", MISSING)
            continue
        used.add(file)
        date = cells.get("date", "")
        if date and parsed_time(date) is None:
            yield NotImported(f"line {line}, date {date!r}", "It is not written as 2024-03-01; the file's own is kept.")
        inner = Path(relative).parts[:-1]
        yield ImportedMeme(
            file,
            cells.get("category") or (inner[0] if inner else "Imported"),
            cells.get("name") or file.stem,
            parsed_time(date),
            texts_of(
                **{
                    TAGS: cells.get("tags", ""),
                    SOURCES: cells.get("source", ""),
                    "csv.simple_description": cells.get("description", ""),
                    "": cells.get("text", ""),
                }
            ),
        )
    yield from _rest(folder, used)


def _key_of(column: str) -> str:
    """Return what a column of a table holds, empty for an unknown one."""
    return next((key for key, names in _COLUMNS.items() if column.strip().lower() in names), "")


_READERS: Mapping[ImportKind, Callable[[Path, str], Iterator[Found]]] = {
    ImportKind.HYDRUS: _hydrus,
    ImportKind.SZURUBOORU: _szurubooru,
    ImportKind.IMMICH: _immich,
    ImportKind.TELEGRAM: _telegram,
    ImportKind.CSV: _csv,
}
