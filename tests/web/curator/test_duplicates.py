"""The curator's pages about duplicates: they work without scripts, are closed to visitors, and ask before batches."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from indexer.curation import duplicates
from indexer.curation import merges as merging
from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, VerdictKind
from search.evidence import Edit, Evidence, Tier
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import QuickHasher, add_pairs, draw_duplicates, sign_in, token_in
from tests.support.serving import app_over, close_app
from tests.support.waiting import PATIENCE
from web.curator import passwords
from web.curator.differences import differences

Tree = dict[str, bytes]


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PasswordHasher", QuickHasher)


@pytest.fixture
def client(tiny_settings: Settings) -> Iterator[FlaskClient]:
    """A visitor of a site whose library holds duplicates, compared."""
    draw_duplicates(tiny_settings.library)
    app = app_over(tiny_settings)
    catalogue = app.extensions["site"].catalogue
    scan_library(tiny_settings.library, catalogue, progress=SILENT)
    decode_memes(Workspace(tiny_settings, catalogue), progress=SILENT)
    add_pairs(catalogue)
    yield app.test_client()
    catalogue.close()


@pytest.fixture
def catalogue(client: FlaskClient) -> Catalogue:
    found: Catalogue = client.application.extensions["site"].catalogue
    return found


@pytest.fixture
def curator(client: FlaskClient, tiny_settings: Settings) -> FlaskClient:
    sign_in(client, tiny_settings.data)
    return client


def tree(library: Path) -> Tree:
    return {file.relative_to(library).as_posix(): file.read_bytes() for file in library.rglob("*") if file.is_file()}


def group_page(client: FlaskClient, tier: str) -> tuple[str, str]:
    """Return the address and the page of the first group of a tier."""
    listed = client.get(f"/curator/duplicates?tier={tier}").text
    found = re.search(r'<a href="(/curator/duplicates/[0-9a-f]{16})">', listed)
    assert found, listed
    return found[1], client.get(found[1]).text


def fields(page: str) -> dict[str, object]:
    """Return what the group's form would send as it is loaded."""
    form = page[page.index("data-group") : page.index("</form>", page.index("data-group"))]
    values: dict[str, object] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        assert name and value
        if 'type="checkbox"' in tag:
            if " checked" in tag:
                values.setdefault(name[1], []).append(value[1])  # type: ignore[attr-defined]
        else:
            values[name[1]] = unescape(value[1])
    return values


def send(client: FlaskClient, address: str, page: str, decision: str, **more: object) -> TestResponse:
    return client.post(address, data=fields(page) | {"decision": decision} | more)


def test_visitors_reach_no_page_and_change_nothing(client: FlaskClient, tiny_settings: Settings) -> None:
    before = tree(tiny_settings.library)
    rules = [rule for rule in client.application.url_map.iter_rules() if rule.rule.startswith("/curator")]
    assert len(rules) >= 9
    for rule in rules:
        address = re.sub(r"<int:\w+>", "1", rule.rule)
        address = re.sub(r"<\w+>", "same", address)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = client.open(address, method=method)
            assert answer.status_code == 303 and answer.location.startswith("/sign-in?"), (method, address)
    assert tree(tiny_settings.library) == before


def test_the_home_counts_what_is_left(curator: FlaskClient) -> None:
    page = curator.get("/curator").text
    assert re.search(r'href="/curator/duplicates"><b>Duplicates</b> <span class="count">3</span>', page)


def test_groups_are_listed_by_tier_with_counts_and_variants_apart(curator: FlaskClient, catalogue: Catalogue) -> None:
    page = curator.get("/curator/duplicates").text
    counts = re.findall(r"([\w ]+) <span class=\"count\">(\d+)</span>", page)
    assert [(name.strip(), int(count)) for name, count in counts] == [
        ("Identical files", 1),
        ("Same picture", 1),
        ("Edited pictures", 1),
        ("Variants", 1),
        ("Same words", 0),
    ]
    contents = {meme.content_hash for meme in catalogue.memes.everything() if meme.has_thumbnail}
    assert f"{len(contents)} memes are not compared yet" in page
    catalogue.pairs.mark_searched(contents)
    assert "not compared yet" not in curator.get("/curator/duplicates").text
    variants = curator.get("/curator/duplicates?tier=variant").text
    assert "Merge all" not in variants and "are never removed" in variants


