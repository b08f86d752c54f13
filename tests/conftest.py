"""Fixtures named for the state that they are in."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.encoders.built_in import prepare_built_in
from search.encoders.minilm import export_minilm
from search.encoders.sentence_prepare import prepare_sentence_encoder
from search.settings import Settings, save_setting
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.serving import open_app
from tests.support.shared import shared_folder
from tests.support.text_models import make_text_model
from tests.support.tiny import draw_tiny_library
from tests.support.uploading import indexed_library, settings_in

# The same examples in every run, so that a red test is red again; HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis_settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis_settings.register_profile("explore", deadline=None, max_examples=1000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

# Exporting the built-in image encoder takes half a minute of processor time; tests of image encoders unset this.
os.environ.setdefault("MEMETICA_IMAGE_ENCODER", "none")
for name in ("MEMETICA_DATA", "MEMETICA_LIBRARY"):  # of whoever runs the tests: theirs stay as they are
    os.environ.pop(name, None)

TESTS = Path(__file__).parent
# Files and folders whose tests take seconds each; `make test-fast` leaves them out.
SLOW = (
    "campaign",
    "e2e",
    "demo",
    "quality",
    "test_benchmarks.py",
    "indexer/inbox",
    "indexer/test_pipeline.py",
    "indexer/curation/test_merges.py",
    "indexer/describe/test_run.py",
    "indexer/stages/test_find_duplicates.py",
    "indexer/stages/test_image_encoder.py",
    "indexer/stages/test_text_encoder.py",
    "search/categories/test_categories.py",
    "search/encoders/test_small_clip.py",
    "search/evaluation/test_known_items.py",
    "web/background/test_watch.py",
    "web/cli/test_engine.py",
    "web/curator/test_categories.py",
    "web/mcp",
    "web/static_site/test_export.py",
)

# Files and tests that take a second or more of processor time and need no torch: `make test-fast` leaves them out too,
# and .ci/without_torch runs them, since what they test depends on Python and on compiled packages.
SLOW_ON_ANY_PYTHON = (
    "indexer/curation/test_duplicates.py",
    "indexer/media/test_decode.py::test_the_limit_is_the_settings_alone",
    "indexer/media/test_svg.py::test_a_drawing_that_multiplies_itself_is_refused_before_it_is_drawn",
    "indexer/upkeep/test_upkeep.py",
    "search/categories/test_projection.py",
    "search/duplicates/keypoints/test_index.py",
    "search/duplicates/origin/test_pictures.py",
    "search/images/test_fingerprints.py::test_a_fingerprint_is_the_published_algorithms",
    "search/index/test_checksums.py",
    "search/index/lexical/test_index.py::test_tokens_stand_in_the_text_in_order_without_overlap",
    "search/index/vectors/test_dense.py::test_a_search_by_codes_gives_the_nearest_of_all_rows_with_their_exact_scores",
    "search/system/test_distribution.py",
    "search/test_whole_answers.py",
    "web/cli/test_duplicates.py",
    "web/curator/test_memes.py",
    "web/curator/test_passwords.py",
)

# Fixtures that export a real encoder, which takes half a minute of processor time.
EXPORTS = {"text_model", "minilm_models", "built_in_models"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import slow files for the fast tier: what they import takes seconds too."""
    wanted = config.option.markexpr
    left_out = SLOW if "any_python" in wanted else (*SLOW, *SLOW_ON_ANY_PYTHON)
    fast = "not slow" in wanted
    return True if fast and collection_path.relative_to(TESTS).as_posix().startswith(left_out) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what the tables and EXPORTS name, run long files first, leave the campaign out unless it is asked for.

    Processes that share the files end together when the short ones come last.
    """
    for item in items:
        if item.path.relative_to(TESTS).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)
        if item.nodeid.removeprefix(f"{TESTS.name}/").startswith(SLOW_ON_ANY_PYTHON):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.any_python)
        if not EXPORTS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.real_models)
    if "campaign" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("campaign")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    long = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "real_models", "browser")))}
    items.sort(key=lambda item: item.path not in long)


def pytest_sessionfinish() -> None:
    """Collect garbage while pytest-xdist still waits for this process.

    pytest does so once it has said that it is done, and five seconds later execnet interrupts a process that has not
    ended: on a busy machine, in the midst of the garbage of torch, where the interruption is printed as ignored.
    """
    gc.collect()
    gc.freeze()


def _settings(folder: Path) -> Settings:
    """Settings over the tiny library, drawn into a folder; nothing reads pictures' words."""
    library = draw_tiny_library(folder / "memes")
    return Settings(library=library, data=folder / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name)


