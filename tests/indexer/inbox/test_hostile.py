"""Uploads that mean harm, and curators, builds and processes that come in each other's way."""

from __future__ import annotations

import hashlib
import io
import signal
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from filelock import FileLock
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, PngImagePlugin

from indexer.inbox.acceptance import accept, undo_decision
from indexer.inbox.reception import discard, inbox_path, preview_path, receive, restore_discarded
from indexer.inbox.workers import ExaminerCache, examine_waiting
from indexer.library import scan as scanning
from indexer.library.format import library_root
from indexer.library.scan import scan_library
from indexer.media.thumbnails import thumbnail_path
from indexer.stages.decode import missing_pictures
from indexer.stages.find_duplicates import find_duplicates
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, Upload, UploadState, open_catalogue
from search.duplicates.candidates import TRIMMED_PDQ
from search.errors import InboxFull, LibraryError, MemeticaError, SuspectedDuplicate, UnreadableFile, WrongUse
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import PASSWORD, guess, token_in
from tests.support.fakes import HashingTextEncoder
from tests.support.paths import ROOT
from tests.support.serving import app_over
from tests.support.uploading import REST, accepted, drawn, files_of, put_in, send
from tests.support.waiting import PATIENCE
from web.app import create_app
from web.background.categories import CategoryWorkers
from web.server import serve as server

SECRET = b"1 Secret Street"


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    with open_catalogue(settings) as found:
        yield found


@pytest.fixture(autouse=True)
def _nothing_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is learnt of categories has tests of its own, and takes its time."""
    monkeypatch.setattr(CategoryWorkers, "suggester", lambda self: None)


def came(settings: Settings, catalogue: Catalogue, body: bytes, name: str = "zeppelin.png") -> Upload:
    """Take an upload in and examine it, without a server."""
    upload = receive(Workspace(settings, catalogue), io.BytesIO(body), name=name, received_by="test")
    examine_waiting(catalogue, examiners=ExaminerCache(Workspace(settings, catalogue)))
    return catalogue.uploads.get(upload.id)


def left_in_inbox(settings: Settings) -> list[str]:
    folder = settings.data / "inbox"
    return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []


# Processes that die, and that come in each other's way

CHILD = """
import os, signal, sys
from pathlib import Path
from tests.support.fakes import HashingTextEncoder
from tests.support.uploading import settings_in
from indexer.inbox import workers
from search.index import writer
from indexer.inbox.acceptance import accept
from search.catalogue import open_catalogue
from search.catalogue.uploads import Uploads
from search.workspace import Workspace

def die(*given, **more):
    os.kill(os.getpid(), signal.SIGKILL)

settings = settings_in(Path(sys.argv[1]))
with open_catalogue(settings) as catalogue:
    workspace = Workspace(settings, catalogue)
    accept(workspace, int(sys.argv[2]), category="Robots")
    if sys.argv[3] == "accepted":
        die()
    if sys.argv[3] == "written":
        writer.write_manifest = die
    if sys.argv[3] == "switched":
        Uploads.mark_indexed = die
    workers.index_decided(workspace, load_encoder=HashingTextEncoder)
