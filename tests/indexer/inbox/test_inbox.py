"""Uploads from the curator into the library and out again, over HTTP, with files that lie and processes that die."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from indexer.inbox.acceptance import accept, suspected, undo_decision
from indexer.inbox.reception import inbox_path, preview_path
from indexer.library.transaction import recover
from search.catalogue import Catalogue, UploadState, open_catalogue
from search.errors import DataFolderError, TooBusy
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import sign_in
from tests.support.serving import app_over
from tests.support.uploading import REST, accepted, drawn, files_of, put_in, send


def test_an_upload_is_accepted_found_and_taken_back(app: Flask, client: FlaskClient, settings: Settings) -> None:
    before = files_of(settings.library)
    body = drawn()
    row = put_in(app, client, "zeppelin over paris.png", body)
    assert row["state"] == "examined" and row["duplicates"] == [] and row["abstain"] is True
    assert files_of(settings.library) == before, "an upload that waits is not in the library"
    row = accepted(app, client, row["id"], "Robots")
    assert row["path"] == "Robots/zeppelin over paris.png" and row["indexed"] is True
    assert (settings.library / row["path"]).read_bytes() == body
    first_seen = (settings.library / f"{row['path']}.first-seen.txt").read_text("ascii").strip()
    assert first_seen == row["came_at"]
    assert row["path"] in [hit["path"] for hit in client.get("/api/search?q=zeppelin").json["hits"]]
    assert client.post(f"/api/inbox/{row['id']}/undo").status_code == 200
    assert app.extensions["inbox"].wait_until_idle(REST)
    assert files_of(settings.library) == before
    assert client.get("/api/search?q=zeppelin+category:robots").json["hits"][0]["path"] != row["path"]
    assert client.get(f"/api/inbox/{row['id']}").json["state"] == "examined"


def test_an_undo_does_not_wait_for_a_preview_which_the_page_draws_later(
    app: Flask, client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = put_in(app, client, "new.png", drawn())
    accepted(app, client, row["id"], "Robots")
    with monkeypatch.context() as busy:

        def refuse(*arguments: object, **named: object) -> None:
            raise TooBusy("The decoders are busy.")

        busy.setattr("indexer.inbox.reception.decode", refuse)
        assert client.post(f"/api/inbox/{row['id']}/undo").status_code == 200
        assert client.get(row["preview"]).status_code == 503
    assert client.get(row["preview"]).mimetype == "image/webp"
    preview_path(settings.data, row["content_hash"]).write_bytes(b"")  # as a power failure leaves it
    assert client.get(row["preview"]).data[:4] == b"RIFF"


def test_an_undo_that_cannot_be_finished_hinders_no_other_decision(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put_in(app, client, "first.png", drawn())["id"]
    second = put_in(app, client, "second.png", drawn(2))["id"]
    accepted(app, client, first, "Robots")
    with monkeypatch.context() as hindered:

        def fail(*arguments: object) -> None:
            raise DataFolderError("Nothing can be written.")

        hindered.setattr("indexer.inbox.acceptance.AcceptEffects.prepare_undo", fail)
        assert client.post(f"/api/inbox/{first}/undo").status_code == 503
        accepted_meanwhile = client.post(f"/api/inbox/{second}/accept", json={"category": "Dogs"})
        assert accepted_meanwhile.status_code == 200, accepted_meanwhile.json
    assert app.extensions["inbox"].wait_until_idle(REST)
    assert client.get(f"/api/inbox/{first}").json["state"] in ("examined", "waiting")


def test_a_decision_in_the_wrong_state_is_a_conflict_that_changes_nothing(app: Flask, client: FlaskClient) -> None:
    id = put_in(app, client, "new.png", drawn())["id"]
    other = put_in(app, client, "other.png", drawn(2))["id"]

    def conflicts(address: str, **body: str) -> None:
        answer = client.post(address, json=body) if body else client.post(address)
        assert answer.status_code == 409, (address, answer.json)
        assert answer.json["error"]["code"] == "wrong_state"

    conflicts(f"/api/inbox/{id}/undo")
    accepted(app, client, id, "Robots")
    line = client.get("/api/verdicts").json["verdicts"][0]["id"]
    conflicts(f"/api/inbox/{id}/discard")
    assert client.post(f"/api/inbox/{other}/discard").status_code == 200
    conflicts(f"/api/inbox/{other}/accept", category="Robots")
    undoing = client.post(f"/api/verdicts/{line}/undo")
    assert undoing.status_code == 201
    conflicts(f"/api/verdicts/{line}/undo")
    conflicts(f"/api/verdicts/{undoing.json['id']}/undo")
    assert client.get(f"/api/inbox/{id}").json["state"] in ("examined", "waiting")


def test_what_is_there_already_is_told_and_can_be_added_with_a_reason(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    original = settings.library / "Robots/toaster.png"
    copy = io.BytesIO()
    with Image.open(original) as picture:
        picture.convert("RGB").save(copy, "JPEG", quality=70)
    row = put_in(app, client, "again.jpg", copy.getvalue())
    assert row["duplicates"][0]["path"] == "Robots/toaster.png"
    refused = client.post(f"/api/inbox/{row['id']}/accept", json={"category": "Robots"})
    assert refused.status_code == 409 and "Robots/toaster.png" in refused.json["error"]["message"]
    row = accepted(app, client, row["id"], "Cats", anyway="it is sharper")
    with open_catalogue(settings) as catalogue:
        [verdict] = catalogue.verdicts.standing()
    assert verdict.note == "it is sharper" and row["path"] == "Cats/again.jpg"


def test_the_same_bytes_are_known_by_any_name(app: Flask, client: FlaskClient, settings: Settings) -> None:
    row = put_in(app, client, "new.png", (settings.library / "Dogs/fine.png").read_bytes())
    assert row["duplicates"][0]["tier"] == "identical"


def test_bytes_sent_twice_wait_once(app: Flask, client: FlaskClient) -> None:
    first, second = (put_in(app, client, name, drawn()) for name in ("one.png", "two.png"))
    assert first["id"] == second["id"] and client.get("/api/inbox").json["total"] == 1


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../../etc/passwd.png", "Cats/passwd.png"),
        ("..\\..\\boot.png", "Cats/boot.png"),
        ("смешной кот 😂.png", "Cats/смешной кот 😂.png"),
        ("monday.png", "Cats/monday 2.png"),
    ],
)
def test_names_are_made_safe_and_unique(
    app: Flask, client: FlaskClient, settings: Settings, name: str, path: str
) -> None:
    before = files_of(settings.library)
    row = accepted(app, client, put_in(app, client, name, drawn())["id"], "Cats")
    added = files_of(settings.library).keys() - before.keys()
    assert added == {row["path"], f"{row['path']}.first-seen.txt"}
    assert row["path"].startswith("Cats/") and row["path"].count("/") == 1
    assert Path(row["path"]).suffix == ".png" and Path(path).stem.split(" ")[0] in row["path"]
    assert files_of(settings.library).items() >= before.items(), "nothing that was there has changed"


@pytest.mark.parametrize("category", ["../outside", "/etc", "Cats/..", "", ".hidden", "a\0b", "x" * 300])
def test_a_category_never_leads_out_of_the_library(
    app: Flask, client: FlaskClient, settings: Settings, category: str
) -> None:
    row = put_in(app, client, "x.png", drawn())
    before = files_of(settings.library.parent / "memes")
    answer = client.post(f"/api/inbox/{row['id']}/accept", json={"category": category})
    assert answer.status_code == 400, answer.json
    assert files_of(settings.library) == before
    assert client.get(f"/api/inbox/{row['id']}").json["state"] == "examined"


@pytest.mark.parametrize(
    "body", [b"", b"not a picture", b"<html><script>alert(1)</script>", drawn()[:38], b"\xff\xd8\xff\xe0" + bytes(50)]
)
def test_what_is_no_picture_is_refused_in_words(client: FlaskClient, body: bytes) -> None:
    answer = send(client, ("funny.png", body))
    assert 400 <= answer.status_code < 500 and answer.json["error"]["message"].endswith(".")
    assert client.get("/api/inbox").json["total"] == 0


def test_one_bad_file_does_not_stop_the_others(client: FlaskClient) -> None:
    answer = send(client, ("bad.png", b"no"), ("good.png", drawn()))
    assert answer.status_code == 207
    assert [one["file"] for one in answer.json["refused"]] == ["bad.png"] and len(answer.json["uploads"]) == 1


def test_what_a_file_is_decides_not_its_name(app: Flask, client: FlaskClient) -> None:
    row = put_in(app, client, "really.gif.exe", drawn(form="JPEG"))
    assert accepted(app, client, row["id"], "Cats")["path"].endswith((".jpg", ".jpeg"))


def test_previews_hold_nothing_but_the_picture(app: Flask, client: FlaskClient) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home, 1 Secret Street"
    row = put_in(app, client, "phone.jpg", drawn(form="JPEG", exif=exif.tobytes()))
    shown = client.get(row["preview"])
    assert shown.status_code == 200 and b"Secret" not in shown.data
    with Image.open(io.BytesIO(shown.data)) as preview:
        assert not preview.getexif() and preview.format == "WEBP"


def test_a_drawing_with_a_script_never_runs_or_fetches(app: Flask, client: FlaskClient) -> None:
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><script>alert(1)</script>'
        b'<image href="http://127.0.0.1:9/x.png" width="9" height="9"/><rect width="50" height="50" fill="red"/></svg>'
    )
    sent = send(client, ("drawing.svg", svg))
    assert app.extensions["inbox"].wait_until_idle(REST)
    if sent.status_code == 201:
        row = client.get(f"/api/inbox/{sent.json['uploads'][0]['id']}").json
        shown = client.get(row["preview"])
        assert shown.mimetype == "image/webp" and b"script" not in shown.data
    else:
        assert 400 <= sent.status_code < 500


def test_limits_hold(settings: Settings) -> None:
    small = replace(settings, upload_bytes=300, inbox_files=1)
    app = app_over(small)
    client = app.test_client()
    client.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(client, settings.data)
    large = send(client, ("large.png", drawn()))
    assert large.status_code in (413, 422) and "300" in large.json["error"]["message"]
    little = [io.BytesIO(), io.BytesIO()]
    for at, out in enumerate(little):
        Image.new("RGB", (12, 12), ("red", "blue")[at]).save(out, "PNG")
    assert send(client, ("one.png", little[0].getvalue())).status_code == 201
    full = send(client, ("two.png", little[1].getvalue()))
    assert 400 <= full.status_code < 600 and full.status_code != 500 and "full" in full.json["error"]["message"].lower()
    app.extensions["inbox"].close()


def test_only_the_curator_may(app: Flask, client: FlaskClient, settings: Settings) -> None:
    row = put_in(app, client, "x.png", drawn())
    visitor = app.test_client()
    for answer in (
        visitor.get("/api/inbox"),
        visitor.get(f"/api/inbox/{row['id']}"),
        visitor.get(row["preview"]),
        visitor.post("/api/inbox", data={"file": (io.BytesIO(drawn(2)), "y.png")}),
        visitor.post(f"/api/inbox/{row['id']}/accept", json={"category": "Cats"}),
        visitor.post("/api/suggest", data={"picture": (io.BytesIO(drawn(2)), "y.png")}),
    ):
        assert answer.status_code in (302, 303, 401, 403), answer.request.path
    assert client.get("/api/inbox").json["total"] == 1
    del client.environ_base["HTTP_X_CSRF_TOKEN"]
    forged = client.post(f"/api/inbox/{row['id']}/accept", json={"category": "Cats"})
    assert forged.status_code == 403, "a request from another site has no token"


def test_visitors_may_ask_when_the_setting_says_so(settings: Settings) -> None:
    app = app_over(replace(settings, open_suggestions=True))
    before = files_of(settings.library)
    answer = app.test_client().post("/api/suggest", data={"picture": (io.BytesIO(drawn()), "y.png")})
    assert answer.status_code == 200 and answer.json["duplicates"] == []
    same = (settings.library / "Dogs/fine.png").read_bytes()
    answer = app.test_client().post("/api/suggest", data={"picture": (io.BytesIO(same), "y.png")})
    assert answer.json["duplicates"][0]["path"] == "Dogs/fine.png"
    assert files_of(settings.library) == before
    app.extensions["inbox"].close()


class Killed(BaseException):
    """Stands for a process that ends between two steps."""


def steps_of(settings: Settings, id: int, work: str) -> list[str]:
    heard: list[str] = []
    with open_catalogue(settings) as catalogue:
        _do(settings, catalogue, id, work, heard.append)
    return heard


def _do(settings: Settings, catalogue: Catalogue, id: int, work: str, told) -> None:  # type: ignore[no-untyped-def]
    if work == "accept":
        accept(Workspace(settings, catalogue), id, category="Robots", on_step=told)
    else:
        undo_decision(Workspace(settings, catalogue), id, on_step=told)


@pytest.mark.parametrize("work", ["accept", "undo"])
def test_killed_between_any_two_steps_nothing_is_lost_and_nothing_is_there_twice(
    app: Flask, client: FlaskClient, settings: Settings, work: str
) -> None:
    body = drawn(3)
    id = put_in(app, client, "zeppelin.png", body)["id"]
    app.extensions["inbox"].close()
    before = files_of(settings.library)
    if work == "undo":
        steps_of(settings, id, "accept")
    count = 0
    while True:
        heard: list[str] = []

        def told(step: str, heard: list[str] = heard, last: int = count) -> None:
            heard.append(step)
            if len(heard) > last:
                raise Killed

        with open_catalogue(settings) as catalogue:
            try:
                _do(settings, catalogue, id, work, told)
                ended = True
            except Killed:
                ended = False
        with open_catalogue(settings) as catalogue:
            recover(Workspace(settings, catalogue))
            state = catalogue.uploads.get(id).state
            now = files_of(settings.library)
            added = now.keys() - before.keys()
            assert now.items() >= before.items()
            assert not [path for path in added if path.endswith(".part")], heard
            if state is UploadState.ACCEPTED:
                path = str(catalogue.uploads.get(id).path)
                assert added == {path, f"{path}.first-seen.txt"}, heard
                assert (settings.library / path).read_bytes() == body
                assert len(catalogue.memes.with_content(hashlib.sha256(body).hexdigest())) == 1
            else:
                assert state is UploadState.EXAMINED and not added, heard
                assert inbox_path(settings.data, hashlib.sha256(body).hexdigest()).read_bytes() == body
            if ended:
                break
            # For the next kill, back to where this one began.
            if work == "accept" and state is UploadState.ACCEPTED:
                undo_decision(Workspace(settings, catalogue), id)
            if work == "undo" and state is UploadState.EXAMINED:
                accept(Workspace(settings, catalogue), id, category="Robots")
        count += 1
    assert count >= 4


def test_two_who_accept_the_same_upload_at_once_get_one_file(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    id = put_in(app, client, "zeppelin.png", drawn())["id"]
    before = files_of(settings.library)

    def one(category: str) -> str:
        with open_catalogue(settings) as catalogue:
            return str(accept(Workspace(settings, catalogue), id, category=category).path)

    with ThreadPoolExecutor(2) as pool:
        paths = set(pool.map(one, ("Cats", "Robots")))
    assert len(paths) == 1
    assert files_of(settings.library).keys() - before.keys() == {*paths, f"{next(iter(paths))}.first-seen.txt"}


def test_a_library_that_cannot_be_written_says_so_and_the_upload_waits(
    app: Flask, client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = put_in(app, client, "zeppelin.png", drawn())["id"]
    before = files_of(settings.library)

    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, os.strerror(28), "zeppelin.png")

    monkeypatch.setattr("indexer.library.steps.move", full)
    answer = client.post(f"/api/inbox/{id}/accept", json={"category": "Cats"})
    assert answer.status_code >= 400 and os.strerror(28) in answer.json["error"]["message"]
    assert files_of(settings.library) == before
    monkeypatch.undo()
    assert accepted(app, client, id, "Cats")["path"] == "Cats/zeppelin.png"


def test_uploads_survive_a_restart(app: Flask, client: FlaskClient, settings: Settings) -> None:
    put_in(app, client, "zeppelin.png", drawn())
    app.extensions["inbox"].close()
    again = app_over(settings)
    other = again.test_client()
    sign_in(other, settings.data)
    assert [one["file"] for one in other.get("/api/inbox").json["uploads"]] == ["zeppelin.png"]
    again.extensions["inbox"].close()
    with open_catalogue(settings) as catalogue:
        assert suspected(catalogue, catalogue.uploads.get(1)) == []
