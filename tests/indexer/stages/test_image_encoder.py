"""Pictures in the index: found by words, kept apart by encoder, switched when all are seen, missed without loss."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import indexer.stages.update_index
from indexer.inbox.examiner import Examiner, inspect_file
from indexer.library.scan import scan_library
from indexer.pipeline import index_library
from indexer.stages.embed_images import embed_images
from indexer.stages.switch_image_encoder import uses_chosen_encoder
from indexer.stages.train_categories import embed_picture_names, open_suggester, train_categories, upload_features
from indexer.stages.update_index import update_index
from indexer.status import library_status
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.encoders.coverage import Coverage
from search.errors import ModelUnavailable
from search.index.local import LocalIndex
from search.meme import Field, Likeness, Stage
from search.searcher import Searcher
from search.settings import Settings, save_setting
from search.signals import DESCRIPTOR, IMAGE_IMAGE, IMAGE_TEXT
from search.workspace import Workspace
from tests.support.fakes import ColorImageEncoder, HashingTextEncoder
from tests.support.serving import app_over
from tests.support.waiting import until
from web.background.image_encoder import ImageEncoderWatcher, current_choice
from web.cli.main import main

COLORS = {"red": "#dc1e1e", "green": "#1ea03c", "blue": "#1e3cdc", "yellow": "#f0dc28"}


class Renamed(ColorImageEncoder):
    """The same eyes under another name."""

    name = "other-colours#2"


def load(settings: Settings, name: str, *, long_running: bool = False) -> ColorImageEncoder:
    for one in (ColorImageEncoder(), Renamed()):
        if one.name == name:
            return one
    raise ModelUnavailable(f"There is no {name}.", hint="Make it.")


@pytest.fixture(autouse=True)
def _chosen_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMETICA_IMAGE_ENCODER")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings over plain pictures, named by a number, of which nothing is written."""
    library = tmp_path / "memes"
    (library / "Plain").mkdir(parents=True)
    for at, color in enumerate(COLORS.values()):
        picture = Image.new("RGB", (60, 40), color)
        picture.paste("#ffffff", (0, 0, 60, 6 + at))  # so that no two are one in another colour
        picture.save(library / "Plain" / f"{at}.png")
    (library / "Plain" / "broken.png").write_bytes(b"no picture")
    return Settings(
        library=library,
        data=tmp_path / "data",
        ocr_engine="none",
        text_encoder=HashingTextEncoder.name,
        image_encoder="colours-1",
    )


def index(settings: Settings, catalogue: Catalogue, encoder: ColorImageEncoder | None) -> None:
    index_library(
        Workspace(settings, catalogue),
        progress=SILENT,
        load_encoder=lambda _: HashingTextEncoder(),
        load_images=lambda settings: encoder,
    )


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    with open_catalogue(settings) as opened:
        index(settings, opened, ColorImageEncoder())
        yield opened