def test_a_group_shows_its_evidence_and_which_meme_is_kept_and_why(curator: FlaskClient) -> None:
    _, page = group_page(curator, "same")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for said in (
        "PDQ 8 of 256, aligned, 0 % of tiles differ, text 0.98",
        "the other was made from it: it was resized",
        "Cats/monday.png",
        "Dogs/monday small.jpg",
        "1 January 2019",
        "tiny-artist (simple)",
        "small-artist (simple)",
        "I hate mondays",
    ):
        assert said in unescape(text)


def test_more_pixels_are_no_better_where_they_are_a_border(catalogue: Catalogue) -> None:
    memes = [catalogue.memes.at("Cats/monday.png"), catalogue.memes.at("Dogs/monday small.jpg")]
    for edit, better in ((Edit.CROP, [True, False]), (Edit.SCREENSHOT, [False, False]), (Edit.FRAME, [False, False])):
        rows = differences(memes, descriptions={}, evidence=[None, Evidence(Tier.EDITED, (edit,))])
        assert [cell.better for cell in next(one for one in rows if one.title == "Picture").cells] == better


def test_one_post_merges_and_leads_to_the_next_with_an_undo(
    curator: FlaskClient, catalogue: Catalogue, tiny_settings: Settings
) -> None:
    before = tree(tiny_settings.library)
    address, page = group_page(curator, "same")
    answer = send(curator, address, page, "merge")
    assert answer.status_code == 303
    assert not (tiny_settings.library / "Dogs/monday small.jpg").exists()
    assert catalogue.memes.at("Cats/monday.png").first_seen.year == 2019
    after = curator.get(answer.location).text
    assert "Merged: monday.png, monday small.jpg" in after
    assert "Copies were in</dt><dd>Dogs</dd>" in curator.get("/memes/Cats/monday.png.html").text
    undo = re.search(r'action="(/curator/duplicates/undo/\w+)"', after)
    assert undo
    answer = curator.post(undo[1], data={"csrf": token_in(after), "of": address.rpartition("/")[2]})
    assert answer.location.startswith(address + "?")
    assert "Undone" in curator.get(answer.location).text
    assert tree(tiny_settings.library) == before


def test_what_is_not_picked_stays_and_another_can_be_kept(
    curator: FlaskClient, catalogue: Catalogue, tiny_settings: Settings
) -> None:
    address, page = group_page(curator, "same")
    answer = send(curator, address, page, "merge", other=[])
    assert answer.status_code == 400 and "at least two memes" in answer.text
    small = catalogue.memes.at("Dogs/monday small.jpg")
    other_way = curator.get(f"{address}?keep={small.id}").text
    assert "your choice" in other_way
    assert send(curator, address, other_way, "merge").status_code == 303
    assert (tiny_settings.library / small.path).exists()
    assert not (tiny_settings.library / "Cats/monday.png").exists()


@pytest.mark.parametrize(("decision", "kind"), [("distinct", VerdictKind.DISTINCT), ("keep-all", VerdictKind.KEEP_ALL)])
def test_other_decisions_touch_no_file(
    curator: FlaskClient, catalogue: Catalogue, tiny_settings: Settings, decision: str, kind: VerdictKind
) -> None:
    before = tree(tiny_settings.library)
    for tier in ("identical", "same", "edited"):
        address, page = group_page(curator, tier)
        assert send(curator, address, page, decision).status_code == 303
        assert curator.get(address).location.startswith("/curator/duplicates?gone=")
    assert tree(tiny_settings.library) == before
    assert [one.kind for one in catalogue.verdicts.all()] == [kind] * 3
    assert "All groups are decided" in curator.get("/curator/duplicates").text


