"""What the curator does with memes, one or many: moved, renamed, tagged, trashed, marked, and all of it undone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from search.catalogue import Catalogue, ItemState, TextReview
from search.meme import TextKind
from search.settings import Settings
from tests.support.curating import sign_in
from tests.support.receiving import Receiver
from tests.support.serving import open_app
from tests.support.uploading import files_of
from tests.support.vision_server import Fails, Says, VisionServer
from tests.support.waiting import PATIENCE


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def app(tiny_settings: Settings, tiny_indexed: Catalogue, receiver: Receiver) -> Iterator[Flask]:
    with open_app(replace(tiny_settings, webhook=receiver.address)) as app:
        app.extensions["categories"].training.close()  # nothing is trained
        yield app


@pytest.fixture
def curator(app: Flask, tiny_settings: Settings) -> FlaskClient:
    found = app.test_client()
    found.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(found, tiny_settings.data)
    return found


def act(curator: FlaskClient, action: str, *ids: int, **form: str) -> str:
    """Carry out an action, wait for it, and return the uid of its batch."""
    answer = curator.post("/curator/memes", data={"action": action, "meme": [str(id) for id in ids], **form})
    return waited(curator, answer)


def waited(curator: FlaskClient, answer: Any) -> str:
    assert answer.status_code == 303, answer.text
    assert curator.application.extensions["batches"].wait_until_idle(PATIENCE)
    found = re.search(r"batch(?:=|es/)([0-9a-f]{16})", answer.location)
    assert found
    return found[1]


def undo(curator: FlaskClient, batch: str) -> None:
    waited(curator, curator.post(f"/curator/batches/{batch}/undo"))


def paths(catalogue: Catalogue, ids: list[int]) -> list[str]:
    return [meme.path for meme in catalogue.memes.many(ids)]


def test_many_memes_are_moved_and_trashed_and_every_file_returns(
    curator: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue, receiver: Receiver
) -> None:
    before = files_of(tiny_settings.library)
    ids = [tiny_indexed.memes.at(path).id for path in ("Cats/monday.png", "Dogs/fine.png")]
    back = "/memes/Cats/index.html?page=1"
    answer = curator.post("/curator/memes", data={"action": "move", "meme": ids, "category": "robots", "page": back})
    batch = waited(curator, answer)
    assert paths(tiny_indexed, ids) == ["Robots/monday.png", "Robots/fine.png"]
    assert tiny_indexed.batches.get(batch).page == back
    page = curator.get(f"/memes/Robots/index.html?batch={batch}").text
    assert "2 memes moved to Robots." in page and f"/curator/batches/{batch}/undo" in page
    undo(curator, batch)
    assert files_of(tiny_settings.library) == before
    trashed = act(curator, "trash", *ids)
    assert paths(tiny_indexed, ids) == []
    assert curator.application.extensions["categories"].wait_until_idle(PATIENCE)
    found = curator.get("/api/search?q=burning+room&k=1").json
    assert found and found["hits"][0]["id"] not in ids
    assert "Dogs/fine.png" in curator.get("/curator/duplicates/trash").text
    undo(curator, trashed)
    assert files_of(tiny_settings.library) == before and len(paths(tiny_indexed, ids)) == 2
    receiver.wait_for(4)  # the webhook is told of each
    told = [(one["event"], one["action"], one["state"], one["total"], one["failed"]) for one in receiver.told]
    assert told == [("batch", act, state, 2, 0) for act in ("move", "trash") for state in ("done", "undone")]


def test_what_is_in_the_category_already_stays_and_the_rest_is_moved(
    curator: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    before = files_of(tiny_settings.library)
    ids = [tiny_indexed.memes.at(path).id for path in ("Cats/monday.png", "Dogs/fine.png")]
    answer = curator.post("/curator/memes", data={"action": "move", "meme": ids, "category": "dogs", "page": "/"})
    assert "1 meme moved to Dogs." in curator.get(f"/?batch={waited(curator, answer)}").text
    assert paths(tiny_indexed, ids) == ["Dogs/monday.png", "Dogs/fine.png"]
    again = curator.post("/curator/memes", data={"action": "move", "meme": ids, "category": "Dogs"})
    assert again.status_code == 409 and "What is selected is in Dogs already." in again.text
    undo(curator, tiny_indexed.batches.recent(1)[0].uid)
    assert files_of(tiny_settings.library) == before


def test_what_is_wrong_with_a_form_is_said_and_nothing_is_done(
    curator: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    before, id = files_of(tiny_settings.library), str(tiny_indexed.memes.at("Cats/monday.png").id)
    for form, sentence in (
        ({"action": "move", "meme": id, "category": " Ships"}, "Create it and move 1 meme"),
        ({"action": "move", "meme": id}, "Choose a category first."),
        ({"action": "move"}, "Nothing is selected."),
        ({"action": "tag", "meme": id, "tag": " , "}, "The tag is empty."),
        ({"action": "tag", "meme": id, "tag": 'a"b'}, "cannot be a tag."),
        ({"action": "eat", "meme": id}, "action must be one of"),
    ):
        answer = curator.post("/curator/memes", data=form, headers={"Referer": "http://localhost/?q=cat"})
        assert answer.status_code == 400 and "Go back" in answer.text and "any meme" not in answer.text
        assert sentence in answer.text.replace("&#34;", '"'), form
    visitor = curator.application.test_client()
    assert visitor.post("/curator/memes", data={"action": "trash", "meme": id}).location.startswith("/sign-in")
    assert files_of(tiny_settings.library) == before and tiny_indexed.batches.recent(9) == []
    # What the page about a new category sends moves it there.
    page = curator.post("/curator/memes", data={"action": "move", "meme": id, "category": " Ships"}).text
    assert "There is no category Ships yet." in page
    sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.partition("<main")[2]))
    waited(curator, curator.post("/curator/memes", data=sent))
    assert paths(tiny_indexed, [int(id)]) == ["Ships/monday.png"]


def test_one_meme_is_renamed_and_its_page_says_so(curator: FlaskClient, tiny_indexed: Catalogue) -> None:
    meme = tiny_indexed.memes.at("Robots/toaster.png")
    batch = act(curator, "rename", meme.id, name="skill: issue")
    assert paths(tiny_indexed, [meme.id]) == ["Robots/skill issue.png"]
    page = curator.get(f"/curator/memes/{meme.id}?batch={batch}", follow_redirects=True)
    assert page.request.path == "/memes/Robots/skill issue.png.html" and "1 meme renamed." in page.text
    undo(curator, batch)
    assert paths(tiny_indexed, [meme.id]) == ["Robots/toaster.png"]
    # The own page of a meme in the trash is gone: the category's takes its place.
    trashed = act(curator, "trash", meme.id)
    assert tiny_indexed.batches.get(trashed).page == "/memes/Robots/index.html"


def test_tags_are_given_found_counted_taken_and_undone(
    curator: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    ids = [tiny_indexed.memes.at(path).id for path in ("Cats/monday.png", "Dogs/fine.png", "Robots/toaster.png")]
    batch = act(curator, "tag", *ids[:2], tag="Work, monday  MOOD")
    assert tiny_indexed.tags.counts() == {"monday mood": 2, "work": 2}
    act(curator, "tag", ids[2], tag="work")

    def found(query: str) -> set[int]:
        answer = curator.get("/api/search", query_string={"q": query, "k": 20}).json
        return {hit["id"] for hit in answer["hits"]}

    assert found("tag:work") == set(ids)
    assert found('tag:"Monday mood"') == set(ids[:2])
    assert found('tag:work -tag:"monday mood"') == {ids[2]}
    assert found("tag:nothing|work") == set() or "nothing" in str(curator.get("/api/search?q=tag:nothing").json)
    facets = curator.get("/api/search?q=tag:work").json["facets"]["tag"]
    assert facets == {"work": 3, "monday mood": 2}
    assert curator.get(f"/api/memes/{ids[0]}").json["tags"] == ["monday mood", "work"]
    page = curator.get(f"/curator/memes/{ids[2]}", follow_redirects=True).text
    assert 'href="/?q=tag%3Awork"' in page
    # By content: a renamed meme keeps its tags.
    act(curator, "rename", ids[0], name="tuesday")
    assert found("tag:work") == set(ids)
    act(curator, "untag", ids[1], tag="work")
    assert found("tag:work") == {ids[0], ids[2]}
    undo(curator, batch)
    assert tiny_indexed.tags.counts() == {"work": 1}


def test_a_text_that_is_wrong_is_marked_and_the_mark_is_taken_back(
    curator: FlaskClient, tiny_indexed: Catalogue
) -> None:
    meme = tiny_indexed.memes.at("Cats/monday.png")
    page = curator.get(f"/curator/memes/{meme.id}", follow_redirects=True).text
    assert page.count("This text is wrong") == 2 and 'value="ocr ' in page
    [description] = [text for text in tiny_indexed.texts.of(meme) if text.kind.value == "simple-description"]
    batch = act(curator, "wrong", meme.id, text=f"simple-description {description.source}")
    assert list(tiny_indexed.text_reviews.of(meme.content_hash).values()) == [TextReview.WRONG]
    assert "Marked as wrong." in curator.get(f"/curator/memes/{meme.id}", follow_redirects=True).text
    undo(curator, batch)
    assert list(tiny_indexed.text_reviews.of(meme.content_hash).values()) == [TextReview.OPEN]
    assert curator.post("/curator/memes", data={"action": "wrong", "meme": meme.id, "text": "ocr x"}).status_code == 404


def test_visitors_see_tags_and_nothing_of_the_desk(app: Flask, curator: FlaskClient, tiny_indexed: Catalogue) -> None:
    meme = tiny_indexed.memes.at("Dogs/fine.png")
    act(curator, "tag", meme.id, tag="classic")
    visitor = app.test_client()
    for address in ("/", "/?q=dog", "/memes/Dogs/index.html", "/memes/Dogs/fine.png.html"):
        page = visitor.get(address).text
        assert not re.search(r"desk|bulk|data-pick|csrf|select\.js", page), address
    assert ">classic</a>" in page
    for address in ("/", "/?q=dog", "/memes/Dogs/index.html"):
        assert 'form="bulk"' in curator.get(address).text and 'id="bulk"' in curator.get(address).text, address


def test_programs_of_the_curator_change_tags(curator: FlaskClient, tiny_indexed: Catalogue) -> None:
    id = tiny_indexed.memes.at("Dogs/fine.png").id
    answer = curator.post(f"/api/memes/{id}/tags", json={"add": ["Classic", "work"]})
    assert answer.json == {"id": id, "tags": ["classic", "work"]}
    assert curator.post(f"/api/memes/{id}/tags", json={"remove": ["work", "none"]}).json["tags"] == ["classic"]
    assert curator.get("/api/tags").json == {"hits": [{"tag": "classic", "memes": 1}], "total": 1}
    for body in ({"add": [1]}, {"add": ["x"] * 101}, {"add": ["a|b"]}, {"eat": []}):
        assert curator.post(f"/api/memes/{id}/tags", json=body).status_code == 400, body
    visitor = curator.application.test_client()
    assert visitor.post(f"/api/memes/{id}/tags", json={"add": ["x"]}).status_code == 401


def test_progress_is_shown_with_what_is_left(curator: FlaskClient) -> None:
    page = curator.get("/curator/progress").text
    assert "Nothing is being done now." in page and "9 pictures, all done" in page
    assert "<code>memetica describe --model NAME</code> describes the rest" in page
    work = {row["work"]: row for row in curator.get("/api/status").json["work"]}
    assert (work["media"]["done"], work["media"]["missing"], work["media"]["running"]) == (9, 0, False)
    assert work["describe"]["missing"] > 0 and work["describe"]["rate"] is None
    visitor = curator.application.test_client()
    assert visitor.get("/curator/progress").status_code == 303
    assert "inbox" not in {row["work"] for row in visitor.get("/api/status").json["work"]}


@pytest.fixture
def model() -> Iterator[VisionServer]:
    with VisionServer(lambda asked: Says(f"A robot plays the zither, take {asked.number + 1}.")) as found:
        yield found


@pytest.fixture
def describing(tiny_settings: Settings, tiny_indexed: Catalogue, model: VisionServer) -> Iterator[FlaskClient]:
    """The curator of a site with a vision model."""
    settings = replace(tiny_settings, endpoint=model.url, describe_model="gemma3:4b")
    with open_app(settings) as app:
        app.extensions["categories"].training.close()  # nothing is trained
        found = app.test_client()
        found.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(found, tiny_settings.data)
        yield found


def found_by(client: FlaskClient, query: str) -> list[str]:
    """Return the paths of the memes that match a query."""
    answer = client.get("/api/search", query_string={"q": query, "k": 20}).json
    assert answer is not None
    return [hit["path"] for hit in answer["hits"][: answer["total"]]]


def test_a_meme_is_described_found_by_it_described_again_and_undone(
    describing: FlaskClient, model: VisionServer, tiny_indexed: Catalogue
) -> None:
    meme = tiny_indexed.memes.at("Robots/no words.png")

    def text() -> str | None:
        found = tiny_indexed.readings.get(meme.content_hash, TextKind.SIMPLE, "gemma3_4b")
        return found and found.body

    assert "Describe</button>" in describing.get(f"/curator/memes/{meme.id}", follow_redirects=True).text
    first = act(describing, "describe", meme.id)
    assert text() == "A robot plays the zither, take 1."
    assert found_by(describing, "zither") == ["Robots/no words.png"]
    page = describing.get(f"/curator/memes/{meme.id}?batch={first}", follow_redirects=True).text
    assert "1 meme described by gemma3:4b." in page and "take 1" in page
    again = act(describing, "describe", meme.id)
    assert text() == "A robot plays the zither, take 2."
    undo(describing, again)
    assert text() == "A robot plays the zither, take 1."
    undo(describing, first)
    assert text() is None and found_by(describing, "zither") == []
    assert [asked.model for asked in model.asked] == ["gemma3:4b", "gemma3:4b"]


def test_of_a_selection_the_undescribed_are_described_by_the_api_too(
    describing: FlaskClient, model: VisionServer, tiny_indexed: Catalogue
) -> None:
    ids = [tiny_indexed.memes.at(path).id for path in ("Cats/monday.png", "Dogs/fine.png", "Robots/toaster.png")]
    act(describing, "describe", ids[0])
    begun = describing.post("/api/describe", json={"memes": [*ids[:2], "Robots/toaster.png"]})
    assert begun.status_code == 202 and begun.json and begun.json["total"] == 2
    assert describing.application.extensions["batches"].wait_until_idle(PATIENCE)
    done = describing.get(f"/api/batches/{begun.json['batch']}").json
    assert done and (done["state"], done["done"], done["waiting"], done["failed"]) == ("done", 2, 0, [])
    assert len(model.asked) == 3
    every = describing.post("/api/describe", json={"memes": ids})
    assert every.status_code == 409 and "described all of them" in every.text
    model.script = lambda asked: Fails(400, "this model does not support images")
    refused = describing.post("/api/describe", json={"memes": ids[:1]})
    assert describing.application.extensions["batches"].wait_until_idle(PATIENCE)
    assert refused.json
    failed = describing.get(f"/api/batches/{refused.json['batch']}").json
    assert failed and failed["done"] == 0 and "image" in failed["failed"][0]["reason"]
    assert describing.post(f"/api/batches/{begun.json['batch']}/undo").status_code == 202
    assert describing.application.extensions["batches"].wait_until_idle(PATIENCE)
    assert [
        tiny_indexed.readings.get(tiny_indexed.memes.get(id).content_hash, TextKind.SIMPLE, "gemma3_4b") is None
        for id in ids
    ] == [False, True, True]


def test_without_a_model_or_at_a_dead_endpoint_it_is_said_what_to_do(
    curator: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    ids = [tiny_indexed.memes.at(path).id for path in ("Cats/monday.png", "Dogs/fine.png")]
    page = curator.get(f"/curator/memes/{ids[0]}", follow_redirects=True).text
    assert "Describe</button>" not in page and "MEMETICA_DESCRIBE_MODEL=NAME" in page
    for answer in (
        curator.post("/api/describe", json={"memes": ids}),
        curator.post("/curator/memes", data={"action": "describe", "meme": ids}),
    ):
        assert answer.status_code == 503 and "No vision model is chosen" in answer.text
    assert curator.post("/api/describe", json={"memes": ids, "kind": "ocr"}).status_code == 400
    visitor = curator.application.test_client()
    assert visitor.post("/api/describe", json={"memes": ids}).status_code == 401
    with open_app(replace(tiny_settings, endpoint="http://127.0.0.1:9/v1", describe_model="gemma3")) as app:
        found = app.test_client()
        found.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(found, tiny_settings.data)
        batch = act(found, "describe", *ids)
        # The second is not asked for: it would fail for the same reason.
        items = tiny_indexed.batches.items(batch)
        assert [one.state for one in items] == [ItemState.FAILED] * 2
        assert all("Nothing answers at http://127.0.0.1:9/v1." in one.reason for one in items)


def test_others_do_not_wait_for_a_description_and_the_end_of_the_site_leaves_it_for_the_next(
    describing: FlaskClient, model: VisionServer, tiny_indexed: Catalogue
) -> None:
    ids = [tiny_indexed.memes.at(path).id for path in ("Cats/monday.png", "Dogs/fine.png")]
    model.script = lambda asked: Says("A robot plays the zither.", seconds=30)
    begun = describing.post("/curator/memes", data={"action": "describe", "meme": ids})
    assert begun.status_code == 303 and "follow=1" in begun.location
    tagged = describing.post("/curator/memes", data={"action": "tag", "meme": ids, "tag": "late"})
    assert tagged.status_code == 303 and tiny_indexed.tags.counts() == {"late": 2}
    describing.application.extensions["batches"].close()
    batch = tiny_indexed.batches.active()[0]
    assert (batch.title, batch.waiting) == ("memes described by gemma3:4b", 2)
