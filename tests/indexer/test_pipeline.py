"""The stages together: everything once, nothing twice, nothing in the library touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from indexer.ocr.engines import Line, Reading
from indexer.pipeline import index_library
from indexer.status import library_status
from indexer.work.progress import SILENT, StageReport
from search.catalogue import open_catalogue
from search.errors import DataFolderError, LibraryError, ModelUnavailable, UnreadableFile
from search.meme import Field, MediaType, Stage, TextKind
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.paths import ROOT
from tests.support.tiny import TINY
from tests.support.waiting import PATIENCE, until


class CountingEncoder(HashingTextEncoder):
    """Remembers what it was asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def encode(self, texts):
        self.asked += texts
        return super().encode(texts)


class ColorReader:
    """Reads the middle pixel aloud, where OCR would read words."""

    name = "colour-reader-1"

    def read(self, picture: Image.Image) -> Reading:
        words = "pixel {} {} {}".format(*picture.convert("RGB").getpixel((picture.width // 2, picture.height - 2)))
        corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
        return Reading(text=words, lines=(Line(words, 0.9, corners),), quality=0.9)


def index(settings: Settings, **more: object) -> tuple[list[StageReport], CountingEncoder]:
    encoder = CountingEncoder()
    with open_catalogue(settings) as catalogue:
        reports = index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: encoder, **more)
    return reports, encoder


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Return, by path, each file's content and modification time."""
    return {
        os.fsdecode(os.path.relpath(os.fsencode(file), os.fsencode(folder))): (
            hashlib.sha256(file.read_bytes()).hexdigest(),
            file.stat().st_mtime_ns,
        )
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def counts(reports: list[StageReport]) -> dict[Stage, tuple[int, int]]:
    return {report.stage: (report.done, report.failed) for report in reports}


def test_everything_is_done_once_and_the_second_run_has_nothing_to_do(tiny_settings: Settings) -> None:
    before = fingerprint(tiny_settings.library)
    reports, encoder = index(tiny_settings)
    assert counts(reports)[Stage.MEDIA] == (len(TINY), 0)
    assert any("burning room" in text for text in encoder.asked)
    again, idle = index(tiny_settings)
    assert counts(again)[Stage.MEDIA] == counts(again)[Stage.EMBED] == (0, 0)
    assert idle.asked == []
    assert fingerprint(tiny_settings.library) == before


def test_what_was_indexed_is_found(workspace: Workspace) -> None:
    searcher = Searcher(workspace, text_encoder=HashingTextEncoder())
    assert searcher.search("dog drinks coffee in a burning room").hits[0].meme.path == "Dogs/fine.png"


def test_a_rename_a_copy_and_a_move_embed_nothing(tiny_settings: Settings) -> None:
    index(tiny_settings)
    library = tiny_settings.library
    with open_catalogue(tiny_settings) as catalogue:
        renamed = catalogue.memes.at("Dogs/fine.png").id
    for file in list((library / "Dogs").glob("fine.png*")):
        file.rename(file.with_name(file.name.replace("fine.png", "all good.png")))
    for file in list((library / "Cats").glob("monday.png*")):
        shutil.copy2(file, library / "Robots" / file.name)
    reports, encoder = index(tiny_settings)
    assert counts(reports)[Stage.MEDIA] == (0, 0)
    # Names are texts too: only those of new paths are read.
    assert all("good" in text.lower() or "robots" in text.lower() for text in encoder.asked), encoder.asked
    with open_catalogue(tiny_settings) as catalogue:
        assert catalogue.memes.at("Dogs/all good.png").id == renamed
        assert catalogue.memes.count() == len(TINY) + 1


def test_a_vanished_meme_leaves_the_index_and_comes_back(tiny_settings: Settings) -> None:
    index(tiny_settings)
    file = tiny_settings.library / "Dogs/fine.png"
    content = file.read_bytes()
    file.unlink()
    index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        searcher = Searcher(Workspace(tiny_settings, catalogue), text_encoder=HashingTextEncoder())
        assert "Dogs/fine.png" not in [hit.meme.path for hit in searcher.search("this is fine").hits]
    file.write_bytes(content)
    _, encoder = index(tiny_settings)
    assert encoder.asked == []
    with open_catalogue(tiny_settings) as catalogue:
        searcher = Searcher(Workspace(tiny_settings, catalogue), text_encoder=HashingTextEncoder())
        assert searcher.search("this is fine").hits[0].meme.path == "Dogs/fine.png"


def test_a_changed_sidecar_is_read_again_and_alone(tiny_settings: Settings) -> None:
    index(tiny_settings)
    sidecar = tiny_settings.library / "Robots/no words.png.tiny-artist.simple-description.txt"
    sidecar.write_text("A teal robot reads a newspaper.")
    _, encoder = index(tiny_settings)
    assert encoder.asked == ["A teal robot reads a newspaper."]


def test_ocr_reads_only_what_has_no_text_and_all_again_when_told(tiny_settings: Settings) -> None:
    wordless = sum(not tiny.ocr for tiny in TINY)
    reports, _ = index(tiny_settings, load_engine=lambda _: ColorReader())
    assert counts(reports)[Stage.OCR] == (wordless, 0)
    reports, _ = index(tiny_settings, load_engine=lambda _: ColorReader(), reocr=True)
    assert counts(reports)[Stage.OCR] == (len(TINY) - wordless, 0)
    with open_catalogue(tiny_settings) as catalogue:
        texts = catalogue.texts.of(catalogue.memes.at("Dogs/fine.png"))
    assert {text.source for text in texts if text.kind is TextKind.OCR} == {"tesseract-ocr", "colour-reader-1"}


def broken_files(library: Path) -> dict[str, str]:
    """Put every kind of broken file into a library; return, by path, what its failure must mention."""
    folder = library / "Broken"
    folder.mkdir()
    picture = Image.effect_noise((200, 200), 80).convert("RGB")
    picture.save(folder / "whole.jpg")
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:300])
    (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:6000])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("I am a text and no picture.\n" * 9)
    Image.new("1", (20000, 20000)).save(folder / "huge.png")
    (folder / "script.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><script>alert(1)</script>'
        '<rect width="40" height="30" fill="red"/></svg>'
    )
    (folder / "bomb.svg").write_text(
        '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&b;</text></svg>'
    )
    (folder / "whole.jpg.txt").write_bytes("déjà vu".encode("latin-1"))
    for number, name in enumerate(('quote".png', "two\nlines.png", "🙈.png", "مرحبا.png")):
        # Something different in each, or three of them would be copies.
        Image.new("RGB", (30, 20 + number), "red").save(folder / name)
    return {
        "Broken/truncated.jpg": "truncated",
        "Broken/empty.png": "empty",
        "Broken/text.jpg": "text",
        "Broken/huge.png": "max_pixels",
        "Broken/bomb.svg": "",
    }


