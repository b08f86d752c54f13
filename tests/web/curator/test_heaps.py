"""The inbox in three heaps, and what is decided about a whole heap: carried out one by one, undone together."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer.inbox.reception import receive
from search.catalogue import BatchState, Catalogue, ItemState, Upload, UploadState
from search.evidence import Evidence, Tier
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import sign_in
from tests.support.serving import open_app
from tests.support.uploading import drawn, files_of
from tests.support.waiting import PATIENCE
from web.curator import actions, heaps
from web.curator.heaps import Heap, sort_uploads
from web.suggestions import SuggestedCategories, SuggestedCategory


@pytest.fixture
def app(tiny_settings: Settings, tiny_indexed: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The site; the suggester is sure of what is named sure, and guesses what is named guess."""

    def suggested(upload: Upload) -> SuggestedCategories:
        if upload.name.startswith("sure"):
            return SuggestedCategories((SuggestedCategory("Robots", 0.97, has_evidence=True),), "", "Robots")
        if upload.name.startswith("guess"):
            return SuggestedCategories((SuggestedCategory("Cats", 0.5, has_evidence=True),))
        return SuggestedCategories((SuggestedCategory("Dogs", 0.1),))

    monkeypatch.setattr(actions, "suggestions_for", suggested)
    with open_app(tiny_settings) as app:
        app.extensions["inbox"].close()  # the findings are those of the test
        app.extensions["categories"].close()  # nothing is trained
        yield app


@pytest.fixture
def client(app: Flask, tiny_settings: Settings) -> FlaskClient:
    found = app.test_client()
    found.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(found, tiny_settings.data)
    return found


def examined(app: Flask, name: str, body: bytes, **findings: object) -> Upload:
    """Put a file into the inbox as if it was examined with these findings."""
    workspace: Workspace = app.extensions["site"].workspace
    upload = receive(workspace, io.BytesIO(body), name=name, received_by="page")
    workspace.catalogue.uploads.mark_examined(upload.id, findings, [])
    return workspace.catalogue.uploads.get(upload.id)


def carried_out(app: Flask, client: FlaskClient, address: str, data: object = None) -> str:
    """Send a form that starts a batch, wait for it, and return the inbox with the note about it."""
    answer = client.post(address, data=data)
    assert answer.status_code == 303, answer.text
    assert app.extensions["batches"].wait_until_idle(PATIENCE)
    found = re.search(r"batch(?:=|es/)([0-9a-f]{16})", answer.location)
    assert found
    return client.get(f"/curator/inbox?batch={found[1]}").text


def shown(page: str) -> dict[str, list[str]]:
    """Return, by the title of each heap of a page, the numbers of its uploads; a star is ticked."""
    found = {}
    for title, form in re.findall(r'<h2 id="heap-(\w+)">(.*?)</form>', page, re.DOTALL):
        boxes = re.findall(r'name="upload" value="(\d+)"[^>]*?( checked)?>', form)
        found[title] = [id + ("*" if ticked else "") for id, ticked in boxes]
    return found


def test_each_upload_lies_in_the_heap_that_its_answer_says(
    app: Flask, client: FlaskClient, tiny_settings: Settings
) -> None:
    catalogue: Catalogue = app.extensions["site"].catalogue
    copy = examined(app, "copy.png", (tiny_settings.library / "Dogs/fine.png").read_bytes())
    sure, guess = examined(app, "sure.png", drawn(1)), examined(app, "guess.png", drawn(2))
    evidence = Evidence(Tier.SAME).to_json()
    later = examined(app, "sure too.jpg", drawn(1, form="JPEG"), beside=[{"id": sure.id, "evidence": evidence}])
    nothing = examined(app, "nothing.png", drawn(3))
    variant = Evidence(Tier.VARIANT).to_json()
    other = examined(app, "sure 3.png", drawn(4), beside=[{"id": sure.id, "evidence": variant}])
    uploads = catalogue.uploads.in_state(UploadState.EXAMINED)
    with app.app_context():
        found = sort_uploads(catalogue, uploads)
    assert {heap: [one.upload.id for one in rows] for heap, rows in found.items()} == {
        Heap.KNOWN: [copy.id, later.id],
        Heap.SURE: [sure.id, other.id],
        Heap.LOOK: [guess.id, nothing.id],
    }
    page = client.get("/curator/inbox").text
    assert shown(page) == {
        "known": [f"{copy.id}*", f"{later.id}*"],
        "sure": [f"{sure.id}*", f"{other.id}*"],
        "look": [str(guess.id), str(nothing.id)],
    }
    assert "In Dogs" in page and "Same as “sure.png”" in page and "No suggestion" in page
    assert "97\N{NO-BREAK SPACE}%" in page
    # A duplicate that is examined before the upload that it equals is the later one all the same.
    first = heaps._twins([uploads[1], later])
    assert {id: one.id for id, one in first.items()} == {later.id: sure.id}


