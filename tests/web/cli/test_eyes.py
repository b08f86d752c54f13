"""What sees the pictures: one question, answers that are kept, words first, and nothing sent unasked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.stages.prepare_encoders import prepare_image_encoder
from search.catalogue import Catalogue
from search.encoders.clip_models import BUILT_IN, DEFAULT, SMALL
from search.encoders.registry import image_encoder_spec
from search.errors import ModelUnavailable
from search.index.generations import live_generation, live_image_encoder
from search.index.status import BETTER_EYES, eyes_sentence
from search.settings import Settings, stored_setting
from search.workspace import Workspace
from tests.support.fakes import ColorImageEncoder, use_hashing_text_encoder
from web.background.image_encoder import current_choice
from web.cli import eyes
from web.cli.main import main

Run = Callable[..., Result]


class Eyes:
    """Stands for the preparation of image encoders: notes what is asked for, and may have no hub."""

    def __init__(self, index: Path) -> None:
        self.asked: list[str] = []
        self.words_found_first = False
        self.hub = True
        self._index = index

    def prepare(self, settings: Settings, on_download: object = None) -> ColorImageEncoder | None:
        self.asked.append(settings.image_encoder)
        self.words_found_first = live_generation(self._index) is not None
        if settings.image_encoder == DEFAULT and not self.hub:
            raise ModelUnavailable("The hub is away.", hint="Wait.")
        return ColorImageEncoder() if settings.image_encoder else None


def register(workspace: Workspace, encoder: ColorImageEncoder, **more: object) -> tuple[int, int]:
    workspace.catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    return 0, 0


@pytest.fixture
def seen(tiny_settings: Settings, tiny_indexed: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Eyes:
    """A decoded library without an index, whose pictures count as embedded once an encoder is there."""
    tiny_indexed.close()
    shutil.rmtree(tiny_settings.data / "index")
    use_hashing_text_encoder(monkeypatch)
    monkeypatch.setattr("search.encoders.registry.export_minilm", lambda models, *, threads: False)
    monkeypatch.setattr("indexer.pipeline.embed_images", register)
    monkeypatch.delenv("MEMETICA_IMAGE_ENCODER")
    found = Eyes(tiny_settings.data / "index")
    monkeypatch.setattr(eyes, "prepare_image_encoder", found.prepare)
    return found


@pytest.fixture
def index(tiny_settings: Settings, seen: Eyes, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `memetica index`, on a terminal where `answer` is given."""

    def run(*arguments: str, answer: str | None = None) -> Result:
        monkeypatch.setattr(eyes, "is_interactive", lambda terminal: answer is not None)
        base = ["index", str(tiny_settings.library), "--ocr", "none", "--no-duplicates"]
        return CliRunner().invoke(main, [*base, "--data", str(tiny_settings.data), *arguments], input=answer)

    return run


def said(result: Result) -> str:
    return " ".join(result.output.split())


def test_without_a_terminal_the_built_in_eyes_see_after_the_words_and_one_line_says_what_would_be_better(
    index: Run, seen: Eyes, tiny_settings: Settings
) -> None:
    result = index()
    assert seen.asked == [BUILT_IN] and seen.words_found_first
    assert said(result).count(BETTER_EYES) == 1 and "Download" not in result.output
    assert live_image_encoder(tiny_settings.data / "index") == ColorImageEncoder.name
    assert stored_setting(tiny_settings.data, "image_encoder") is None


def test_a_no_on_a_terminal_is_kept_and_the_question_is_asked_once(
    index: Run, seen: Eyes, tiny_settings: Settings
) -> None:
    result = index(answer="n\n")
    assert "605 MB" in result.output and "MIT" in result.output and "s a picture" in result.output
    assert stored_setting(tiny_settings.data, "image_encoder") == BUILT_IN
    assert "Download" not in index(answer="y\n").output
    assert seen.asked == [BUILT_IN, BUILT_IN]


def test_a_yes_downloads_the_default_and_a_hub_that_is_away_leaves_the_built_in_eyes(
    index: Run, seen: Eyes, tiny_settings: Settings
) -> None:
    seen.hub = False
    result = index(answer="y\n")
    assert seen.asked == [DEFAULT, BUILT_IN] and seen.words_found_first
    assert "The hub is away. Wait." in said(result) and result.exit_code == 0
    assert stored_setting(tiny_settings.data, "image_encoder") is None  # it is asked again
    seen.hub = True
    index(answer="y\n")
    assert seen.asked == [DEFAULT, BUILT_IN, DEFAULT]


def test_an_answer_given_by_an_option_or_the_environment_is_not_asked_for(
    index: Run, seen: Eyes, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = index("--see", "default", answer="")
    assert "Download it" not in result.output and seen.asked == [DEFAULT]
    assert stored_setting(tiny_settings.data, "image_encoder") == DEFAULT  # from now on
    blind = index("--see", "none", answer="")
    assert eyes_sentence("") in said(blind) and live_image_encoder(tiny_settings.data / "index") == ""
    monkeypatch.setenv("MEMETICA_IMAGE_ENCODER", "built-in")
    index(answer="")
    assert seen.asked[-1] == BUILT_IN
    wrong = index("--see", "nonsense")
    assert wrong.exit_code == 2 and "'nonsense' is not an image encoder" in wrong.output


def test_auto_is_the_best_that_is_exported_and_a_site_makes_the_built_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEMETICA_IMAGE_ENCODER")
    ready: list[str] = []
    monkeypatch.setattr("search.encoders.registry.find_prepared", lambda models, spec: spec in ready or None)
    settings = Settings(data=tmp_path)
    assert image_encoder_spec(settings) == "" and current_choice(settings).image_encoder == BUILT_IN
    for spec in (BUILT_IN, DEFAULT):
        ready.append(spec)
        assert image_encoder_spec(settings) == current_choice(settings).image_encoder == spec
    for word, spec in (("none", ""), ("default", DEFAULT), (SMALL, SMALL)):
        (tmp_path / "settings.json").write_text(json.dumps({"image_encoder": word}))
        assert current_choice(settings).image_encoder == spec


def test_nothing_is_exported_for_a_library_without_an_image_encoder(tmp_path: Path) -> None:
    assert prepare_image_encoder(Settings(data=tmp_path, image_encoder="none")) is None
    assert list(tmp_path.iterdir()) == []