def test_broken_files_are_recorded_and_everything_else_goes_on(tiny_settings: Settings) -> None:
    expected = broken_files(tiny_settings.library)
    before = fingerprint(tiny_settings.library)
    index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        status = library_status(Workspace(tiny_settings, catalogue))
        assert {one.subject for one in status.failures} == set(expected)
        for one in status.failures:
            assert expected[one.subject] in one.reason.lower() + one.hint, one
        [cut] = status.damaged
        assert cut.path == "Broken/cut.jpg" and cut.share_decoded < 1
        assert cut.damage == f"Its end is missing: {100 * cut.share_decoded:.0f} % is there."
        fine = {meme.path for meme in catalogue.memes.everything() if meme.has_thumbnail}
        assert {
            "Broken/cut.jpg",
            'Broken/quote".png',
            "Broken/two\nlines.png",
            "Broken/🙈.png",
            "Broken/مرحبا.png",
        } <= fine
        [text] = catalogue.texts.of(catalogue.memes.at("Broken/whole.jpg"))
        assert text.body == "déjà vu"
    assert fingerprint(tiny_settings.library) == before


def test_a_mended_file_leaves_the_failures(tiny_settings: Settings) -> None:
    broken_files(tiny_settings.library)
    index(tiny_settings)
    Image.new("RGB", (50, 50), "blue").save(tiny_settings.library / "Broken/empty.png")
    index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        assert "Broken/empty.png" not in {one.subject for one in catalogue.failures.all()}
        assert catalogue.memes.at("Broken/empty.png").width == 50


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_that_is_no_unicode_is_reported(tiny_settings: Settings) -> None:
    raw = os.fsencode(tiny_settings.library) + b"/Dogs/caf\xe9.png"
    Image.new("RGB", (9, 9)).save(tiny_settings.library / "x.png")
    (tiny_settings.library / "x.png").rename(os.fsdecode(raw))
    index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        [failure] = [one for one in catalogue.failures.all() if one.stage is Stage.SCAN]
        assert "caf" in failure.subject


