"""The stage that compares a library: each pair once, whatever interrupts it; and uploads against it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.stages.find_duplicates import find_duplicates
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.duplicates.candidates import signature_of, stored_signature
from search.duplicates.groups import find_groups
from search.duplicates.keep_rule import choose_kept
from search.duplicates.keypoints import store
from search.duplicates.keypoints.files import CURRENT
from search.duplicates.match import Matcher
from search.evidence import Edit, Tier
from search.index.reader import PictureVectors
from search.index.vectors.dense import DenseIndex
from search.index.vectors.dense_writer import build_dense
from search.meme import Meme, Stage
from search.settings import Settings
from search.workspace import Workspace
from tests.support.duplicated import EDITS, OTHER_WORDS, captioned, scene

EDITED = ("a poorer JPEG", "cropped at one side", "a screenshot", "a mirror image")


def _draw(library: Path) -> None:
    folder = library / "Scenes"
    folder.mkdir(parents=True)
    for seed in range(6):
        captioned(scene(seed)).save(folder / f"{seed}.png")
    for seed, edit in enumerate(EDITED):
        EDITS[edit](captioned(scene(seed))).save(folder / f"{seed} {edit}.png")
    captioned(scene(5), OTHER_WORDS).save(folder / "5 with other words.png")
    shutil.copy(folder / "4.png", folder / "4 again.png")


def _scan(settings: Settings, catalogue: Catalogue) -> None:
    scan_library(settings.library, catalogue, progress=SILENT)
    decode_memes(Workspace(settings, catalogue), progress=SILENT)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library of twelve memes and its catalogue, scanned and decoded, not compared."""
    folder = tmp_path_factory.mktemp("drawn")
    settings = Settings(library=folder / "memes", data=folder / "data", threads=2)
    _draw(settings.library)
    with open_catalogue(settings) as catalogue:
        _scan(settings, catalogue)
    return folder


@pytest.fixture
def settings(drawn: Path, tmp_path: Path) -> Settings:
    """Settings over a copy of the drawn library, for a test's own use."""
    shutil.copytree(drawn, tmp_path / "own")
    return Settings(library=tmp_path / "own" / "memes", data=tmp_path / "own" / "data", threads=2)


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    with open_catalogue(settings) as opened:
        yield opened


def _grouped(catalogue: Catalogue) -> set[frozenset[str]]:
    groups = find_groups(catalogue)
    return {
        frozenset(member.meme.path.removeprefix("Scenes/") for member in pair)
        for group in groups
        for pair in combinations(group.members, 2)
    }


TRUTH = {frozenset((f"{seed}.png", f"{seed} {edit}.png")) for seed, edit in enumerate(EDITED)}
TRUTH.add(frozenset(("4.png", "4 again.png")))


def test_duplicates_are_grouped_and_another_text_is_a_variant(settings: Settings, catalogue: Catalogue) -> None:
    report = find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    assert (report.stage, report.done, report.failed) == (Stage.DUPLICATES, 11, 0)
    assert _grouped(catalogue) == TRUTH
    (variants,) = find_groups(catalogue, tiers=(Tier.VARIANT,))
    assert {member.meme.name for member in variants.members} == {"5.png", "5 with other words.png"}


@pytest.mark.parametrize("share", [0.55, 0.8])
def test_a_file_that_is_the_beginning_of_another_is_a_copy_that_was_cut_short(
    settings: Settings, catalogue: Catalogue, share: float
) -> None:
    folder = settings.library / "Scenes"
    captioned(scene(20)).save(folder / "whole.jpg", quality=90)
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: int(len(whole) * share)])
    # Another picture that was cut at the same place is no copy, however much is missing.
    captioned(scene(20), OTHER_WORDS).save(folder / "other.jpg", quality=90)
    _scan(settings, catalogue)
    find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    (found,) = (
        group for group in find_groups(catalogue) if "Scenes/cut.jpg" in {one.meme.path for one in group.members}
    )
    assert {one.meme.name for one in found.members} == {"cut.jpg", "whole.jpg"}
    assert [one.evidence.edits for one in found.members if one.evidence] == [(Edit.CUT,)]
    choice = choose_kept(found.members)
    assert (choice.meme.name, choice.reason, choice.is_sure) == (
        "whole.jpg",
        "it is whole, the others are damaged",
        True,
    )