def _index(settings: Settings) -> Catalogue:
    catalogue = open_catalogue(settings)
    index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    return catalogue


@pytest.fixture(scope="session")
def tiny_template(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings over the tiny library, indexed, that the fixtures below copy: a copy is quicker than a run."""
    settings = _settings(tmp_path_factory.mktemp("tiny"))
    _index(settings).close()
    return settings


@pytest.fixture
def tiny_settings(tiny_template: Settings, tmp_path: Path) -> Settings:
    """Settings over the tiny library, drawn but not indexed, for a test's own use."""
    library = shutil.copytree(tiny_template.library, tmp_path / "memes")
    return replace(tiny_template, library=library, data=tmp_path / "data")


@pytest.fixture
def tiny_indexed(tiny_template: Settings, tiny_settings: Settings) -> Iterator[Catalogue]:
    """The catalogue of the tiny library, indexed by the hashing encoder, for a test's own use."""
    shutil.copytree(tiny_template.data, tiny_settings.data)
    save_setting(tiny_settings.data, "library", str(tiny_settings.library))
    with open_catalogue(tiny_settings) as catalogue:
        yield catalogue


@pytest.fixture
def workspace(tiny_settings: Settings, tiny_indexed: Catalogue) -> Workspace:
    """The workspace of the tiny library, indexed by the hashing encoder, for a test's own use."""
    return Workspace(tiny_settings, tiny_indexed)


@pytest.fixture(scope="session")
def served_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings over a tiny library that all tests read and none changes."""
    return _settings(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def served(served_settings: Settings) -> Iterator[Catalogue]:
    """The catalogue of the library that all tests read and none changes."""
    with _index(served_settings) as catalogue:
        yield catalogue


@pytest.fixture(scope="session")
def site(served_settings: Settings, served: Catalogue) -> Iterator[FlaskClient]:
    """A client of the site over the library that all tests read and none changes."""
    with open_app(served_settings) as app:
        yield app.test_client()


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive() -> None:
    """Undo what a shell does to a suite that it runs in the background: its children would never hear Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small text encoder of two languages as a sentence-transformers folder, and a folder of models with its export.

    Where torch is not installed, the test is skipped.
    """
    pytest.importorskip("torch")

    def make(folder: Path) -> None:
        prepare_sentence_encoder(folder / "models", str(make_text_model(folder / "two-languages")))

    folder = shared_folder(tmp_path_factory, "text-model", make)
    return folder / "two-languages", folder / "models"


@pytest.fixture(scope="session")
def built_in_models(tmp_path_factory: pytest.TempPathFactory, minilm_models: Path) -> Path:
    """A folder of models, called `models`, in which the built-in image encoder is ready, and what it needs."""

    def make(folder: Path) -> None:
        shutil.copytree(minilm_models, folder / "models")
        prepare_built_in(folder / "models", threads=2)

    return shared_folder(tmp_path_factory, "built-in", make) / "models"


@pytest.fixture(scope="session")
def minilm_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models in which the real text encoder is ready."""
    return shared_folder(tmp_path_factory, "minilm", lambda models: export_minilm(models, threads=2))


@pytest.fixture(scope="session")
def uploads_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny library, indexed, that tests of uploads copy and none changes."""
    return indexed_library(tmp_path_factory.mktemp("uploads")).data.parent


@pytest.fixture
def uploads_settings(uploads_library: Path, tmp_path: Path) -> Settings:
    """Settings over a copy of the tiny library, indexed, for uploads of a test's own."""
    shutil.copytree(uploads_library, tmp_path, dirs_exist_ok=True)
    return settings_in(tmp_path)