def test_an_empty_library_is_indexed_without_complaint(tmp_path: Path) -> None:
    (tmp_path / "memes").mkdir()
    settings = Settings(
        library=tmp_path / "memes", data=tmp_path / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )
    index(settings)
    with open_catalogue(settings) as catalogue:
        assert catalogue.memes.count() == 0
        assert Searcher(Workspace(settings, catalogue), text_encoder=HashingTextEncoder()).search("anything").hits == ()


def test_a_library_that_is_gone_is_said_and_forgets_nothing(tiny_settings: Settings) -> None:
    index(tiny_settings)
    tiny_settings.library.rename(tiny_settings.library.with_name("elsewhere"))
    with pytest.raises(LibraryError):
        index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        assert catalogue.memes.count() == len(TINY)


def test_a_lost_thumbnail_is_made_again(tiny_settings: Settings) -> None:
    index(tiny_settings)
    thumbnails = sorted((tiny_settings.data / "thumbnails").rglob("*.webp"))
    assert len(thumbnails) == len(TINY)
    thumbnails[0].unlink()
    reports, _ = index(tiny_settings)
    assert counts(reports)[Stage.MEDIA] == (1, 0)
    assert thumbnails[0].exists()


def test_a_missing_model_costs_its_stage_alone(tiny_settings: Settings) -> None:
    def unavailable(settings: Settings):
        raise ModelUnavailable("The engine is not installed.", hint="Install it.")

    reports, _ = index(tiny_settings, load_engine=unavailable)
    assert counts(reports)[Stage.OCR] == (0, 1)
    assert counts(reports)[Stage.BUILD][1] == 0
    reports, _ = index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        assert catalogue.failures.all() == []


SHARING = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from tests.support.fakes import HashingTextEncoder
from indexer.ocr.engines import Line, Reading
from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from tests.support.waiting import until
import hashlib, os

class Slow:
    name = "slow-1"
    def read(self, picture):
        with open({log!r}, "a") as log:
            log.write(f"ocr {{hashlib.sha256(picture.tobytes()).hexdigest()}} {{os.getpid()}}\\n")
        until(Path({gate!r}).exists)
        words = "seen by " + str(os.getpid())
        return Reading(words, (Line(words, 0.9, ((0, 0), (1, 0), (1, 1), (0, 1))),), 0.9)

class Encoder(HashingTextEncoder):
    def encode(self, texts):
        with open({log!r}, "a") as log:
            log.writelines(f"embed {{hashlib.sha256(text.encode()).hexdigest()}} {{os.getpid()}}\\n" for text in texts)
        return super().encode(texts)

settings = Settings(library=Path({library!r}), data=Path({data!r}), threads=1, text_encoder=HashingTextEncoder.name)
index_library(Workspace(settings, open_catalogue(settings)), progress=SILENT, load_engine=lambda _: Slow(),
              load_encoder=lambda _: Encoder())