def searcher(settings: Settings, catalogue: Catalogue, **more: object) -> Searcher:
    found = LocalIndex.open(settings.data / "index")
    return Searcher(
        Workspace(settings, catalogue), index=found, text_encoder=HashingTextEncoder(), load_images=load, **more
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("color", COLORS)
def test_words_find_a_picture_of_which_nothing_is_written(settings: Settings, catalogue: Catalogue, color: str) -> None:
    hit = searcher(settings, catalogue).search(color).hits[0]
    assert hit.meme.path == f"Plain/{list(COLORS).index(color)}.png"
    assert hit.explanation[Field.PICTURE] > 0.5


def test_an_uploaded_picture_and_a_meme_find_their_like(settings: Settings, catalogue: Catalogue) -> None:
    found = searcher(settings, catalogue)
    hit = found.search(image=Image.new("RGB", (200, 200), "#1e3cdc")).hits[0]
    assert hit.meme.path == "Plain/2.png" and Field.PICTURE in hit.explanation
    shutil.copy(settings.library / "Plain" / "2.png", settings.library / "Plain" / "9.png")
    index(settings, catalogue, ColorImageEncoder())
    own = catalogue.memes.at("Plain/2.png")
    for by in (Likeness.LOOK, Likeness.ALL):
        hit = found.similar(own.id, by=by).hits[0]
        assert hit.meme.path == "Plain/9.png" and Field.PICTURE in hit.explanation


def test_like_this_but_with_words(settings: Settings, catalogue: Catalogue) -> None:
    red = catalogue.memes.at("Plain/0.png").id
    seeing = replace(settings, weights={DESCRIPTOR: 0.1, IMAGE_TEXT: 0.5, IMAGE_IMAGE: 0.5})
    found = searcher(seeing, catalogue).search(f"like:{red} 3:blue")
    assert found.hits[0].meme.path == "Plain/2.png"
    assert "Plain/0.png" not in {hit.meme.path for hit in found.hits}  # it is what others are like


def test_a_file_that_cannot_be_decoded_is_never_shown_to_the_model(settings: Settings, catalogue: Catalogue) -> None:
    stages = {one.stage: one for one in library_status(Workspace(settings, catalogue)).stages}
    assert stages[Stage.MEDIA].failed == 1
    assert len(catalogue.embeddings.of_pictures("colours-1")[0]) == 4


def test_a_file_that_is_gone_when_it_is_to_be_seen_is_recorded_and_the_rest_goes_on(
    settings: Settings, catalogue: Catalogue
) -> None:
    (settings.library / "Plain" / "1.png").unlink()
    assert embed_images(Workspace(settings, catalogue), Renamed(), progress=SILENT) == (3, 1)
    failure = next(one for one in catalogue.failures.all() if one.stage is Stage.PICTURES)
    assert (failure.subject, failure.source) == ("Plain/1.png", Renamed.name)
    assert embed_images(Workspace(settings, catalogue), Renamed(), progress=SILENT) == (0, 0)


def test_a_killed_run_goes_on_where_it_was(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.stages.embed_images.BATCH", 1)

    class Dying(Renamed):
        seen = 0

        def encode_prepared(self, prepared):  # type: ignore[no-untyped-def]
            if Dying.seen == 2:
                raise KeyboardInterrupt
            Dying.seen += 1
            return super().encode_prepared(prepared)

    with pytest.raises(KeyboardInterrupt):
        embed_images(Workspace(settings, catalogue), Dying(), progress=SILENT)
    assert catalogue.embeddings.count_pictures(Renamed.name) == 2
    assert embed_images(Workspace(settings, catalogue), Renamed(), progress=SILENT) == (2, 0)


def test_the_index_stays_with_its_encoder_until_another_has_seen_everything(
    settings: Settings, catalogue: Catalogue
) -> None:
    live = searcher(settings, catalogue)
    other = replace(settings, image_encoder="other-colours")
    assert uses_chosen_encoder(settings) and not uses_chosen_encoder(other)
    live.choose("other-colours")
    embed_images(Workspace(other, catalogue), Renamed(), progress=SILENT)
    assert live.status().image_encoder == "colours-1"  # what is half there is not searched
    assert any("other-colours is chosen" in one for one in live.status().missing)
    assert live.search("red").hits[0].meme.path == "Plain/0.png"
    texts = dict(LocalIndex.open(settings.data / "index").manifest.rows)
    index(other, catalogue, Renamed())
    assert live.reload_if_changed() and live.status().image_encoder == Renamed.name
    assert live.search("red").hits[0].meme.path == "Plain/0.png"
    assert dict(LocalIndex.open(settings.data / "index").manifest.rows) == texts
    assert not any("is chosen" in one for one in live.status().missing)


def test_an_encoder_that_is_gone_costs_its_voice_alone(settings: Settings, catalogue: Catalogue) -> None:
    def gone(settings: Settings, name: str) -> ColorImageEncoder:
        raise ModelUnavailable(f"There is no {name}.", hint="Make it.")

    found = LocalIndex.open(settings.data / "index")
    blind = Searcher(Workspace(settings, catalogue), index=found, text_encoder=HashingTextEncoder(), load_images=gone)
    assert "Plain/0.png" in {hit.meme.path for hit in blind.search("plain").hits}
    assert any(one == "Words do not find images: There is no colours-1. Make it." for one in blind.status().missing)


def test_weights_that_cannot_be_had_cost_the_stage_not_the_run(settings: Settings, catalogue: Catalogue) -> None:
    def away(settings: Settings) -> ColorImageEncoder:
        raise ModelUnavailable("The hub is away.", hint="Wait.")

    reports = index_library(
        Workspace(replace(settings, image_encoder="other-colours"), catalogue),
        progress=SILENT,
        load_encoder=lambda _: HashingTextEncoder(),
        load_images=away,
    )
    report = next(one for one in reports if one.stage is Stage.PICTURES)
    assert (report.failed, report.note) == (1, "The hub is away.")
    assert LocalIndex.open(settings.data / "index").manifest.image_encoder == "colours-1"  # as it was


def test_choosing_nothing_takes_the_field_out_of_the_index(settings: Settings, catalogue: Catalogue) -> None:
    blind = replace(settings, image_encoder="")
    index(blind, catalogue, None)
    found = LocalIndex.open(settings.data / "index")
    assert found.pictures is None and found.manifest.image_encoder == ""
    assert catalogue.embeddings.count_pictures("colours-1") == 4  # kept, should it be chosen again


def test_a_meme_that_comes_while_a_site_serves_is_seen_too(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer.stages.update_index, "load_image_encoder", load)
    Image.new("RGB", (50, 50), "#000000").save(settings.library / "Plain" / "new.png")
    scan_library(settings.library, catalogue, progress=SILENT)
    from indexer.stages.decode import decode_memes

    decode_memes(Workspace(settings, catalogue), progress=SILENT)
    id = catalogue.memes.at("Plain/new.png").id
    live = searcher(settings, catalogue)
    update_index(Workspace(settings, catalogue), [id], encoder=HashingTextEncoder())
    assert live.search("black").hits[0].meme.id == id
    (settings.library / "Plain" / "0.png").unlink()
    scan_library(settings.library, catalogue, progress=SILENT)
    gone = [one for one in catalogue.memes.vanished_ids()]
    update_index(Workspace(settings, catalogue), gone, encoder=HashingTextEncoder())
    pictures = LocalIndex.open(settings.data / "index").pictures
    assert pictures is not None and len(np.unique(pictures.owners)) == 4


def test_a_serving_site_brings_the_index_to_what_is_chosen(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def apart(settings: Settings, *, on_start: object) -> None:
        seen.append(settings.image_encoder)
        if settings.image_encoder == "nowhere/to_be_had":
            raise ModelUnavailable("The hub is away.")
        index(settings, catalogue, Renamed() if settings.image_encoder == "other-colours" else ColorImageEncoder())

    monkeypatch.setattr("web.background.image_encoder.switch_in_child_process", apart)
    monkeypatch.setattr("web.background.encoder_watcher.POLL_SECONDS", 0.01)
    monkeypatch.setattr("search.searcher.load_image_encoder", load)
    app = app_over(settings)
    watching: ImageEncoderWatcher = app.extensions["image_encoder"]
    watching.start()
    try:
        site = app.extensions["site"]
        save_setting(settings.data, "image_encoder", "other-colours")
        until(lambda: site.searcher().status().image_encoder == Renamed.name)
        save_setting(settings.data, "image_encoder", "nowhere/to_be_had")
        until(lambda: watching.error is not None)
        until(lambda: any("The hub is away." in one for one in site.searcher().status().missing))
        assert seen == ["other-colours", "nowhere/to_be_had"]
        assert site.searcher().search("red").hits[0].meme.path == "Plain/0.png"
        save_setting(settings.data, "image_encoder", "colours-1")
        until(lambda: watching.error is None and site.searcher().status().image_encoder == "colours-1")
    finally:
        watching.close()
    assert seen[:3] == ["other-colours", "nowhere/to_be_had", "colours-1"]


def test_what_is_chosen_by_the_environment_is_not_overruled(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_setting(settings.data, "image_encoder", "other-colours")
    assert current_choice(settings).image_encoder == "other-colours"
    save_setting(settings.data, "image_encoder", "")
    assert current_choice(settings).image_encoder == ""  # to choose none is a choice
    (settings.data / "settings.json").write_text('{"image_enc')
    assert current_choice(settings).image_encoder == "colours-1"
    keep = partial(save_setting, settings.data, "image_encoder")
    (settings.data / "settings.json").unlink()
    keep("other-colours")
    monkeypatch.setenv("MEMETICA_IMAGE_ENCODER", "colours-1")
    assert current_choice(settings).image_encoder == "colours-1"


def test_the_command_lists_models_and_refuses_what_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = CliRunner()
    listed = runner.invoke(main, ["--data", str(tmp_path), "models"])
    assert listed.exit_code == 0 and "not for photographs" in " ".join(listed.output.split())
    rows = runner.invoke(main, ["--data", str(tmp_path), "--json", "models"]).output.splitlines()
    assert len(rows) >= 8
    refused = runner.invoke(main, ["--data", str(tmp_path), "models", "--use", "nonsense"])
    assert refused.exit_code == 2 and not (tmp_path / "settings.json").exists()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    away = runner.invoke(main, ["--data", str(tmp_path), "models", "--use", "default"])
    assert away.exit_code == 1 and "laion2b_s34b_b79k" in away.output and not (tmp_path / "settings.json").exists()
    assert runner.invoke(main, ["--data", str(tmp_path), "models", "--use", "none"]).exit_code == 0
    assert '"image_encoder": ""' in (tmp_path / "settings.json").read_text()


def test_suggestions_are_learnt_from_pictures_as_the_encoder_of_the_index_sees_them(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.inbox.examiner.load_image_encoder", load)
    workspace, encoder = Workspace(settings, catalogue), HashingTextEncoder()
    suggester = open_suggester(workspace, encoder=encoder)
    assert suggester.image_encoder == ColorImageEncoder.name
    examiner = Examiner.open(workspace, engine=None)
    file = settings.library / "Plain" / "2.png"
    findings, fingerprints = inspect_file(examiner, file, content_hash="c0ffee")
    stored = json.loads(json.dumps(findings))  # as the inbox keeps them
    asked = upload_features(fingerprints, stored, encoder=encoder, image_encoder=suggester.image_encoder)
    at = suggester.examples.ids.tolist().index(catalogue.memes.at("Plain/2.png").id)
    assert asked.pictures[0] == pytest.approx(suggester.examples.features.pictures[at], abs=0.01)
    assert asked.pictures.any()
    other = upload_features(fingerprints, stored, encoder=encoder, image_encoder=Renamed.name)
    assert other.pictures.shape == (1, 0)
    assert suggester.suggest(other).categories[0].category == "Plain"


def test_the_encoder_of_the_index_reads_the_names_of_categories(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.stages.train_categories.load_image_encoder", load)
    (settings.library / "Paint - Red").mkdir()
    shutil.copy(settings.library / "Plain" / "0.png", settings.library / "Paint - Red" / "copy.png")
    index(settings, catalogue, ColorImageEncoder())
    workspace = Workspace(settings, catalogue)
    model = train_categories(workspace, encoder=HashingTextEncoder())
    red = ColorImageEncoder().encode_text(["red"])[0]
    weights = model.models.named.weights[model.categories.index("Paint - Red")]
    assert weights / np.linalg.norm(weights) == pytest.approx(red)
    assert not model.models.named.weights[model.categories.index("Plain")].any(), "no picture is nearer to it"
    stored = open_suggester(workspace, encoder=HashingTextEncoder()).model
    assert stored.models.named.weights.tolist() == model.models.named.weights.tolist()


def test_names_that_the_image_encoder_cannot_read_and_encoders_that_are_gone_say_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.stages.train_categories.load_image_encoder", load)
    monkeypatch.setattr(ColorImageEncoder, "coverage", Coverage(frozenset({"Latin"})), raising=False)
    names = ("Red", "红色", "Blue 蓝")
    assert set(embed_picture_names(names, settings, image_encoder=ColorImageEncoder.name)) == {"Red"}
    assert embed_picture_names(names, settings, image_encoder="gone#1") == {}
    assert embed_picture_names(names, settings, image_encoder="") == {}