def test_what_is_stored_asks_as_the_picture_itself_does(settings: Settings, catalogue: Catalogue) -> None:
    meme = catalogue.memes.at("Scenes/3 a mirror image.png")
    with Image.open(settings.library / meme.path) as file:
        fresh = signature_of([file.convert("RGB")], text="words that it says")
    stored = stored_signature(catalogue, meme.content_hash, text="words that it says")
    assert stored.words == fresh.words and np.array_equal(stored.bits, fresh.bits)
    for ours, theirs in ((stored.keypoints, fresh.keypoints), (stored.mirrored_keypoints, fresh.mirrored_keypoints)):
        (own,), (other,) = ours, theirs
        assert len(own) > 50 and np.array_equal(own.descriptors, other.descriptors)
        assert np.array_equal(own.points, other.points) and np.array_equal(own.angles, other.angles)


def test_a_second_run_compares_only_what_is_new(settings: Settings, catalogue: Catalogue) -> None:
    find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    compared = catalogue.pairs.compared()
    loaded: list[str] = []

    def load(meme: Meme) -> list[Image.Image]:
        loaded.append(meme.name)
        return [Image.open(settings.library / meme.path).convert("RGB")]

    assert find_duplicates(Workspace(settings, catalogue), progress=SILENT, load=load).done == 0
    assert loaded == [] and catalogue.pairs.compared() == compared
    (settings.library / "Scenes" / "2.png").rename(settings.library / "renamed.png")
    EDITS["black bars"](captioned(scene(0))).save(settings.library / "Scenes" / "0 in bars.png")
    _scan(settings, catalogue)
    assert find_duplicates(Workspace(settings, catalogue), progress=SILENT, load=load).done == 1
    new = catalogue.memes.at("Scenes/0 in bars.png").content_hash
    assert all(new in pair for pair in catalogue.pairs.compared() - compared)
    assert frozenset(("0.png", "0 in bars.png")) in _grouped(catalogue)