"""


def draw_more(library: Path, count: int) -> None:
    for number in range(count):
        Image.new("RGB", (40 + number, 40), (number * 5, 90, 200)).save(library / "Cats" / f"more {number}.png")


def sharing(settings: Settings, folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start two processes that index at once and write down what each reads and embeds, until both read a picture.

    They go on when the file `gate` is there.
    """
    log = folder / "log"
    places = {"log": log, "library": settings.library, "data": settings.data, "gate": folder / "gate"}
    code = SHARING.format(root=str(ROOT), **{name: str(path) for name, path in places.items()})
    with open_catalogue(settings):
        pass
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    until(lambda: log.exists() and len(log.read_text().splitlines()) == 2)
    return started


def test_two_processes_share_the_work_and_never_do_the_same(tiny_settings: Settings, tmp_path: Path) -> None:
    draw_more(tiny_settings.library, 30)
    processes = sharing(tiny_settings, tmp_path)
    (tmp_path / "gate").touch()
    for process in processes:
        assert process.wait(PATIENCE) == 0
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    for kind in ("ocr", "embed"):
        done = [what for one, what, _ in lines if one == kind]
        assert len(done) == len(set(done)), f"{kind} was done twice"
    assert len({who for one, _, who in lines if one == "ocr"}) == 2, "one process did everything"
    with open_catalogue(tiny_settings) as catalogue:
        status = library_status(Workspace(tiny_settings, catalogue))
        assert [one.missing for one in status.stages if one.stage is not Stage.DESCRIBE] == [0, 0, 0, 0]
        assert catalogue.leases.held() == [] and catalogue.failures.all() == []
        searcher = Searcher(Workspace(tiny_settings, catalogue), text_encoder=HashingTextEncoder())
        assert searcher.status().fresh


def test_what_a_killed_process_was_reading_the_other_reads(tiny_settings: Settings, tmp_path: Path) -> None:
    draw_more(tiny_settings.library, 30)
    killed, other = sharing(tiny_settings, tmp_path)
    killed.kill()
    killed.wait()
    (tmp_path / "gate").touch()
    assert other.wait(PATIENCE) == 0
    with open_catalogue(tiny_settings) as catalogue:
        assert catalogue.readings.without_ocr("slow-1") == []
        assert catalogue.leases.held() == []


def test_an_engines_failure_does_not_keep_another_from_reading(tiny_settings: Settings) -> None:
    class Failing(ColorReader):
        name = "failing-1"

        def read(self, picture: Image.Image) -> Reading:
            raise UnreadableFile("It cannot be read.")

    wordless = sum(not tiny.ocr for tiny in TINY)
    reports, _ = index(tiny_settings, load_engine=lambda _: Failing())
    assert counts(reports)[Stage.OCR] == (0, wordless)
    reports, _ = index(tiny_settings, load_engine=lambda _: Failing())
    assert counts(reports)[Stage.OCR] == (0, 0), "the same engine is not asked again"
    reports, _ = index(tiny_settings, load_engine=lambda _: ColorReader())
    assert counts(reports)[Stage.OCR] == (wordless, 0)
    with open_catalogue(tiny_settings) as catalogue:
        assert catalogue.failures.all() == []


def test_a_folder_that_cannot_be_entered_keeps_its_memes(tiny_settings: Settings, monkeypatch) -> None:
    index(tiny_settings)
    real = os.scandir

    def refusing(path):
        if Path(os.fsdecode(path)).name == "Dogs":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("indexer.library.format.os.scandir", refusing)
    (tiny_settings.library / "Cats/monday.png").unlink()
    index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        paths = {meme.path for meme in catalogue.memes.everything()}
        assert {tiny.path for tiny in TINY} - paths == {"Cats/monday.png"}
        [failure] = [one for one in catalogue.failures.all() if one.stage is Stage.SCAN and one.subject == "Dogs"]
        assert "Permission denied" in failure.reason
    monkeypatch.undo()
    (tiny_settings.library / "Dogs/fine.png").unlink()
    index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        assert "Dogs/fine.png" not in {meme.path for meme in catalogue.memes.everything()}