def test_whole_heaps_are_decided_and_undone_at_once(app: Flask, client: FlaskClient, tiny_settings: Settings) -> None:
    catalogue, library = app.extensions["site"].catalogue, tiny_settings.library
    before = files_of(library)
    uploads = [examined(app, f"sure {number}.png", drawn(number, form="PNG")) for number in (1, 2, 5)]
    copy = examined(app, "copy.png", (library / "Dogs/fine.png").read_bytes())
    chosen = {"upload": [str(one.id) for one in uploads], **{f"category-{one.id}": "Robots" for one in uploads}}
    assert "3 accepted." in carried_out(app, client, "/curator/inbox/heap", {**chosen, "decision": "accept"})
    assert {f"Robots/{one.name}" for one in uploads} <= set(files_of(library))
    carried_out(app, client, "/curator/inbox/heap", {"upload": str(copy.id), "decision": "discard"})
    assert [one.state for one in catalogue.uploads.decided(9)].count(UploadState.DISCARDED) == 1
    [accepting] = [one for one in catalogue.batches.recent(2) if one.title == "accepted"]
    assert "Undone: 3 accepted." in carried_out(app, client, f"/curator/batches/{accepting.uid}/undo")
    assert files_of(library) == before
    assert [catalogue.uploads.get(one.id).state for one in uploads] == [UploadState.EXAMINED] * 3
    assert client.post(f"/curator/batches/{accepting.uid}/undo").status_code == 409


def test_what_fails_is_named_and_the_rest_is_done(app: Flask, client: FlaskClient, tiny_settings: Settings) -> None:
    catalogue = app.extensions["site"].catalogue
    good = examined(app, "good.png", drawn(1))
    copy = examined(app, "copy.png", (tiny_settings.library / "Dogs/fine.png").read_bytes())
    form = {"upload": [str(copy.id), str(good.id)], "category": "cats", "decision": "accept"}
    page = carried_out(app, client, "/curator/inbox/heap", form)
    assert "1 accepted into cats. 1 could not be." in page and "looks like Dogs/fine.png" in page
    assert catalogue.uploads.get(good.id).path == "Cats/good.png"
    [batch] = catalogue.batches.recent(1)
    assert "copy.png" in client.get(f"/curator/batches/{batch.uid}").text


def test_a_new_category_is_asked_for_and_nothing_chosen_is_said(app: Flask, client: FlaskClient) -> None:
    upload = examined(app, "nothing.png", drawn(1))
    form = {"upload": str(upload.id), "category": "Ships", "decision": "accept"}
    asked = client.post("/curator/inbox/heap", data=form)
    assert asked.status_code == 409 and "There is no category Ships yet." in asked.text
    assert shown(asked.text) == {"look": [f"{upload.id}*"]}
    carried_out(app, client, "/curator/inbox/heap", {**form, "make": "Ships"})
    assert app.extensions["site"].catalogue.uploads.get(upload.id).path == "Ships/nothing.png"
    assert client.post("/curator/inbox/heap", data={"decision": "accept"}).status_code == 400
    later = examined(app, "later.png", drawn(2))
    without = client.post("/curator/inbox/heap", data={"upload": str(later.id), "decision": "accept"})
    assert without.status_code == 400 and "Choose a category first." in without.text
    assert client.post("/curator/inbox/heap", data={"upload": "x"}).status_code == 404


def test_a_batch_goes_on_after_a_restart_and_does_nothing_twice(
    app: Flask, client: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    uploads = [examined(app, f"{number}.png", drawn(number)) for number in (1, 2)]
    app.extensions["batches"].close()  # as when the process ends
    client.post(
        "/curator/inbox/heap",
        data={"upload": [str(one.id) for one in uploads], "category": "Cats", "decision": "accept"},
    )
    [batch] = tiny_indexed.batches.active()
    # The first was carried out, and the process was killed before it could say so.
    with app.app_context():
        actions.accept_upload(uploads[0].id, category="Cats")
    tiny_indexed.batches.set_item(batch.uid, 0, ItemState.STARTED, result="0123456789abcdef")
    with open_app(tiny_settings) as again:
        assert again.extensions["batches"].wait_until_idle(PATIENCE)
        assert tiny_indexed.batches.get(batch.uid).state is BatchState.DONE
        paths = sorted(Path(one.path or "").name for one in tiny_indexed.uploads.decided(9))
        assert paths == ["1.png", "2.png"]
        tiny_indexed.batches.begin_undo(batch.uid)
        again.extensions["batches"].wake()
        assert again.extensions["batches"].wait_until_idle(PATIENCE)
    assert tiny_indexed.uploads.decided(9) == []
