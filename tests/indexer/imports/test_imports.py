"""Exports of other programs, made as their documentation says, become a library that is read as it should be."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from indexer.imports import ImportedMeme, ImportKind, NotImported, carry_out, plan_import, read_export
from indexer.library.format import MemeFile, scan
from indexer.library.sidecars import read_first_seen, read_sidecar
from indexer.media.signatures import FileType, file_type, fitting_suffix
from search.catalogue import open_catalogue
from search.errors import WrongUse
from search.meme import TextKind
from search.settings import Settings
from search.workspace import Workspace
from tests.support.uploading import drawn, files_of
from web.cli.main import main

HEADS = {
    FileType.JPEG: b"\xff\xd8\xff\xe0",
    FileType.PNG: b"\x89PNG\r\n\x1a\n",
    FileType.GIF: b"GIF89a",
    FileType.WEBP: b"RIFF\0\0\0\0WEBPVP8L",
    FileType.AVIF: b"\0\0\0\x14ftypavif\0\0\0\0mif1",
    FileType.BMP: b"BM" + bytes(12) + b"\x28\0\0\0",
    FileType.ICON: b"\0\0\1\0\1\0" + b"\x10\x10\0\0\1\0\x20\0" + b"\x28\4\0\0" + b"\x16\0\0\0",
    FileType.HEIF: b"\0\0\0\x14ftypheic\0\0\0\0mif1",
    FileType.JXL: b"\xff\x0a",
    FileType.TIFF: b"II*\0\x08\0\0\0",
    FileType.MP4: b"\0\0\0\x14ftypisom\0\0\0\0avc1",
    FileType.WEBM: b"\x1aE\xdf\xa3\x42\x82\x84webm",
    FileType.MATROSKA: b"\x1aE\xdf\xa3\x42\x82\x88matroska",
    FileType.AVI: b"RIFF\0\0\0\0AVI LIST",
    FileType.ASF: b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    FileType.FLV: b"FLV\x01",
    FileType.MPEG: b"\0\0\x01\xba",
    FileType.MPEG_TS: (b"G" + bytes(187)) * 3,
    FileType.OGG: b"OggS" + bytes(24) + b"\x80theora",
}


def save(folder: Path, name: str, body: bytes | str | list | dict) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    path.write_bytes(raw)
    return path


def hydrus(folder: Path) -> None:
    """Named by hash, with the three kinds of sidecars that can be chosen."""
    save(folder, "0a1b.jpg", drawn(1, form="JPEG"))
    save(folder, "0a1b.txt", "creator:someone\nseries:grumpy cats\ntitle:No\nmonday\n")
    save(folder, "reactions/ff.png", drawn(2))
    notes = {"notes": {"about": "Seen at work."}, "tags": {"my tags": ["shrug"]}, "urls": ["https://example.org/1"]}
    save(folder, "reactions/ff.png.json", notes)
    save(folder, "lost.txt", "no file")
    save(folder, "song.mp3", b"ID3 no picture at all")


def szurubooru(folder: Path) -> None:
    def post(id: int, name: str, **more: Any) -> dict[str, Any]:
        tags = [
            {"names": ["monday_cat", "cat_monday"], "category": "character", "usages": 3},
            {"names": ["angry"], "category": "default", "usages": 9},
        ]
        return {
            "version": 1, "id": id, "creationTime": "2021-05-04T03:02:01.123456Z", "safety": "safe", "tags": tags,
            "type": "image", "mimeType": "image/png", "contentUrl": f"data/posts/{name}", "source": None, "notes": [],
        } | more  # fmt: skip

    note = {"polygon": [[0, 0], [1, 0], [1, 1]], "text": "I hate it"}
    first = [post(2, "2_0123456789abcdef.png", notes=[note], source="https://example.org/2", safety="sketchy")]
    save(folder, "page1.json", {"query": "", "offset": 0, "limit": 1, "total": 2, "results": first})
    again = [*first, post(1, "1_fedcba9876543210.png"), "?"]
    save(folder, "page2.json", {"query": "", "offset": 1, "limit": 1, "total": 2, "results": again})
    save(folder, "data/posts/2_0123456789abcdef.png", drawn(2))
    save(folder, "data/posts/3_aaaaaaaaaaaaaaaa.png", drawn(3))


def immich_asset(name: str, body: bytes, **more: Any) -> dict[str, Any]:
    checksum = base64.b64encode(hashlib.sha1(body).digest()).decode()
    return {
        "id": "a1", "originalFileName": name, "originalPath": "/data/x", "checksum": checksum, "type": "IMAGE",
        "fileCreatedAt": "2022-01-02T03:04:05.000Z", "exifInfo": {"description": ""}, "tags": [],
    } | more  # fmt: skip


def immich_files(folder: Path) -> list[dict[str, Any]]:
    """Save a downloaded album, and return its assets."""
    one, other = drawn(1), drawn(2)
    save(folder, "IMG.png", other)  # the download has turned the names round
    save(folder, "IMG+1.png", one)
    save(folder, "README.txt", "?")
    dog = {"exifInfo": {"description": "A dog on fire."}, "tags": [{"name": "dog", "value": "pets/dog"}]}
    return [
        immich_asset("IMG.png", one, **dog),
        immich_asset("IMG.png", other, id="a2", fileCreatedAt="2023-01-01T00:00:00.000Z"),
        immich_asset("gone.png", b"x", id="a3"),
    ]


def immich(folder: Path) -> None:
    """As of Immich 2: the album names its assets."""
    album = {"albumName": "Work: jokes", "assetCount": 3, "description": ""}
    save(folder, "album.json", album | {"assets": immich_files(folder)})


def immich_3(folder: Path, *, album: str = "Work: jokes") -> None:
    """As of Immich 3: a search names them, in pages that overlap."""
    first, *rest = immich_files(folder)
    save(folder, "album.json", {"id": "b1", "albumName": album, "assetCount": 3, "description": ""})
    for number, items in enumerate(([first], [first, *rest]), start=1):
        found = {"total": len(items), "count": len(items), "facets": [], "items": items, "nextPage": None}
        save(folder, f"page{number}.json", {"albums": {"total": 0, "items": []}, "assets": found})


def telegram(folder: Path) -> None:
    def sticker(id: str, **more: Any) -> dict[str, Any]:
        return {
            "file_id": f"CAAC{id}", "file_unique_id": id, "type": "regular", "width": 512, "height": 512,
            "is_animated": False, "is_video": False, "emoji": "😂", "set_name": "dogs_by_bot",
        } | more  # fmt: skip

    stickers = [sticker("AgAD1"), sticker("AgAD2", emoji="🔥"), sticker("AgAD3", is_animated=True), sticker("AgAD4")]
    pack = {"name": "dogs_by_bot", "title": "Dogs", "sticker_type": "regular", "stickers": stickers}
    save(folder, "set.json", {"ok": True, "result": pack})
    save(folder, "AgAD1.webp", drawn(1, form="WEBP"))
    save(folder, "02.webp", drawn(2, form="WEBP"))
    save(folder, "AgAD3.tgs", b"\x1f\x8b")


def table(folder: Path) -> None:
    save(
        folder,
        "memes.csv",
        "\ufeffFile;Category;Title;Date;Tags;Caption;OCR;Stars\n"
        'a.png;Dogs;"Fine; really";2020-02-03;dog, fire;A dog sits.;this is fine;5\n'
        "cats/b.png;;;soon;;;;\n"
        "missing.png;;;;;;;\n../../etc/passwd;;;;;;;\n",
    )
    save(folder, "a.png", drawn(1))
    save(folder, "cats/b.png", drawn(2))
    save(folder, "c.png", drawn(3))


EXPORTS = {
    ImportKind.HYDRUS: hydrus,
    ImportKind.SZURUBOORU: szurubooru,
    ImportKind.IMMICH: immich,
    ImportKind.TELEGRAM: telegram,
    ImportKind.CSV: table,
}
# What each becomes: the path, the texts by source (or kind), the day; and what is left out.
EXPECTED: dict[ImportKind, tuple[dict[str, tuple[dict[str, str], str]], list[str]]] = {
    ImportKind.HYDRUS: (
        {
            "Hydrus/No.jpg": ({"tags": "creator:someone, series:grumpy cats, title:No, monday"}, "2010-01-01"),
            "reactions/ff.png": (
                {"tags": "shrug", "notes": "Seen at work.", "sources": "https://example.org/1"},
                "2010-01-01",
            ),
        },
        ["song.mp3", "lost.txt"],
    ),
    ImportKind.SZURUBOORU: (
        {
            "szurubooru/monday cat angry sketchy.png": (
                {"tags": "monday cat, angry, sketchy", "notes": "I hate it", "sources": "https://example.org/2"},
                "2021-05-04",
            )
        },
        ["post 1 (1_fedcba9876543210.png)", "?", "data/posts/3_aaaaaaaaaaaaaaaa.png"],
    ),
    ImportKind.IMMICH: (
        {
            "Work jokes/IMG.png": ({"immich": "A dog on fire.", "tags": "pets/dog"}, "2022-01-02"),
            "Work jokes/IMG 2.png": ({}, "2023-01-01"),
        },
        ["gone.png", "README.txt"],
    ),
    ImportKind.TELEGRAM: (
        {
            "Dogs/Dogs 1 😂.webp": ({"tags": "😂, Dogs"}, "2010-01-01"),
            "Dogs/Dogs 2 🔥.webp": ({"tags": "🔥, Dogs"}, "2010-01-01"),
        },
        ["AgAD3.tgs", "Dogs, sticker 4"],
    ),
    ImportKind.CSV: (
        {
            "Dogs/Fine; really.png": (
                {"tags": "dog, fire", "csv": "A dog sits.", "tesseract-ocr": "this is fine"},
                "2020-02-03",
            ),
            "cats/b.png": ({}, "2010-01-01"),
        },
        ["column Stars", "line 3, date 'soon'", "line 4 (missing.png)", "line 5 (../../etc/passwd)", "c.png"],
    ),
}


def made(kind: ImportKind, folder: Path) -> Path:
    return aged(EXPORTS[kind], folder)


def aged(make: Callable[[Path], None], folder: Path) -> Path:
    """Return the folder of an export whose files are of 2010."""
    make(folder)
    for file in folder.rglob("*"):
        os.utime(file, (1262304000, 1262304000))  # 2010-01-01
    return folder


def memes_of(library: Path) -> Iterator[MemeFile]:
    for one in scan(library):
        assert isinstance(one, MemeFile), one
        yield one


@pytest.mark.parametrize(
    ("kind", "make"), [*EXPORTS.items(), (ImportKind.IMMICH, immich_3)], ids=lambda one: getattr(one, "__name__", "")
)
def test_an_export_becomes_a_library(kind: ImportKind, make: Callable[[Path], None], tmp_path: Path) -> None:
    export, library = aged(make, tmp_path / "export"), tmp_path / "memes"
    before = files_of(export)
    found = list(read_export(kind, export))
    plan = plan_import(library, found)
    assert not library.exists()
    expected, left_out = EXPECTED[kind]
    assert [Path(one.what).name if one.what.startswith("/") else one.what for one in plan.left_out] == left_out
    assert all(one.reason for one in plan.left_out)
    assert carry_out(library, plan) == []
    brought = {}
    for meme in memes_of(library):
        texts = {text.source: text for text in (read_sidecar(library, one) for one in meme.sidecars)}
        brought[meme.path] = (
            {source: text.body for source, text in texts.items()},
            f"{read_first_seen(library, meme)[0]:%Y-%m-%d}",
        )
        kinds = {"immich": TextKind.SIMPLE, "csv": TextKind.SIMPLE, "tesseract-ocr": TextKind.OCR}
        assert all(text.kind is kinds.get(source, TextKind.OTHER) for source, text in texts.items())
        assert meme.file.read_bytes() in {one.file.read_bytes() for one in found if isinstance(one, ImportedMeme)}
    assert brought == expected
    assert files_of(export) == before  # files are copied, and the export stays as it was
    again = plan_import(library, found)
    assert all(one.is_known and not one.texts for one in again.planned)
    after = files_of(library)
    assert carry_out(library, again) == [] and files_of(library) == after


def test_an_asset_is_told_from_another_of_its_name_by_its_checksum(tmp_path: Path) -> None:
    export = made(ImportKind.IMMICH, tmp_path)
    described = [
        one for one in read_export(ImportKind.IMMICH, export) if isinstance(one, ImportedMeme) and "tags" in one.texts
    ]
    assert [one.file.name for one in described] == ["IMG+1.png"]


def test_a_page_of_a_search_belongs_to_the_album_beside_it(tmp_path: Path) -> None:
    immich_3(tmp_path / "one", album="One")
    immich_3(tmp_path / "two", album="Two")
    found = [one for one in read_export(ImportKind.IMMICH, tmp_path) if isinstance(one, ImportedMeme)]
    assert {(one.file.parent.name, one.category) for one in found} == {("one", "One"), ("two", "Two")}
    for page in tmp_path.rglob("page*.json"):
        page.unlink()
    with pytest.raises(WrongUse, match="does not list the album's files") as refused:
        list(read_export(ImportKind.IMMICH, tmp_path))
    assert "/api/search/metadata" in refused.value.hint


def test_a_tag_names_the_category_and_an_option_overrides_it(tmp_path: Path) -> None:
    export = made(ImportKind.HYDRUS, tmp_path / "h")
    memes = [one for one in read_export(ImportKind.HYDRUS, export, by_tag="series") if isinstance(one, ImportedMeme)]
    assert [one.category for one in memes] == ["grumpy cats", "reactions", "Hydrus"]
    booru = made(ImportKind.SZURUBOORU, tmp_path / "s")
    [post] = (
        one for one in read_export(ImportKind.SZURUBOORU, booru, by_tag="character") if isinstance(one, ImportedMeme)
    )
    assert post.category == "monday cat"
    every = read_export(ImportKind.HYDRUS, export, category="Inbox", by_tag="series")
    assert {one.category for one in every if isinstance(one, ImportedMeme)} == {"Inbox"}


def test_nothing_in_the_library_is_overwritten(workspace: Workspace, tmp_path: Path) -> None:
    library = workspace.library
    (library / "Cats/orphan.png.txt").write_text("of a meme that is gone")
    new = save(tmp_path, "x.png", drawn(4))
    same = save(tmp_path, "y.png", (library / "Dogs/fine.png").read_bytes())
    before = files_of(library)
    found = [
        ImportedMeme(new, "CATS", "monday", texts={"tags": "new"}),
        ImportedMeme(save(tmp_path, "z.png", drawn(5)), "Cats", "orphan"),
        ImportedMeme(same, "Cats", "again", texts={"": "overwritten?", "tags": "dog"}),
        ImportedMeme(save(tmp_path, "twin.png", drawn(4)), "Cats", "twin"),
    ]
    plan = plan_import(library, found)
    assert [(one.path, one.is_known) for one in plan.planned] == [
        ("Cats/monday 2.png", False),
        ("Cats/orphan 2.png", False),
        ("Dogs/fine.png", True),
        ("Cats/monday 2.png", True),
    ]
    assert carry_out(library, plan) == []
    after = files_of(library)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == {
        "Cats/monday 2.png", "Cats/monday 2.png.tags.txt", "Cats/orphan 2.png", "Dogs/fine.png.tags.txt",
    }  # fmt: skip


@pytest.mark.parametrize("title", ["AC/DC 24/7", "AC\\DC 24\\7", " AC / DC   24/7/"])
def test_a_title_with_slashes_is_no_path(title: str, tmp_path: Path) -> None:
    meme = ImportedMeme(save(tmp_path, "x.png", drawn(4)), "Music", title)
    assert plan_import(tmp_path / "library", [meme]).planned[0].path == "Music/AC DC 24 7.png"


def test_what_appears_in_the_meantime_is_left_alone(tmp_path: Path) -> None:
    meme = ImportedMeme(save(tmp_path, "x.png", drawn(4)), "Cats", "x", texts={"tags": "new"})
    plan = plan_import(tmp_path / "memes", [meme])
    save(tmp_path / "memes", "Cats/x.png", b"another")
    [failed] = carry_out(tmp_path / "memes", plan)
    assert isinstance(failed, NotImported) and "exists by now" in failed.reason
    assert files_of(tmp_path / "memes").keys() == {"Cats/x.png"}


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "con", "memes", "x" * 300, "  ", "C:\\x", "\u202egnp"])
def test_a_category_of_an_export_is_one_safe_folder(name: str, tmp_path: Path) -> None:
    meme = ImportedMeme(save(tmp_path, "x.png", drawn(4)), name, name)
    library = tmp_path / "library"
    plan = plan_import(library, [meme])
    carry_out(library, plan)
    [found] = memes_of(library)
    assert found.path.count("/") == 1 and not found.path.startswith(".")
    assert {path.name for path in tmp_path.iterdir()} == {"x.png", "library"}


@pytest.mark.parametrize("kind", ImportKind)
def test_a_folder_that_is_no_such_export_is_wrong_use(kind: ImportKind, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="is not a folder"):
        list(read_export(kind, tmp_path / "missing"))
    save(tmp_path, "broken.json", "{")
    save(tmp_path, "broken.png.json", "{")
    save(tmp_path, "broken.png", drawn(1))
    if kind is ImportKind.HYDRUS:  # its sidecars say something of one file each
        meme, *listed = sorted(read_export(kind, tmp_path), key=lambda one: isinstance(one, NotImported))
        assert isinstance(meme, ImportedMeme) and meme.name == "broken" and not meme.texts
        reasons = {one.what: one.reason for one in listed if isinstance(one, NotImported)}
        assert set(reasons) == {"broken.png.json", "broken.json"} and all("JSON" in one for one in reasons.values())
        return
    with pytest.raises(WrongUse):
        list(read_export(kind, tmp_path))


def test_the_command_shows_first_and_writes_when_told(tmp_path: Path) -> None:
    export, library = made(ImportKind.CSV, tmp_path / "export"), tmp_path / "memes"

    def run(*words: str) -> Result:
        places = ["--library", str(library), "--data", str(tmp_path / "data")]
        return CliRunner().invoke(main, ["import", "csv", str(export), *places, *words], env={"COLUMNS": "80"})

    told = run()
    assert told.exit_code == 0 and "Dogs/Fine; really.png" in told.stdout and "left out: c.png" in told.stdout
    assert "Nothing was written" in " ".join(told.stderr.split()) and not library.exists()
    rows = [json.loads(line) for line in run("--yes", "--json").stdout.splitlines()]
    assert [row["path"] for row in rows if "path" in row] == ["Dogs/Fine; really.png", "cats/b.png"]
    assert "c.png" in [row.get("left_out") for row in rows]
    assert (library / "cats/b.png").read_bytes() == drawn(2)
    with open_catalogue(Settings(library=library, data=tmp_path / "data"), create=False) as catalogue:
        tags = {tag: len(contents) for tag, contents in catalogue.tags.contents().items()}
    assert tags and set(tags.values()) == {1}
    assert "0 memes brought, 2 there already, 5 left out, 0 tags given" in " ".join(run("--yes").stderr.split())


def test_an_empty_folder_of_a_known_library_is_not_filled(workspace: Workspace, tmp_path: Path) -> None:
    export = made(ImportKind.CSV, tmp_path / "export")
    gone = workspace.library.rename(tmp_path / "gone")
    workspace.library.mkdir()
    data, library = str(workspace.data), str(workspace.library)
    done = CliRunner().invoke(main, ["import", "csv", str(export), "--yes", "--data", data, "--library", library])
    assert done.exit_code == 1 and "mounted" in done.stderr and list(workspace.library.iterdir()) == []
    assert gone.exists()


@pytest.mark.parametrize("form", list(FileType), ids=lambda form: form.name)
def test_every_kind_of_file_that_is_read_is_brought_with_a_fitting_ending(form: FileType, tmp_path: Path) -> None:
    head = HEADS[form]
    assert file_type(head) is form
    file = save(tmp_path, "export/meme.bin", head)
    [planned] = plan_import(tmp_path / "memes", [ImportedMeme(file, "Cats", "meme")]).planned
    assert Path(planned.path).suffix == fitting_suffix(head, "meme.bin")
    assert carry_out(tmp_path / "memes", plan_import(tmp_path / "memes", [ImportedMeme(file, "Cats", "meme")])) == []
    assert [entry.path for entry in scan(tmp_path / "memes")] == [planned.path]


@pytest.mark.parametrize(
    ("name", "begins", "brought"),
    [
        ("drawing.svg", "", True),
        ("drawing.svg", f"<!-- {'by an old program ' * 150} -->", True),
        ("drawing", "<?xml version='1.0'?>", True),
        ("page.svg", "<p>a page with a drawing in it</p>", False),
    ],
)
def test_a_drawing_is_told_by_its_first_element(name: str, begins: str, brought: bool, tmp_path: Path) -> None:
    file = save(tmp_path, f"export/{name}", f'{begins}<svg xmlns="http://www.w3.org/2000/svg"/>')
    plan = plan_import(tmp_path / "memes", [ImportedMeme(file, "Cats", "drawing")])
    assert [one.path for one in plan.planned] == (["Cats/drawing.svg"] if brought else [])
    assert len(plan.left_out) == (0 if brought else 1)


def test_a_raw_photograph_is_left_out_though_it_begins_as_a_tiff_does(tmp_path: Path) -> None:
    file = save(tmp_path, "photo.nef", HEADS[FileType.TIFF])
    plan = plan_import(tmp_path / "memes", [ImportedMeme(file, "Cats", "photo")])
    assert not plan.planned and plan.left_out == [NotImported(str(file), "Its format is not supported.")]


@pytest.mark.parametrize("kind", ImportKind)
def test_no_export_reaches_a_file_of_this_machine_outside_of_it(kind: ImportKind, tmp_path: Path) -> None:
    save(tmp_path, "private/secret.png", drawn(7))
    save(tmp_path, "private/secret.txt", "a password")
    export = tmp_path / "export"
    export.mkdir()
    for name, target in (("1.png", "../private/secret.png"), ("1.txt", "../private/secret.txt"), ("in", "../private")):
        (export / name).symlink_to(target)
    (export / "loop.png").symlink_to("loop.png")
    os.mkfifo(export / "pipe.png")
    save(export, "2.png", drawn(2))
    (export / "also.png").symlink_to("2.png")  # within the export: as good as a copy
    rows = "file\n1.png\nin/secret.png\n../private/secret.png\npipe.png\n2.png\n"
    about: dict[ImportKind, Any] = {
        ImportKind.HYDRUS: None,
        ImportKind.CSV: rows,
        ImportKind.SZURUBOORU: {"results": [{"id": n, "contentUrl": f"data/{n}.png"} for n in (1, 2)]},
        ImportKind.IMMICH: {"albumName": "A", "assets": [{"originalFileName": f"{n}.png"} for n in (1, 2)]},
        ImportKind.TELEGRAM: {"title": "A", "stickers": [{}, {}]},
    }
    if about[kind] is not None:
        save(export, "about.csv" if kind is ImportKind.CSV else "about.json", about[kind])
    plan = plan_import(tmp_path / "memes", read_export(kind, export))
    carry_out(tmp_path / "memes", plan)
    brought = {one.meme.file.name for one in plan.planned}
    assert brought == ({"2.png", "also.png"} if kind is ImportKind.HYDRUS else {"2.png"})
    assert drawn(7) not in [file.read_bytes() for file in (tmp_path / "memes").rglob("*") if file.is_file()]
    assert {"1.png", "1.txt", "in", "loop.png", "pipe.png"} <= {one.what for one in plan.left_out}


@pytest.mark.parametrize("bad", [None, 5, "x", [], {}, True, {"id": {}, "tags": 7, "names": [None]}])
@pytest.mark.parametrize(
    ("kind", "key"),
    [(ImportKind.SZURUBOORU, "results"), (ImportKind.IMMICH, "assets"), (ImportKind.TELEGRAM, "stickers")],
)
def test_an_entry_of_another_shape_is_listed_and_stops_nothing(
    kind: ImportKind, key: str, bad: object, tmp_path: Path
) -> None:
    odd = {"names": 5, "category": [], "value": {}, "text": []}
    good = {
        "id": [1],
        "contentUrl": "http://[x/data/2.png?a",
        "originalFileName": "2.png",
        "file_id": "2",
        "tags": [odd, None, "x"],
        "notes": [odd, 5],
        "source": ["a"],
        "exifInfo": "e",
        "emoji": 3,
        "creationTime": 1e308,
        "fileCreatedAt": [],
    }
    save(tmp_path, "2.png", drawn(2))
    save(tmp_path, "about.json", {"albumName": None, key: [bad, good]})
    found = list(read_export(kind, tmp_path))
    assert [one.file.name for one in found if isinstance(one, ImportedMeme)] == ["2.png"]
    assert [one for one in found if isinstance(one, NotImported)]


@pytest.mark.parametrize("result", [["stickers"], "stickers", 7, None, {"stickers": "x"}, {"stickers": {"a": 1}}])
def test_an_answer_without_stickers_is_no_set(result: object, tmp_path: Path) -> None:
    save(tmp_path, "about.json", {"result": result})
    with pytest.raises(WrongUse, match="no sticker set"):
        list(read_export(ImportKind.TELEGRAM, tmp_path))


def test_equal_names_in_two_folders_are_told_by_their_paths_or_listed(tmp_path: Path) -> None:
    for seed, name in enumerate(("data/a/1.png", "data/b/1.png", "2.png")):
        save(tmp_path, name, drawn(seed))
    posts = [
        {"id": n, "contentUrl": path} for n, path in enumerate(("data/a/1.png", "data/b/1.png", "x/1.png", "2.png"))
    ]
    save(tmp_path, "posts.json", {"results": posts})
    found = list(read_export(ImportKind.SZURUBOORU, tmp_path))
    paths = [one.file.relative_to(tmp_path).as_posix() for one in found if isinstance(one, ImportedMeme)]
    assert paths == ["data/a/1.png", "data/b/1.png", "2.png"]
    assert ["Several files" in one.reason for one in found if isinstance(one, NotImported)] == [True]


def test_a_numbered_sticker_belongs_to_one_set(tmp_path: Path) -> None:
    save(tmp_path, "1.png", drawn(1))
    for name in ("a", "b"):
        save(tmp_path, f"{name}.json", {"title": name, "stickers": [{}]})
    found = list(read_export(ImportKind.TELEGRAM, tmp_path))
    assert [one.category for one in found if isinstance(one, ImportedMeme)] == ["a"]
    assert [one.what for one in found if isinstance(one, NotImported)] == ["b, sticker 1"]


@pytest.mark.parametrize("sidecar", ["a.txt", "a.png.txt"])
def test_a_sidecar_that_is_not_utf8_is_listed(sidecar: str, tmp_path: Path) -> None:
    save(tmp_path, "a.png", drawn(1))
    save(tmp_path, sidecar, "größe\n".encode("latin-1"))
    found = list(read_export(ImportKind.HYDRUS, tmp_path))
    assert [dict(one.texts) for one in found if isinstance(one, ImportedMeme)] == [{}]
    assert [one.what for one in found if isinstance(one, NotImported)] == [sidecar]


def test_a_table_is_read_to_its_end_or_refused(tmp_path: Path) -> None:
    save(tmp_path, "a.png", drawn(1))
    save(tmp_path, "t.csv", 'file,caption\na.png,"' + "word " * 40_000 + '"\n' + "b" * 5000 + ".png,\n")
    meme, missing = read_export(ImportKind.CSV, tmp_path)
    assert isinstance(meme, ImportedMeme) and len(meme.texts["csv.simple-description"].split()) == 40_000
    assert isinstance(missing, NotImported) and missing.what.startswith("line 3 (bbb")
    save(tmp_path, "t.csv", 'file,caption\na.png,"not closed\nb.png,lost\n')
    with pytest.raises(WrongUse, match="cannot be read as far as") as refused:
        list(read_export(ImportKind.CSV, tmp_path))
    assert "not closed" in refused.value.hint


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_table_holds_what_its_writer_wrote(separator: str, quoting: Any, tmp_path: Path) -> None:
    """Quotation marks are doubled in a quoted text, and only line feeds end a line."""
    captions = ['he said "hi, you; all"\tand left', "one\n\ntwo", "a\u2028b", "c\x0bd\x85e", "😀 'x'", '"']
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=separator, quoting=quoting)
        writer.writerow(["file", "caption", "title"])
        for number, caption in enumerate(captions):
            save(tmp_path, f"{number}.png", drawn(number))
            writer.writerow([f"{number}.png", caption, f"t{number}"])
        writer.writerow(["lost.png", "", ""])
    *memes, lost = read_export(ImportKind.CSV, tmp_path)
    read = [one for one in memes if isinstance(one, ImportedMeme)]
    assert [one.texts["csv.simple-description"] for one in read] == captions
    assert [one.name for one in read] == [f"t{number}" for number in range(len(captions))]
    assert isinstance(lost, NotImported) and lost.what == "line 10 (lost.png)"


def test_of_two_columns_with_one_meaning_the_plainer_counts_and_the_other_is_listed(tmp_path: Path) -> None:
    for seed in (1, 2):
        save(tmp_path, f"{seed}.png", drawn(seed))
    save(tmp_path, "t.csv", "path,folder,file,category,caption\n1.png,Cats,2.png,Dogs,a\0b\n")
    found = list(read_export(ImportKind.CSV, tmp_path))
    [meme] = [one for one in found if isinstance(one, ImportedMeme)]
    assert (meme.file.name, meme.category, dict(meme.texts)) == ("2.png", "Dogs", {"csv.simple-description": "ab"})
    assert [one.what for one in found if isinstance(one, NotImported)] == ["column path", "column folder", "1.png"]


def test_another_text_for_the_same_bytes_is_listed(tmp_path: Path) -> None:
    export, library = tmp_path / "export", tmp_path / "memes"
    save(export, "a.png", drawn(1))
    save(export, "t.csv", "file,text,caption\na.png,one,a dog\na.png,two,a dog\n")
    plan = plan_import(library, read_export(ImportKind.CSV, export))
    assert [one.what for one in plan.left_out] == [f"{export / 'a.png'}, its text"]
    carry_out(library, plan)
    again = plan_import(library, read_export(ImportKind.CSV, export))
    assert [one.what for one in again.left_out] == [one.what for one in plan.left_out]
    assert not any(one.texts for one in again.planned)
    assert (library / "Imported/a.png.txt").read_text("utf-8") == "one\n"