def test_a_read_only_data_folder_can_be_searched_and_says_that_it_cannot_be_indexed(tiny_settings: Settings) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    index(tiny_settings)
    for folder in (tiny_settings.data, *tiny_settings.data.rglob("*")):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    with open_catalogue(tiny_settings, create=False) as catalogue:
        searcher = Searcher(Workspace(tiny_settings, catalogue), text_encoder=HashingTextEncoder())
        assert searcher.search("this is fine").hits[0].meme.path == "Dogs/fine.png"
    with pytest.raises(DataFolderError):
        index(tiny_settings)
    for folder in (tiny_settings.data, *tiny_settings.data.rglob("*")):
        folder.chmod(0o755)


def test_a_killed_run_goes_on_where_it_was(tiny_settings: Settings, tmp_path: Path) -> None:
    slow_to_decode = Image.effect_noise((600, 600), 90).convert("RGB")
    for number in range(60):
        noise = slow_to_decode.copy()
        ImageDraw.Draw(noise).text((9, 9), str(number))
        noise.save(tiny_settings.library / "Cats" / f"noise {number}.png", compress_level=1)
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.support.fakes import HashingTextEncoder\n"
        "from pathlib import Path; from search.settings import Settings; from search.catalogue import open_catalogue\n"
        "from search.workspace import Workspace\n"
        "from indexer.pipeline import index_library; from indexer.work.progress import SILENT\n"
        "from search.workspace import Workspace\n"
        f"settings = Settings(library=Path({str(tiny_settings.library)!r}), data=Path({str(tiny_settings.data)!r}), "
        f"ocr_engine='none', threads=1, text_encoder={HashingTextEncoder.name!r})\n"
        "index_library(Workspace(settings, open_catalogue(settings)), progress=SILENT, "
        "load_encoder=lambda _: HashingTextEncoder())\n"
    )
    running = subprocess.Popen([sys.executable, "-c", script])
    thumbnails = tiny_settings.data / "thumbnails"
    until(lambda: len(list(thumbnails.rglob("*.webp"))) >= 5 or running.poll() is not None)
    running.send_signal(signal.SIGKILL)
    running.wait()
    with open_catalogue(tiny_settings) as catalogue:
        done = sum(meme.has_thumbnail for meme in catalogue.memes.everything())
    assert 0 < done < 60 + len(TINY), "the run was not killed half-way"
    reports, _ = index(replace(tiny_settings))
    assert counts(reports)[Stage.MEDIA] == (60 + len(TINY) - done, 0)
    with open_catalogue(tiny_settings) as catalogue:
        assert all(meme.has_thumbnail for meme in catalogue.memes.everything())
        assert not list(thumbnails.rglob("*.part*"))


def test_status_counts_what_is_missing_before_and_after(tiny_settings: Settings) -> None:
    with open_catalogue(tiny_settings) as catalogue:
        assert library_status(Workspace(tiny_settings, catalogue)).memes == 0
    index(tiny_settings)
    with open_catalogue(tiny_settings) as catalogue:
        status = library_status(Workspace(tiny_settings, catalogue))
        stages = {one.stage: one for one in status.stages}
        assert status.memes == stages[Stage.SCAN].done == stages[Stage.MEDIA].done == len(TINY)
        assert status.described == sum(bool(tiny.description) for tiny in TINY)
        assert stages[Stage.OCR].done == sum(bool(tiny.ocr) for tiny in TINY)
        assert all(one.missing == 0 for one in (stages[Stage.MEDIA], stages[Stage.EMBED]))
        assert {meme.type for meme in catalogue.memes.everything()} == {MediaType.IMAGE}
        assert {row.passage.field for row in catalogue.texts.passages()} >= {Field.OCR, Field.DESCRIPTION, Field.VISUAL}


def test_the_folder_around_the_library_may_be_named_instead(tiny_settings: Settings) -> None:
    reports, _ = index(replace(tiny_settings, library=tiny_settings.library.parent))
    assert counts(reports)[Stage.SCAN] == counts(reports)[Stage.MEDIA] == (len(TINY), 0)