"""


@pytest.mark.parametrize("step", ["accepted", "written", "switched"])
def test_a_process_killed_between_accept_and_index_loses_nothing_and_enters_nothing_twice(
    settings: Settings, catalogue: Catalogue, step: str
) -> None:
    before, memes = files_of(settings.library), catalogue.memes.count()
    body = drawn()
    upload = came(settings, catalogue, body)
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(settings.data.parent), str(upload.id), step],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert catalogue.uploads.get(upload.id).unindexed
    app = app_over(settings)
    assert app.extensions["inbox"].wait_until_idle(REST)
    hits = app.test_client().get("/api/search?q=zeppelin").json["hits"]
    app.extensions["inbox"].close()
    assert [hit["path"] for hit in hits].count("Robots/zeppelin.png") == 1
    added = files_of(settings.library).keys() - before.keys()
    assert added == {"Robots/zeppelin.png", "Robots/zeppelin.png.first-seen.txt"}
    assert (settings.library / "Robots/zeppelin.png").read_bytes() == body
    assert catalogue.memes.count() == memes + 1
    assert not catalogue.uploads.unindexed() and not catalogue.leases.held()


def test_two_curators_who_send_and_accept_the_same_file_at_once_get_one(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    before = files_of(settings.library)
    other = app.test_client()
    assert guess(other, PASSWORD).status_code == 303
    other.environ_base["HTTP_X_CSRF_TOKEN"] = token_in(other.get("/curator").text)
    both = (client, "mine.png", "Cats"), (other, "yours.png", "Robots")
    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda one: send(one[0], (one[1], drawn())), both))
        assert [one.status_code for one in sent] == [201, 201]
        [id] = {one.json["uploads"][0]["id"] for one in sent}
        assert app.extensions["inbox"].wait_until_idle(REST)
        accepts = list(pool.map(lambda one: one[0].post(f"/api/inbox/{id}/accept", json={"category": one[2]}), both))
    assert [one.status_code for one in accepts] == [200, 200]
    [path] = {one.json["path"] for one in accepts}
    assert app.extensions["inbox"].wait_until_idle(REST)
    assert files_of(settings.library).keys() - before.keys() == {path, f"{path}.first-seen.txt"}
    assert other.get("/api/search?q=mine+yours&k=50").json["hits"][0]["path"] == path


def test_accepting_waits_for_no_build(app: Flask, client: FlaskClient, settings: Settings) -> None:
    row = put_in(app, client, "zeppelin.png", drawn())
    with FileLock(settings.data / "building.lock"):
        began = monotonic()
        answer: Any = client.post(f"/api/inbox/{row['id']}/accept", json={"category": "Cats"})
        assert (answer.status_code, answer.json["indexed"]) == (200, False)
        assert monotonic() - began < PATIENCE
        assert not app.extensions["inbox"].wait_until_idle(0.3), "the index waits for the build"
    assert app.extensions["inbox"].wait_until_idle(REST)
    assert client.get(f"/api/inbox/{row['id']}").json["indexed"] is True


def while_listed(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], *, first: bool) -> None:
    """Let something happen just before the library is listed by a scan, or just after."""
    real = scanning.scan

    def scan(library: Path, **options: bool) -> list[Any]:
        if first:
            work()
        entries = list(real(library, **options))
        if not first:
            work()
        return entries

    monkeypatch.setattr(scanning, "scan", scan)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_what_is_accepted_while_the_library_is_scanned_stays(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    id = came(settings, catalogue, drawn()).id
    memes = catalogue.memes.count()
    while_listed(monkeypatch, lambda: accept(Workspace(settings, catalogue), id, category="Cats"), first=first)
    scan_library(settings.library, catalogue, progress=SILENT)
    assert catalogue.memes.count() == memes + 1
    assert catalogue.memes.at("Cats/zeppelin.png").id == catalogue.uploads.get(id).meme_id


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("touched", [True, False])
def test_what_is_taken_back_while_the_library_is_scanned_is_gone(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, first: bool, touched: bool
) -> None:
    id = came(settings, catalogue, drawn()).id
    memes = catalogue.memes.count()
    accept(Workspace(settings, catalogue), id, category="Cats")
    if touched:
        (settings.library / "Cats/zeppelin.png").touch()
    while_listed(monkeypatch, lambda: undo_decision(Workspace(settings, catalogue), id), first=first)
    scan_library(settings.library, catalogue, progress=SILENT)
    assert catalogue.memes.count() == memes
    assert not catalogue.memes.with_content(hashlib.sha256(drawn()).hexdigest())


def test_others_can_write_while_a_scan_reads_files(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A curator's decision, from another connection, in the midst of reading a new file."""
    (settings.library / "Cats/large.png").write_bytes(drawn(2))
    id = came(settings, catalogue, drawn()).id
    real, accepted = scanning.meme_hash, []

    def slow(library: Path, path: str, **options: bool) -> str:
        if path == "Cats/large.png":
            with open_catalogue(settings) as other:
                accept(Workspace(settings, other), id, category="Dogs")
                accepted.append(path)
        return real(library, path, **options)

    monkeypatch.setattr(scanning, "meme_hash", slow)
    scan_library(settings.library, catalogue, progress=SILENT)
    assert accepted == ["Cats/large.png"]
    assert {"Cats/large.png", "Dogs/zeppelin.png"} <= {meme.path for meme in catalogue.memes.everything()}


