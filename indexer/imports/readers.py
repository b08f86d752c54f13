"""Read the exports of other programs: a folder of files, with what the program says about them beside the files."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from indexer.imports.export_files import MISSING, SEVERAL, foreign_entries, own_files, unused_files
from indexer.imports.records import (
    NOTES,
    SOURCES,
    TAGS,
    Found,
    ImportedMeme,
    NotImported,
    listed,
    load_json,
    objects_at,
    parsed_time,
    text_at,
    texts_of,
)
from indexer.imports.table import read_table
from search.errors import WrongUse


class ImportKind(StrEnum):
    """The program that an export comes from."""

    HYDRUS = "hydrus"
    SZURUBOORU = "szurubooru"
    IMMICH = "immich"
    TELEGRAM = "telegram"
    CSV = "csv"


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
    yield from foreign_entries(folder)
    for found in _READERS[kind](folder, by_tag):
        if category and isinstance(found, ImportedMeme):
            found = ImportedMeme(found.file, category, found.name, found.first_seen, found.texts)
        yield found


def _tagged(tags: list[str], namespace: str) -> str:
    return next((tag.partition(":")[2] for tag in tags if namespace and tag.startswith(f"{namespace}:")), "")


def _hydrus(folder: Path, by_tag: str) -> Iterator[Found]:
    """Hydrus Network: files as its export dialog or an export folder writes them, with sidecars.

    A sidecar is `NAME.txt`, `NAME.EXT.txt`, `NAME.json` or `NAME.EXT.json`: a line for each tag or URL, or JSON with
    tags, URLs and notes below names that the user chooses (hydrusnetwork.github.io/hydrus, "Exporting files" and
    "Sidecars"). Files have no dates there; a copy keeps the file's own.
    """
    files = own_files(folder)
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
            try:
                if path.suffix.lower() == ".json":
                    _sort_json(load_json(path), "", tags, urls, notes)
                    continue
                lines = path.read_text("utf-8-sig").splitlines()
            except WrongUse as error:
                yield NotImported(path.relative_to(folder).as_posix(), error.message)
            except (OSError, UnicodeDecodeError) as error:
                yield NotImported(path.relative_to(folder).as_posix(), f"It cannot be read as UTF-8: {error}.")
            else:
                for line in map(str.strip, lines):
                    (urls if re.match(r"https?://", line) else tags).append(line)
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


def _documents(folder: Path, is_wanted: Callable[[Any], bool], *, what: str) -> dict[Path, Any]:
    """Return the JSON documents of a folder that describe an export, by file."""
    found = {file: load_json(file) for file in own_files(folder) if file.suffix.lower() == ".json"}
    wanted = {file: document for file, document in found.items() if is_wanted(document)}
    if not wanted:
        raise WrongUse(f"There is no {what} in {folder}.", hint="docs/how-to/import.md says how to make the export.")
    return wanted


def _szurubooru(folder: Path, by_tag: str) -> Iterator[Found]:
    """szurubooru: answers of `GET /api/posts/`, saved as JSON files, with its folder `data/posts`.

    A post has `id`, `contentUrl`, `creationTime`, `tags` (each with `names` and `category`), `notes` (each with
    `text`), `source` and `safety` (szurubooru's doc/API.md, "Post").
    """
    documents = _documents(
        folder,
        lambda one: isinstance(one, dict) and isinstance(one.get("results"), list),
        what="answer of szurubooru's /api/posts/",
    )
    used = set(documents)
    by_name: dict[str, list[Path]] = {}
    for file in own_files(folder):
        by_name.setdefault(file.name, []).append(file)
    seen: set[str] = set()
    for post in (post for document in documents.values() for post in document["results"]):
        address = text_at(post, "contentUrl")
        if not address:
            yield NotImported(str(post)[:60], "It is not a post.")
            continue
        id = text_at(post, "id")
        if id and id in seen:
            continue  # pages of a list overlap where posts were added meanwhile
        seen.add(id)
        path = unquote(re.split("[?#]", address, maxsplit=1)[0])
        name = path.rpartition("/")[2]
        there = by_name.get(name, [])
        exact = [file for file in there if f"/{path}".endswith(f"/{file.relative_to(folder).as_posix()}")]
        if len(exact or there) != 1:
            yield NotImported(f"post {id} ({name})", SEVERAL if there else MISSING)
            continue
        [file] = exact or there
        used.add(file)
        tags = [(tag, _first_name(tag)) for tag in objects_at(post, "tags")]
        category = next((name for tag, name in tags if by_tag and name and tag.get("category") == by_tag), "")
        names = [name for _, name in tags if name]
        if text_at(post, "safety") in ("sketchy", "unsafe"):
            names.append(text_at(post, "safety"))
        yield ImportedMeme(
            file,
            category.replace("_", " ") or "szurubooru",
            " ".join(names[:4]).replace("_", " ") or f"post {id}",
            parsed_time(post.get("creationTime")),
            texts_of(
                **{
                    TAGS: listed(name.replace("_", " ") for name in names),
                    NOTES: "\n".join(filter(None, (text_at(note, "text") for note in objects_at(post, "notes")))),
                    SOURCES: text_at(post, "source"),
                }
            ),
        )
    yield from unused_files(folder, used)


def _first_name(tag: Mapping[str, Any]) -> str:
    names = tag.get("names")
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""


def _immich(folder: Path, by_tag: str) -> Iterator[Found]:
    """Immich: a downloaded album, with what its API says of it saved beside it as JSON files.

    `GET /api/albums/ID` has `albumName` and, up to Immich 2, `assets`; from Immich 3 on `POST /api/search/metadata` has
    them, page by page, as `assets.items`. An asset has `originalFileName`, `checksum` (SHA-1 in base64),
    `fileCreatedAt`, `exifInfo.description` and `tags` (Immich's OpenAPI, AlbumResponseDto, SearchResponseDto and
    AssetResponseDto). A download names a second file of one name `NAME+1.EXT`: which is which is told by the checksum.
    """
    documents = _documents(
        folder,
        lambda one: _assets(one) is not None or (isinstance(one, dict) and "albumName" in one),
        what="album of Immich (the answer of /api/albums/ID)",
    )
    used = set(documents)
    albums = {file: text_at(document, "albumName") for file, document in documents.items() if "albumName" in document}
    if all(_assets(document) is None for document in documents.values()):
        raise WrongUse(
            f"{next(iter(albums))} does not list the album's files, as of Immich 3.",
            hint="Save the answers of /api/search/metadata beside it: docs/how-to/import.md says how.",
        )
    by_name: dict[str, list[Path]] = {}
    for file in own_files(folder):
        by_name.setdefault(re.sub(r"\+\d+$", "", file.stem) + file.suffix, []).append(file)
    seen: set[tuple[Path, str]] = set()
    for described, document in documents.items():
        for asset in _assets(document) or ():
            if not isinstance(asset, dict):
                yield NotImported(str(asset)[:60], "It is not an asset.")
                continue
            if "albumName" not in document and (id := text_at(asset, "id")):
                if (described.parent, id) in seen:
                    continue  # pages of a search overlap where assets were added meanwhile
                seen.add((described.parent, id))
            name = text_at(asset, "originalFileName")
            free = [file for file in by_name.get(name, ()) if file not in used]
            same = [file for file in free if len(free) > 1 and _sha1(file) == asset.get("checksum")]
            if not free:
                yield NotImported(name or text_at(asset, "id") or "an asset", MISSING)
                continue
            file = (same or free)[0]
            used.add(file)
            tags = [text_at(tag, "value") or text_at(tag, "name") for tag in objects_at(asset, "tags")]
            yield ImportedMeme(
                file,
                albums.get(described) or _album_beside(described, albums) or "Immich",
                Path(name).stem,
                parsed_time(asset.get("fileCreatedAt")),
                texts_of(
                    immich__simple_description=text_at(asset.get("exifInfo"), "description"),
                    **{TAGS: listed(tags)},
                ),
            )
    yield from unused_files(folder, used)


def _assets(document: Any) -> list[Any] | None:
    """Return the assets of an album of Immich 2 or of a page of a search; None for another document."""
    found = document.get("assets") if isinstance(document, dict) else None
    if isinstance(found, dict):
        found = found.get("items")
    elif isinstance(document, dict) and "albumName" not in document:
        found = None
    return found if isinstance(found, list) else None


def _album_beside(page: Path, albums: Mapping[Path, str]) -> str:
    """Return the name of the one album whose description is in a page's folder, or in the whole export."""
    beside = [name for file, name in albums.items() if file.parent == page.parent] or list(albums.values())
    return beside[0] if len(beside) == 1 else ""


def _sha1(file: Path) -> str:
    with file.open("rb") as opened:
        return base64.b64encode(hashlib.file_digest(opened, "sha1").digest()).decode()


def _telegram(folder: Path, by_tag: str) -> Iterator[Found]:
    """Telegram: a sticker pack, with the answer of the Bot API's `getStickerSet` saved beside its files as JSON.

    A set has `title`, `name` and `stickers`; a sticker has `file_unique_id`, `file_id`, `emoji`, `is_animated` and
    `is_video` (core.telegram.org/bots/api, StickerSet and Sticker). A file is named by one of the two ids, or by the
    sticker's number in the set. Animated stickers are .tgs, drawings that Memetica does not draw.
    """
    documents = _documents(
        folder,
        lambda one: isinstance(_sticker_set(one).get("stickers"), list),
        what="sticker set of Telegram (the answer of getStickerSet)",
    )
    used = set(documents)
    by_stem = {file.stem: file for file in own_files(folder) if file not in used}
    numbered = {int(stem): file for stem, file in by_stem.items() if re.fullmatch("[0-9]{1,4}", stem)}
    for document in documents.values():
        pack = _sticker_set(document)
        title = text_at(pack, "title") or text_at(pack, "name") or "Telegram"
        for number, sticker in enumerate(pack["stickers"], start=1):
            if not isinstance(sticker, dict):
                yield NotImported(f"{title}, sticker {number}", "It is not a sticker.")
                continue
            ids = (text_at(sticker, "file_unique_id"), text_at(sticker, "file_id"))
            file = next((by_stem[one] for one in ids if one in by_stem), numbered.pop(number, None))
            if file is None:
                reason = "It is animated (.tgs), which is no picture." if sticker.get("is_animated") else MISSING
                yield NotImported(f"{title}, sticker {number}", reason)
                continue
            used.add(file)
            if sticker.get("is_animated") or file.suffix.lower() == ".tgs":
                yield NotImported(file.relative_to(folder).as_posix(), "It is animated (.tgs), which is no picture.")
                continue
            emoji = text_at(sticker, "emoji")
            yield ImportedMeme(
                file, title, f"{title} {number} {emoji}".strip(), texts=texts_of(**{TAGS: listed([emoji, title])})
            )
    yield from unused_files(folder, used)


def _sticker_set(document: Any) -> dict[str, Any]:
    """Return the set in an answer of the Bot API or by itself; {} for another document."""
    found = document.get("result", document) if isinstance(document, dict) else {}
    return found if isinstance(found, dict) else {}


_READERS: Mapping[ImportKind, Callable[[Path, str], Iterator[Found]]] = {
    ImportKind.HYDRUS: _hydrus,
    ImportKind.SZURUBOORU: _szurubooru,
    ImportKind.IMMICH: _immich,
    ImportKind.TELEGRAM: _telegram,
    ImportKind.CSV: lambda folder, _: read_table(folder),
}