def test_a_page_that_is_too_old_does_nothing(curator: FlaskClient, tiny_settings: Settings) -> None:
    address, page = group_page(curator, "same")
    before = tree(tiny_settings.library)
    assert send(curator, address, page, "merge", seen="x").status_code == 403
    assert send(curator, address, page, "merge", csrf="x").status_code == 403
    assert send(curator, address, page, "burn").status_code == 400
    assert tree(tiny_settings.library) == before
    assert send(curator, address, page, "merge").status_code == 303
    merged = tree(tiny_settings.library)
    twice = send(curator, address, page, "merge").location
    assert twice == f"/curator/duplicates?gone={address.rpartition('/')[2]}"
    assert "was decided already" in curator.get(twice).text
    assert tree(tiny_settings.library) == merged


def test_decisions_about_categories_do_not_appear_among_those_about_duplicates(
    curator: FlaskClient, catalogue: Catalogue
) -> None:
    meme = catalogue.memes.at("Dogs/fine.png")
    for kind in (VerdictKind.RIGHT, VerdictKind.MOVED, VerdictKind.ADDED):
        catalogue.verdicts.add(kind, [meme.content_hash], paths=[f"elsewhere/{kind.value}.png"])
    page = curator.get("/curator/duplicates")
    assert page.status_code == 200 and "elsewhere/" not in page.text


def test_variants_are_shown_and_never_removed(curator: FlaskClient, tiny_settings: Settings) -> None:
    before = tree(tiny_settings.library)
    address, page = group_page(curator, "variant")
    assert 'value="merge"' not in page and "trash" not in page
    assert send(curator, address, page, "merge").status_code == 400
    for tier in ("variant", "same words"):
        assert curator.get(f"/curator/duplicates/all/{tier}").status_code == 400
        assert curator.post(f"/curator/duplicates/all/{tier}", data={"csrf": token_in(page)}).status_code == 400
    assert tree(tiny_settings.library) == before


def carried_out(curator: FlaskClient, address: str, form: dict[str, Any]) -> str:
    """Send a form that starts a batch, wait for it, and return the list with the note about it."""
    answer = curator.post(address, data=form)
    assert answer.status_code == 303, answer.text
    assert curator.application.extensions["batches"].wait_until_idle(PATIENCE)
    found = re.search(r"batch(?:=|es/)([0-9a-f]{16})", answer.location)
    assert found
    return curator.get(f"/curator/duplicates?batch={found[1]}").text


def test_a_batch_says_how_many_before_it_is_done_and_can_be_undone_whole(
    curator: FlaskClient, tiny_settings: Settings
) -> None:
    before = tree(tiny_settings.library)
    page = curator.get("/curator/duplicates/all/same").text
    assert "Move 1 file to the trash?" in page and "Cats/monday.png" in page
    digest = re.search(r'name="digest" value="(\w+)"', page)
    assert digest
    form = {"csrf": token_in(page), "digest": digest[1]}
    changed = curator.post("/curator/duplicates/all/same", data=form | {"digest": "x"})
    assert "have changed" in changed.text and tree(tiny_settings.library) == before
    after = carried_out(curator, "/curator/duplicates/all/same", form)
    assert not (tiny_settings.library / "Dogs/monday small.jpg").exists()
    assert "1 group merged." in after
    undo = re.search(r'action="(/curator/batches/\w+/undo)"', after)
    assert undo
    assert "Undone: 1 group merged." in carried_out(curator, undo[1], {"csrf": token_in(after)})
    assert tree(tiny_settings.library) == before
    assert curator.post(undo[1], data={"csrf": token_in(after)}).status_code == 409


