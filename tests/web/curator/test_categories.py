"""The category check on the site and at the command: issues are shown, decided, undone, and not shown again."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageDraw

from indexer.curation.categories import find_open_issues
from indexer.library.scan import scan_library
from indexer.stages.build_index import build_index
from indexer.stages.decode import decode_memes
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.train_categories import open_suggester, train_categories, train_in_child_process
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, VerdictKind, open_catalogue
from search.categories.issues import IssueKind
from search.errors import ModelUnavailable
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import QuickHasher, sign_in
from tests.support.fakes import HashingTextEncoder, use_hashing_text_encoder
from tests.support.paths import ROOT
from tests.support.serving import open_app
from tests.support.shapes import MISPLACED, draw_shape, draw_shapes
from tests.support.waiting import PATIENCE
from web.cli.main import main
from web.curator import passwords

REST = 60.0  # seconds for the threads


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(
        library=tmp_path / "memes", data=tmp_path / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )
    draw_shapes(settings.library)
    with open_catalogue(settings) as catalogue:
        scan_library(settings.library, catalogue, progress=SILENT)
        decode_memes(Workspace(settings, catalogue), progress=SILENT)
        split_texts(catalogue)
        embed_passages(catalogue, HashingTextEncoder(), progress=SILENT)
        build_index(Workspace(settings, catalogue), text_encoder=HashingTextEncoder.name)
    return settings


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(passwords, "PasswordHasher", QuickHasher)
    with open_app(settings) as app:
        yield app


@pytest.fixture
def catalogue(app: Flask) -> Catalogue:
    found: Catalogue = app.extensions["site"].catalogue
    return found


@pytest.fixture
def curator(app: Flask, settings: Settings) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(client, settings.data)
    return client


def looked(app: Flask, curator: FlaskClient) -> str:
    """Let everything be looked at and return the page."""
    assert curator.post("/curator/health/again").status_code == 303
    assert app.extensions["categories"].wait_until_idle(REST)
    return curator.get("/curator/health").text


def key_in(page: str) -> str:
    found = re.search(r'action="/curator/health/([0-9a-f]{16})', page)
    assert found, page
    return found[1]


def test_visitors_see_and_do_nothing(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/curator/health").status_code in (302, 303, 401)
    for address in ("/curator/health/again", "/curator/health/0123456789abcdef", "/curator/health/undo/x"):
        assert client.post(address).status_code in (303, 400, 401, 403)


def test_before_the_first_check_the_page_offers_one(curator: FlaskClient) -> None:
    page = curator.get("/curator/health").text
    assert "have not been checked yet" in page
    assert "Check now" in page


def test_a_misfiled_meme_is_shown_moved_by_one_key_found_in_its_new_place_and_moved_back(
    app: Flask, curator: FlaskClient, catalogue: Catalogue, settings: Settings
) -> None:
    page = looked(app, curator)
    assert MISPLACED in page
    assert re.search(r'name="category" value="Stripes" data-key="m"', page)
    id = catalogue.memes.at(MISPLACED).id
    answer = curator.post(f"/curator/health/{key_in(page)}", data={"category": "Stripes"})
    assert answer.status_code == 303
    assert catalogue.memes.get(id).path == "Stripes/s19.png"
    assert (settings.library / "Stripes/s19.png.txt").is_file()
    assert app.extensions["categories"].wait_until_idle(REST)
    hits = curator.get("/api/search?q=category:Stripes+hello&k=30").json["hits"]
    found = {id for hit in hits for id in (hit["id"], *hit["variant_ids"])}
    assert id in found, "the running site finds it where it is now"
    after = curator.get(answer.headers["Location"]).text
    assert "Moved to Stripes" in after
    assert (
        MISPLACED not in re.sub(r'<div class="note done".*?</div>', "", after, flags=re.S).split("Recent decisions")[0]
    )
    undo = re.search(r'action="(/curator/health/undo/[0-9a-f]{16})"', after)
    assert undo
    assert curator.post(undo[1]).status_code == 303
    assert catalogue.memes.get(id).path == MISPLACED
    assert MISPLACED in curator.get("/curator/health").text, "what was undone is open again"


def test_a_move_that_is_undone_by_the_api_is_found_in_its_old_place(
    app: Flask, curator: FlaskClient, catalogue: Catalogue
) -> None:
    page = looked(app, curator)
    id = catalogue.memes.at(MISPLACED).id
    curator.post(f"/curator/health/{key_in(page)}", data={"category": "Stripes"})
    assert app.extensions["categories"].wait_until_idle(REST)
    verdict = catalogue.verdicts.standing()[-1]
    assert curator.post(f"/api/verdicts/{verdict.uid}/undo").status_code == 201
    assert app.extensions["categories"].wait_until_idle(REST)
    assert catalogue.memes.get(id).path == MISPLACED
    for category, is_there in (("Circles", True), ("Stripes", False)):
        hits = curator.get(f"/api/search?q=category:{category}&k=60&collapse=0").json["hits"]
        assert (id in {hit["id"] for hit in hits}) is is_there, category


def test_an_issue_kept_as_it_is_is_not_shown_again_even_after_another_check(
    app: Flask, curator: FlaskClient, catalogue: Catalogue
) -> None:
    page = looked(app, curator)
    curator.post(f"/curator/health/{key_in(page)}", data={"decision": "right"})
    assert catalogue.verdicts.standing()[-1].kind is VerdictKind.RIGHT
    assert f'title="{MISPLACED}"' not in curator.get("/curator/health?kind=misfiled").text
    again = looked(app, curator)
    assert f">{MISPLACED}<" not in again.split("Recent decisions")[0]
    assert catalogue.memes.at(MISPLACED).category == "Circles"


def test_another_category_can_be_typed_and_a_bad_name_moves_nothing(
    app: Flask, curator: FlaskClient, catalogue: Catalogue
) -> None:
    key = key_in(looked(app, curator))
    refused = curator.post(f"/curator/health/{key}", data={"other": "../outside", "decision": "move"})
    assert refused.status_code == 400
    assert "cannot be a category" in refused.text
    assert catalogue.memes.at(MISPLACED).category == "Circles"
    assert curator.post(f"/curator/health/{key}", data={"other": "Odd ones", "decision": "move"}).status_code == 303
    assert catalogue.memes.at("Odd ones/s19.png")


def test_a_decision_on_what_is_settled_or_unknown_is_refused(curator: FlaskClient, app: Flask) -> None:
    looked(app, curator)
    assert curator.post("/curator/health/0123456789abcdef", data={"decision": "right"}).status_code == 404


def test_forms_from_elsewhere_do_nothing(app: Flask, curator: FlaskClient, catalogue: Catalogue) -> None:
    key = key_in(looked(app, curator))
    del curator.environ_base["HTTP_X_CSRF_TOKEN"]
    assert curator.post(f"/curator/health/{key}", data={"category": "Stripes"}).status_code == 403
    assert catalogue.memes.at(MISPLACED)


def test_findings_follow_what_was_moved_by_hand(settings: Settings) -> None:
    with open_catalogue(settings) as catalogue:
        train_categories(Workspace(settings, catalogue), encoder=HashingTextEncoder())
        [one] = [one for one in find_open_issues(Workspace(settings, catalogue)).open if one.kind is IssueKind.MISFILED]
        assert one.target == "Stripes"
        for suffix in ("", ".txt"):
            (settings.library / f"{MISPLACED}{suffix}").rename(settings.library / f"Stripes/s19.png{suffix}")
        scan_library(settings.library, catalogue, progress=SILENT)
        assert [
            one for one in find_open_issues(Workspace(settings, catalogue)).open if one.kind is IssueKind.MISFILED
        ] == []


def stripes() -> bytes:
    out = io.BytesIO()
    picture = Image.new("RGB", (210, 170), "white")
    pen = ImageDraw.Draw(picture)
    for at in range(0, 210, 21):
        pen.rectangle((at, 0, at + 9, 170), fill=("maroon", "gold")[at % 42 // 21])
    picture.save(out, "PNG")
    return out.getvalue()


def test_an_accepted_upload_improves_the_suggestions_for_the_next(app: Flask, curator: FlaskClient) -> None:
    categories = app.extensions["categories"]
    first = curator.post("/api/suggest", data={"picture": (io.BytesIO(stripes()), "new.png")}).json
    assert first["abstain"] is True
    assert "being prepared" in first["sentence"]
    assert categories.wait_until_idle(REST)
    second = curator.post("/api/suggest", data={"picture": (io.BytesIO(stripes()), "new.png")}).json
    assert second["suggestions"][0]["category"] == "Stripes"
    assert sum(one["probability"] for one in second["suggestions"]) == pytest.approx(1, abs=0.01)
    shown = {curator.get(f"/api/memes/{id}").json["path"] for id in second["suggestions"][0]["neighbours"]}
    assert {path.partition("/")[2][0] for path in shown} == {"s"}
    sent = curator.post("/api/inbox", data={"file": [(io.BytesIO(stripes()), "new.png")]})
    assert app.extensions["inbox"].wait_until_idle(REST)
    id = sent.json["uploads"][0]["id"]
    assert curator.get(f"/api/inbox/{id}").json["suggestions"][0]["category"] == "Stripes"
    page = curator.get(f"/curator/inbox/{id}").text
    assert re.search(r'value="Stripes" data-key="1"', page)
    before = len(categories.suggester().examples)
    accepted = curator.post(
        f"/api/inbox/{id}/accept", json={"category": "Barber poles", "anyway": "a category of its own"}
    )
    assert accepted.status_code == 200, accepted.json
    assert app.extensions["inbox"].wait_until_idle(REST)
    assert categories.wait_until_idle(REST)
    assert len(categories.suggester().examples) == before + 1
    assert "Barber poles" in categories.suggester().model.categories, "learnt without a restart"


def test_training_is_repeated_only_after_many_changes(settings: Settings) -> None:
    with open_catalogue(settings) as catalogue:
        encoder = HashingTextEncoder()
        open_suggester(Workspace(settings, catalogue), encoder=encoder)
        file = settings.data / "models" / "categories.npz"
        made = file.stat().st_mtime_ns
        open_suggester(Workspace(settings, catalogue), encoder=encoder)
        assert file.stat().st_mtime_ns == made
        for number in range(20, 32):
            draw_shape(settings.library / f"New/c{number}.png", "circle", number)
        scan_library(settings.library, catalogue, progress=SILENT)
        decode_memes(Workspace(settings, catalogue), progress=SILENT)
        found = open_suggester(Workspace(settings, catalogue), encoder=encoder)
        assert file.stat().st_mtime_ns != made
        assert "New" in found.model.categories


def test_a_training_process_that_fails_is_reported(settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match="text encoder"):
        train_in_child_process(settings)


def test_a_training_process_ends_with_its_parent() -> None:
    waits = (
        "import time; from search.system.processes import end_with_parent; "
        "end_with_parent(); print('begun', flush=True); time.sleep(1000)"
    )
    command = [sys.executable, "-c", waits]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.stdin.close()
        assert child.wait(PATIENCE) == 1


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    use_hashing_text_encoder(monkeypatch)
    monkeypatch.setenv("MEMETICA_OCR_ENGINE", "none")

    def invoke(*words: str) -> Result:
        common = ["--data", str(settings.data), "--library", str(settings.library)]
        return CliRunner().invoke(main, [*common, *words], env={"COLUMNS": "200"})

    return invoke


def rows(result: Result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_command_lists_and_decides_as_the_page_does(run: Callable[..., Result], settings: Settings) -> None:
    [one] = rows(run("categories", "--json", "--kind", "misfiled"))
    assert (one["memes"], one["target"]) == ([MISPLACED], "Stripes")
    assert MISPLACED in run("categories").stdout
    moved = run("categories", "move", one["finding"][:8])
    assert moved.exit_code == 0, moved.output
    assert (settings.library / "Stripes/s19.png").is_file()
    assert rows(run("categories", "--json", "--kind", "misfiled")) == []
    [uid] = re.findall(r"memetica undo ([0-9a-f]{16})", moved.output)
    assert run("undo", uid).exit_code == 0
    assert (settings.library / MISPLACED).is_file()
    assert run("categories", "right", one["finding"]).exit_code == 0
    assert run("categories", "train").exit_code == 0
    assert rows(run("categories", "audit", "--json", "--kind", "misfiled")) == []


@pytest.mark.parametrize("words", [("categories", "--to", "X"), ("categories", "move"), ("suggest", "nowhere.png")])
def test_wrong_use_of_the_command_is_reported(run: Callable[..., Result], words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_the_command_suggests_for_a_folder_and_says_what_it_could_not_read(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "a.png").write_bytes(stripes())
    (folder / "broken.png").write_bytes(b"no picture")
    result = run("suggest", str(folder), "--json")
    assert result.exit_code == 1
    first, broken = (json.loads(line) for line in result.stdout.splitlines())
    assert set(first) >= {"file", "text", "suggestions", "abstain", "duplicates", "variants"}
    assert first["suggestions"][0]["category"] == "Stripes"
    assert broken["error"]["message"]
    shown = run("suggest", str(folder / "a.png"))
    assert "Stripes" in shown.stdout