def test_a_server_that_ends_ends_the_inbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    apps: list[Flask] = []

    class Ending:
        effective_listen = (("127.0.0.1", 1),)

        def run(self) -> None:
            apps[0].extensions["inbox"].examining.wake()
            assert any(one.name.startswith("inbox") for one in set(threading.enumerate()) - before)
            raise SystemExit(0)

        def close(self) -> None:
            pass

    def made(workspace: Workspace) -> Flask:
        apps.append(create_app(workspace, text_encoder=HashingTextEncoder()))
        return apps[0]

    before = set(threading.enumerate())  # of applications that other tests made and never closed
    monkeypatch.setattr(server, "create_app", made)
    monkeypatch.setattr(server, "bind", lambda app: Ending())
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with Workspace(settings, open_catalogue(settings)) as workspace, pytest.raises(SystemExit):
            server.serve(workspace, on_ready=lambda address: None)
    finally:
        signal.signal(signal.SIGTERM, handler)
    left = set(threading.enumerate()) - before
    assert not [one for one in left if one.name.startswith(("inbox", "categories"))]


# What is sent


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of few bytes and very many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes(1 + min(width, 60_000) // 8) * 64)  # far fewer than it says
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "body",
    [
        bomb(60_000, 60_000),
        bomb(2**31 - 1, 2**31 - 1),
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;",
        b"%PDF-1.7 and more",
        b"PK\x03\x04" + bytes(60),
        b"<?php echo 1; ?>",
        b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>',
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>',
        b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * 50_000 + b"</g>" * 50_000 + b"</svg>",
    ],
    ids=["pixels", "endless", "gif", "pdf", "zip", "php", "entities", "external", "deep"],
)
def test_what_is_too_much_or_no_picture_is_refused_and_leaves_nothing(
    settings: Settings, catalogue: Catalogue, body: bytes
) -> None:
    with pytest.raises(UnreadableFile) as error:
        receive(Workspace(settings, catalogue), io.BytesIO(body), name="funny.png", received_by="test")
    assert error.value.message.endswith(".")
    assert left_in_inbox(settings) == [] and catalogue.uploads.load() == (0, 0)


def test_no_address_in_a_drawing_is_asked(settings: Settings, catalogue: Catalogue) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.5)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        svg = f"""<?xml version="1.0"?><?xml-stylesheet href="{url}/a.css"?>
        <svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="90" height="60">
        <style>@import url({url}/b.css); rect {{ fill: url({url}/c.svg#d) }}</style>
        <style>@font-face {{ font-family: x; src: url({url}/f.ttf) }}</style>
        <image href="{url}/e.png" width="9" height="9"/><image xlink:href="{url}/g.png" width="9" height="9"/>
        <use href="{url}/h.svg#i"/>
        <foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="{url}/j"/></foreignObject>
        <script href="{url}/k.js"/><rect onload="fetch('{url}/l')" width="50" height="50" fill="red"/></svg>"""
        upload = came(settings, catalogue, svg.encode(), "drawing.svg")
        assert upload.state is UploadState.EXAMINED
        with pytest.raises(TimeoutError):
            listening.accept()
    with Image.open(preview_path(settings.data, upload.content_hash)) as shown:
        assert shown.format == "WEBP"