def test_what_nothing_decides_is_the_curators_choice(
    curator: FlaskClient, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = duplicates.propose(Workspace(tiny_settings, curator.application.extensions["site"].catalogue))
    unsure = [replace(one, is_sure=False, reason="nothing shows which was first") for one in kept]
    monkeypatch.setattr(duplicates.ProposalCache, "of", lambda self, *tiers: [] if Tier.VARIANT in tiers else unsure)
    before = tree(tiny_settings.library)
    page = curator.get("/curator/duplicates?tier=same").text
    assert "Your choice: nothing shows which was first" in page and "as proposed" not in page
    page = curator.get("/curator/duplicates/all/same").text
    assert "In 1 group nothing shows which file was first" in page and 'name="digest"' not in page
    address, group = group_page(curator, "same")
    nothing = hashlib.sha256(b"").hexdigest()[:24]
    curator.post("/curator/duplicates/all/same", data={"csrf": token_in(group), "digest": nothing})
    assert tree(tiny_settings.library) == before
    assert send(curator, address, group, "merge").status_code == 303  # one by one it is


def test_some_groups_are_merged_as_the_list_showed_them(curator: FlaskClient, tiny_settings: Settings) -> None:
    before = tree(tiny_settings.library)
    page = curator.get("/curator/duplicates?tier=same").text
    [group] = re.findall(r'name="group" value="([^"]+)"', page)
    assert "Picture: <span" in page and '<span class="better">120 × 90</span>' in unescape(page)
    refused = curator.post("/curator/duplicates/some/same", data={"csrf": token_in(page), "group": [group, "x-y"]})
    assert refused.status_code == 403 and tree(tiny_settings.library) == before
    assert curator.post("/curator/duplicates/some/same", data={"csrf": token_in(page)}).status_code == 400
    assert "1 group merged." in carried_out(
        curator, "/curator/duplicates/some/same", {"csrf": token_in(page), "group": group}
    )
    assert not (tiny_settings.library / "Dogs/monday small.jpg").exists()


def test_a_starting_site_recovers_from_an_interrupted_merge(tiny_settings: Settings, client: FlaskClient) -> None:
    before = tree(tiny_settings.library)
    catalogue = client.application.extensions["site"].catalogue

    def stop(step: str) -> None:
        if step == "commit":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merging.merge(
            Workspace(tiny_settings, catalogue),
            keep=catalogue.memes.at("Cats/monday.png"),
            remove=[catalogue.memes.at("Dogs/monday small.jpg")],
            on_step=stop,
        )
    assert tree(tiny_settings.library) != before
    again = app_over(tiny_settings)
    assert tree(tiny_settings.library) == before
    close_app(again)


def test_the_trash_lists_removed_files_and_restores_them(curator: FlaskClient, tiny_settings: Settings) -> None:
    assert "The trash is empty" in curator.get("/curator/duplicates/trash").text
    before = tree(tiny_settings.library)
    address, page = group_page(curator, "identical")
    send(curator, address, page, "merge")
    trash = curator.get("/curator/duplicates/trash").text
    assert str(tiny_settings.data / "trash") in trash
    back = re.search(r'action="(/curator/duplicates/undo/\w+)"', trash)
    assert back
    curator.post(back[1], data={"csrf": token_in(trash)})
    assert tree(tiny_settings.library) == before
    assert "The trash is empty" in curator.get("/curator/duplicates/trash").text


def test_a_read_only_library_is_reported(
    curator: FlaskClient, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(tiny_settings.library)
    monkeypatch.setattr(merging.os, "access", lambda folder, mode: False)
    address, page = group_page(curator, "same")
    answer = send(curator, address, page, "merge")
    assert answer.status_code == 503 and "nothing was moved" in answer.text
    assert tree(tiny_settings.library) == before
    page = curator.get("/curator/duplicates/all/same").text
    digest = re.search(r'name="digest" value="(\w+)"', page)
    assert digest
    form = {"csrf": token_in(page), "digest": digest[1]}
    assert "1 could not be. The folder" in carried_out(curator, "/curator/duplicates/all/same", form)
    assert tree(tiny_settings.library) == before


def test_the_difference_of_two_memes_is_a_picture(curator: FlaskClient, catalogue: Catalogue) -> None:
    one, other = catalogue.memes.at("Cats/monday.png"), catalogue.memes.at("Dogs/monday small.jpg")
    answer = curator.get(f"/curator/duplicates/difference/{one.id}/{other.id}.png")
    picture = Image.open(io.BytesIO(answer.data))
    assert abs(picture.width / picture.height - other.width / other.height) < 0.05
    assert curator.get("/curator/duplicates/difference/99999/1.png").status_code == 404
    address, _ = group_page(curator, "same")
    assert f"/difference/{one.id}/{other.id}.png" in curator.get(f"{address}?show=difference").text


def test_pictures_that_cannot_be_laid_over_each_other_have_a_sentence_and_no_broken_picture(
    curator: FlaskClient, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.curator.duplicates.draw_heatmap", lambda one, other: None)
    one, other = catalogue.memes.at("Cats/monday.png"), catalogue.memes.at("Dogs/monday small.jpg")
    answer = curator.get(f"/curator/duplicates/difference/{one.id}/{other.id}.png")
    assert answer.status_code == 404 and "cannot be aligned" in answer.text
    address, _ = group_page(curator, "same")
    page = curator.get(f"{address}?show=difference").text
    assert "cannot be laid over the first picture" in page and "/duplicates/difference/" not in page


def test_hostile_names_and_texts_run_nothing(curator: FlaskClient, catalogue: Catalogue) -> None:
    page = curator.get("/curator/duplicates?tier=<script>&batch=<b>&failed=3&why=<script>alert(1)</script>")
    assert page.status_code == 400 and "<script>alert" not in page.text
    page = curator.get("/curator/duplicates?failed=3&why=<script>alert(1)</script>")
    assert page.status_code == 200 and "<script>alert" not in page.text
    assert curator.get("/curator/duplicates?page=99").status_code == 200


def test_the_api_gives_groups_and_takes_verdicts_of_the_curator_alone(
    client: FlaskClient, catalogue: Catalogue, tiny_settings: Settings
) -> None:
    for method, address in (("GET", "/api/duplicates"), ("GET", "/api/verdicts"), ("POST", "/api/verdicts")):
        assert client.open(address, method=method).status_code == 401
    sign_in(client, tiny_settings.data)
    before = tree(tiny_settings.library)
    answer = client.get("/api/duplicates?k=2")
    assert answer.json["total"] == 3 and len(answer.json["groups"]) == 2
    token = {"X-CSRF-Token": answer.headers["X-CSRF-Token"]}
    (same,) = client.get("/api/duplicates?tier=same").json["groups"]
    assert [meme["path"] for meme in same["members"]] == ["Cats/monday.png", "Dogs/monday small.jpg"]
    assert same["keep"] == same["members"][0]["id"] and same["reason"].endswith("it was resized")
    assert (same["evidence"][0]["tier"], same["evidence"][0]["pdq"]) == ("same", 8)
    (variant,) = client.get("/api/duplicates?tier=variant").json["groups"]
    assert variant["keep"] is None
    assert client.get("/api/duplicates?tier=x").status_code == 400
    asked = {"verdict": "merge", "memes": [same["keep"], "Dogs/monday small.jpg"], "note": "by a program"}
    assert client.post("/api/verdicts", json=asked).status_code == 403
    line = client.post("/api/verdicts", json=asked, headers=token)
    assert line.status_code == 201 and line.json["verdict"] == "merged" and line.json["note"] == "by a program"
    assert client.get("/api/duplicates?tier=same").json == {"groups": [], "total": 0}
    undone = client.post(f"/api/verdicts/{line.json['id']}/undo", headers=token)
    assert undone.status_code == 201 and undone.json["undoes"] == line.json["id"]
    assert tree(tiny_settings.library) == before
    assert [one["id"] for one in client.get("/api/verdicts").json["verdicts"]] == [undone.json["id"], line.json["id"]]
    for wrong in (
        {"verdict": "burn", "memes": [1, 2]},
        {"verdict": "distinct", "memes": [1]},
        {"verdict": "distinct", "memes": [True, None]},
        {"verdict": "merge", "memes": []},
        {"verdict": ["merge"], "memes": [1, 2]},
        {"memes": 3},
        [],
    ):
        assert client.post("/api/verdicts", json=wrong, headers=token).status_code == 400, wrong
    wrong = {"verdict": "distinct", "memes": [1, 99999]}
    assert client.post("/api/verdicts", json=wrong, headers=token).status_code == 404
    assert len(catalogue.verdicts.all()) == 2