def test_an_interrupted_run_goes_on_and_finds_the_same(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.stages.find_duplicates.BATCH", 2)
    calls = 0

    def load(meme: Meme) -> list[Image.Image]:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return [Image.open(settings.library / meme.path).convert("RGB")]

    with pytest.raises(KeyboardInterrupt):
        find_duplicates(Workspace(settings, catalogue), progress=SILENT, load=load)
    before = catalogue.pairs.searched()
    assert 0 < len(before) < 11
    report = find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    assert report.done == 11 - len(before)
    assert _grouped(catalogue) == TRUTH


def test_a_file_that_is_gone_is_recorded_and_tried_again(settings: Settings, catalogue: Catalogue) -> None:
    file = settings.library / "Scenes" / "0.png"
    kept = file.read_bytes()
    file.unlink()
    report = find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    assert report.failed == 1
    assert [failure.subject for failure in catalogue.failures.all() if failure.stage is Stage.DUPLICATES] == [
        "Scenes/0.png"
    ]
    assert _grouped(catalogue) == {pair for pair in TRUTH if "0.png" not in pair}
    file.write_bytes(kept)
    assert find_duplicates(Workspace(settings, catalogue), progress=SILENT).failed == 0
    assert _grouped(catalogue) == TRUTH


def test_a_file_that_is_another_by_now_is_not_taken_for_what_it_was(settings: Settings, catalogue: Catalogue) -> None:
    file = settings.library / "Scenes" / "0.png"
    before = catalogue.memes.at("Scenes/0.png").content_hash
    captioned(scene(50)).save(file)
    assert find_duplicates(Workspace(settings, catalogue), progress=SILENT).failed == 1
    (failure,) = [one for one in catalogue.failures.all() if one.stage is Stage.DUPLICATES]
    assert failure.subject == "Scenes/0.png" and "changed" in failure.reason and "memetica index" in failure.hint
    assert not any(before in pair for pair in catalogue.pairs.compared())


def test_what_an_image_encoder_sees_in_both_is_compared_once_it_is_known(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    contents = sorted({meme.content_hash for meme in catalogue.memes.everything()})
    one, other = (catalogue.memes.at(f"Scenes/{name}").content_hash for name in ("0.png", "2 a screenshot.png"))
    key = (min(one, other), max(one, other))
    assert key not in catalogue.pairs.compared()
    before = catalogue.pairs.compared()
    rows = np.eye(len(contents), dtype=np.float32)
    rows[contents.index(other)] = rows[contents.index(one)]
    catalogue.embeddings.register("eyes", dimensions=len(contents))
    for content, row in zip(contents, rows, strict=True):
        catalogue.embeddings.put_picture("eyes", content, row[None])
    owners, pictures = catalogue.embeddings.of_pictures("eyes")
    build_dense(tmp_path / "pictures", pictures, owners=owners)
    sight = PictureVectors("eyes", DenseIndex.open(tmp_path / "pictures", dimensions=len(contents)))
    monkeypatch.setattr("indexer.stages.find_duplicates.open_picture_vectors", lambda index: sight)
    assert find_duplicates(Workspace(settings, catalogue), progress=SILENT).done == len(contents)
    assert catalogue.pairs.compared() - before == {key}
    assert find_duplicates(Workspace(settings, catalogue), progress=SILENT).done == 0


def test_what_is_like_the_same_meme_is_compared_with_each_other(settings: Settings, catalogue: Catalogue) -> None:
    for number, edit in enumerate(("brighter", "black bars", "a watermark")):
        EDITS[edit](captioned(scene(1))).save(settings.library / "Scenes" / f"1 {number}.png")
    _scan(settings, catalogue)
    find_duplicates(Workspace(settings, catalogue), progress=SILENT)
    contents = [meme.content_hash for meme in catalogue.memes.everything() if meme.name.startswith("1")]
    wanted = {tuple(sorted(pair)) for pair in combinations(contents, 2)}
    assert wanted <= catalogue.pairs.compared()


@pytest.mark.parametrize("edit", ["a poorer JPEG", "a caption bar", "a mirror image", "cropped at three sides"])
def test_an_upload_finds_its_like(settings: Settings, catalogue: Catalogue, edit: str) -> None:
    find_duplicates(Workspace(settings, catalogue), progress=SILENT)

    def load(meme: Meme) -> list[Image.Image]:
        return [Image.open(settings.library / meme.path).convert("RGB")]

    matcher = Matcher.open(catalogue, load=load)
    found = matcher.match([EDITS[edit](captioned(scene(5)))])
    assert found[0].meme.name == "5.png" and found[0].evidence.tier is not None
    assert found[0].evidence.tier.is_duplicate
    others = [match for match in found if match.evidence.tier is Tier.VARIANT]
    assert [match.meme.name for match in others] in ([], ["5 with other words.png"])
    assert matcher.match([scene(77)]) == []
    own = catalogue.memes.at("Scenes/3.png")
    same = matcher.match(load(own), content_hash=own.content_hash)
    assert (same[0].meme.id, same[0].evidence.tier) == (own.id, Tier.IDENTICAL)


def test_an_upload_finds_by_files_what_it_finds_in_memory_and_not_what_has_vanished(
    settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHANGED", 1)
    workspace = Workspace(settings, catalogue)
    find_duplicates(workspace, progress=SILENT)
    assert (workspace.keypoints / CURRENT).is_file()

    def load(meme: Meme) -> list[Image.Image]:
        return [Image.open(settings.library / meme.path).convert("RGB")]

    def found(folder: Path | None, seed: int) -> list[tuple[str, Tier | None]]:
        asked = EDITS["cropped at three sides"](captioned(scene(seed)))
        matches = Matcher.open(catalogue, load=load, folder=folder).match([asked])
        return [(match.meme.name, match.evidence.tier) for match in matches]

    assert found(workspace.keypoints, 5) == found(None, 5)
    assert {name for name, _ in found(workspace.keypoints, 5)} >= {"5.png"}
    (settings.library / "Scenes" / "5.png").unlink()
    _scan(settings, catalogue)
    assert found(workspace.keypoints, 5) == found(None, 5)
    assert "5.png" not in {name for name, _ in found(workspace.keypoints, 5)}