def secretive(form: str) -> bytes:
    """Return a picture that carries an address wherever its format lets it."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + SECRET + b"</x:xmpmeta>"
    if form == "PNG":
        told = PngImagePlugin.PngInfo()
        told.add_text("Comment", SECRET.decode())
        told.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return drawn(form=form, exif=exif.tobytes(), pnginfo=told)
    if form == "GIF":
        return drawn(form=form, comment=SECRET)
    more: dict[str, Any] = {"comment": SECRET} if form == "JPEG" else {}
    return drawn(form=form, exif=exif.tobytes(), xmp=xmp, icc_profile=SECRET, **more)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_nothing_that_a_file_carries_beside_its_picture_is_shown(
    settings: Settings, catalogue: Catalogue, form: str
) -> None:
    body = secretive(form)
    assert SECRET in body
    upload = came(settings, catalogue, body, "phone.jpg")
    preview = preview_path(settings.data, upload.content_hash).read_bytes()
    accept(Workspace(settings, catalogue), upload.id, category="Cats")
    for shown in (preview, thumbnail_path(settings.data, upload.content_hash).read_bytes()):
        assert SECRET not in shown
        with Image.open(io.BytesIO(shown)) as picture:
            assert not picture.getexif() and not set(picture.info) & {"exif", "xmp", "icc_profile", "comment"}


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../../x.png", "C:\\x.png", "CON.png", "a\0b.png", "a\nb\r.png", "\u202egnp.exe"),
        *(".hidden.png", "\udcff.png", "x" * 300 + ".png", "😂" * 200, "x.png.first-seen.txt", "-rf *.png"),
        *("a.png/", "{{7*7}}<b>.png"),
    ],
    ids=ascii,
)
def test_whatever_its_name_an_upload_becomes_a_meme_of_its_category(
    settings: Settings, catalogue: Catalogue, name: str
) -> None:
    before = files_of(settings.library.parent / "memes")
    done = accept(Workspace(settings, catalogue), came(settings, catalogue, drawn(), name).id, category="Cats")
    assert done.path is not None
    added = files_of(settings.library).keys() - before.keys()
    assert added == {done.path, f"{done.path}.first-seen.txt"}
    assert Path(done.path).parent == Path("Cats") and Path(done.path).suffix == ".png"
    assert done.path.isprintable() and not Path(done.path).name.startswith(".")
    scan_library(settings.library, catalogue, progress=SILENT)
    assert catalogue.memes.at(done.path).first_seen == done.received_at.replace(microsecond=0), "any scan finds it so"


def test_the_queue_is_bounded_by_files_and_by_bytes(settings: Settings, catalogue: Catalogue) -> None:
    size = len(drawn())
    for bounded in (replace(settings, inbox_files=1), replace(settings, inbox_bytes=size + size // 2)):
        first = receive(Workspace(bounded, catalogue), io.BytesIO(drawn()), name="a.png", received_by="test")
        with pytest.raises(InboxFull, match="full"):
            receive(Workspace(bounded, catalogue), io.BytesIO(drawn(2)), name="b.png", received_by="test")
        assert left_in_inbox(bounded) == sorted([first.content_hash, f"{first.content_hash}.webp"])


def test_what_is_refused_for_want_of_room_leaves_a_discarded_one_to_be_taken_back(
    settings: Settings, catalogue: Catalogue
) -> None:
    thrown = came(settings, catalogue, drawn(2))
    discard(Workspace(settings, catalogue), thrown.id)
    came(settings, catalogue, drawn())
    with pytest.raises(InboxFull):
        receive(
            Workspace(replace(settings, inbox_bytes=len(drawn()) + 10), catalogue),
            io.BytesIO(drawn(2)),
            name="b",
            received_by="test",
        )
    assert restore_discarded(Workspace(settings, catalogue), thrown.id).state is UploadState.EXAMINED
    assert inbox_path(settings.data, thrown.content_hash).read_bytes() == drawn(2)


def test_requests_that_are_too_large_or_empty_are_told_so(app: Flask, client: FlaskClient, settings: Settings) -> None:
    many = send(client, *[(f"{number}.png", b"x") for number in range(51)])
    assert many.status_code == 400 and "50" in many.json["error"]["message"]
    for answer in (client.post("/api/inbox"), client.post("/api/inbox", json={"file": "http://127.0.0.1/x.png"})):
        assert answer.status_code == 400 and answer.json["error"]["message"]
    site = app.extensions["site"]
    site.workspace = replace(site.workspace, settings=replace(settings, upload_bytes=1000))
    large = send(client, ("large.png", bytes(2_000_000)))
    assert large.status_code == 413 and large.json["error"]["code"]
    assert left_in_inbox(settings) == []


@pytest.mark.parametrize("given", [None, [], {}, {"category": 3}, {"category": None}, "Cats", b"\xff"])
def test_what_is_no_decision_decides_nothing(
    client: FlaskClient, settings: Settings, catalogue: Catalogue, given: object
) -> None:
    id = came(settings, catalogue, drawn()).id
    how = {"data": given, "content_type": "application/json"} if isinstance(given, bytes) else {"json": given}
    answer = client.post(f"/api/inbox/{id}/accept", **how)
    assert answer.status_code == (415 if given is None else 400)  # nothing at all is not said to be JSON
    assert answer.json["error"]["message"]
    assert catalogue.uploads.get(id).state is UploadState.EXAMINED


def test_visitors_who_may_ask_may_do_nothing_else(settings: Settings, catalogue: Catalogue) -> None:
    id = came(settings, catalogue, drawn()).id
    before = files_of(settings.library), left_in_inbox(settings)
    app = app_over(replace(settings, open_suggestions=True))
    visitor = app.test_client()
    asked = visitor.post("/api/suggest", data={"picture": (io.BytesIO(drawn(2)), "y.png")})
    assert asked.status_code == 200
    refused = visitor.post("/api/suggest", data={"picture": (io.BytesIO(bomb(60_000, 60_000)), "y.png")})
    assert 400 <= refused.status_code < 500
    for path in ("", f"/{id}/accept", f"/{id}/discard", f"/{id}/undo"):
        answer = visitor.post(f"/api/inbox{path}", json={"category": "Cats"})
        assert answer.status_code in (401, 403), path
    for path in ("/curator/inbox", f"/curator/inbox/{id}", f"/curator/inbox/{id}/preview.webp"):
        assert visitor.get(path).status_code in (302, 303, 401, 403), path
    app.extensions["inbox"].close()
    assert (files_of(settings.library), left_in_inbox(settings)) == before
    assert catalogue.uploads.load()[0] == 1 and catalogue.uploads.get(id).state is UploadState.EXAMINED


# Decisions


def test_a_reason_to_add_a_duplicate_is_kept_while_it_stands(settings: Settings, catalogue: Catalogue) -> None:
    copy = io.BytesIO()
    with Image.open(settings.library / "Robots/toaster.png") as picture:
        picture.convert("RGB").save(copy, "JPEG", quality=70)
    upload = came(settings, catalogue, copy.getvalue())
    for reason in ("", "  \n"):
        with pytest.raises(SuspectedDuplicate, match="toaster"):
            accept(Workspace(settings, catalogue), upload.id, category="Cats", reason=reason)
    done = accept(Workspace(settings, catalogue), upload.id, category="Cats", reason="it is sharper")
    [verdict] = catalogue.verdicts.standing()
    assert verdict.note == done.note == "it is sharper" and done.verdict == verdict.uid
    assert set(verdict.contents) >= {
        upload.content_hash,
        hashlib.sha256((settings.library / "Robots/toaster.png").read_bytes()).hexdigest(),
    }
    undo_decision(Workspace(settings, catalogue), upload.id)
    assert catalogue.verdicts.standing() == []
    with pytest.raises(SuspectedDuplicate):
        accept(Workspace(settings, catalogue), upload.id, category="Cats")


def test_what_was_accepted_is_known_when_it_comes_again(settings: Settings, catalogue: Catalogue) -> None:
    accept(Workspace(settings, catalogue), came(settings, catalogue, drawn()).id, category="Cats")
    again = came(settings, catalogue, drawn(), "again.png")
    with pytest.raises(SuspectedDuplicate, match=r"Cats/zeppelin\.png"):
        accept(Workspace(settings, catalogue), again.id, category="Dogs")


def test_an_undo_leaves_no_trace_and_is_done_once(settings: Settings, catalogue: Catalogue) -> None:
    before = files_of(settings.library)
    upload = came(settings, catalogue, drawn())
    accept(Workspace(settings, catalogue), upload.id, category="Airships - Rigid")
    assert (settings.library / "Airships - Rigid").is_dir()
    undo_decision(Workspace(settings, catalogue), upload.id)
    assert files_of(settings.library) == before and not (settings.library / "Airships - Rigid").exists()
    with pytest.raises(WrongUse, match="There is no decision about"):
        undo_decision(Workspace(settings, catalogue), upload.id)
    assert accept(Workspace(settings, catalogue), upload.id, category="Cats").path == "Cats/zeppelin.png"


def test_an_undo_of_what_was_changed_since_touches_nothing(settings: Settings, catalogue: Catalogue) -> None:
    done = accept(Workspace(settings, catalogue), came(settings, catalogue, drawn()).id, category="Cats")
    (settings.library / str(done.path)).write_bytes(drawn(2))
    before = files_of(settings.library)
    with pytest.raises(LibraryError, match="changed after it was accepted"):
        undo_decision(Workspace(settings, catalogue), done.id)
    assert files_of(settings.library) == before
    assert catalogue.uploads.get(done.id).state is UploadState.ACCEPTED


def test_texts_written_beside_an_accepted_meme_are_kept_by_an_undo(settings: Settings, catalogue: Catalogue) -> None:
    done = accept(Workspace(settings, catalogue), came(settings, catalogue, drawn()).id, category="Cats")
    (settings.library / f"{done.path}.txt").write_text("hand-written", "utf-8")
    undo_decision(Workspace(settings, catalogue), done.id)
    [kept] = (settings.data / "trash").rglob("zeppelin.png.txt")
    assert kept.read_text("utf-8") == "hand-written"
    assert not (settings.library / f"{done.path}.txt").exists()


def test_a_library_that_is_not_there_keeps_its_uploads(settings: Settings, catalogue: Catalogue) -> None:
    upload = came(settings, catalogue, drawn())
    settings.library.rename(settings.library.with_name("unmounted"))
    with pytest.raises(MemeticaError, match="no folder"):
        accept(Workspace(settings, catalogue), upload.id, category="Cats")
    assert not settings.library.exists(), "no library is made where a disk is missing"
    settings.library.with_name("unmounted").rename(settings.library)
    assert accept(Workspace(settings, catalogue), upload.id, category="Cats").state is UploadState.ACCEPTED


def test_what_examining_found_is_not_asked_again_when_duplicates_are_looked_for(
    settings: Settings, catalogue: Catalogue
) -> None:
    upload = came(settings, catalogue, drawn())
    accept(Workspace(settings, catalogue), upload.id, category="Cats")
    assert catalogue.pictures.fingerprints_of(upload.content_hash, TRIMMED_PDQ)
    assert missing_pictures(Workspace(settings, catalogue)) == [], "it was decoded when it was examined"
    asked: list[str] = []

    def load(meme: Any) -> list[Image.Image]:
        asked.append(meme.path)
        with Image.open(library_root(settings.library) / meme.path) as picture:
            return [picture.convert("RGB")]

    report = find_duplicates(Workspace(settings, catalogue), progress=SILENT, load=load)
    assert (report.done, report.failed) == (1, 0)
    assert asked == [], "nothing is like it, and its fingerprints are there"


def test_an_accepted_row_over_http_says_where_it_is(app: Flask, client: FlaskClient) -> None:
    row = put_in(app, client, "zeppelin.png", drawn())
    row = accepted(app, client, row["id"], "cats")
    assert (row["path"], row["category"], row["indexed"]) == ("Cats/zeppelin.png", "Cats", True)
