"""The catalogue: what is missing is a query, renames cost nothing, nothing is half written."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.catalogue import Catalogue, MemeRecord, open_catalogue
from search.catalogue.database import Database
from search.catalogue.pictures import FingerprintRecord, PictureRecord
from search.catalogue.readings import ReadingRecord
from search.catalogue.texts import SidecarRecord
from search.errors import DataFolderError, IndexUnusable, NotFound, UnreadableFile
from search.meme import Field, MediaType, Passage, Stage, TextKind
from search.settings import Settings
from tests.support.waiting import PATIENCE

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def catalogue(tmp_path: Path):
    with open_catalogue(Settings(data=tmp_path / "data")) as opened:
        yield opened


def record(path: str, content: str = "c0ffee", **other: object) -> MemeRecord:
    made = MemeRecord(
        path=path,
        category=path.split("/")[0],
        content_hash=content,
        type=MediaType.IMAGE,
        size=10,
        mtime_ns=1,
        first_seen=NOON,
        first_seen_source="sidecar",
    )
    return replace(made, **other)


def picture(content: str = "c0ffee", **other: object) -> PictureRecord:
    made = PictureRecord(
        content_hash=content,
        width=4,
        height=3,
        frames=1,
        seconds=None,
        type=MediaType.IMAGE,
        placeholder="data:,",
        decoded_by="one",
    )
    return replace(made, **other)


def test_a_rename_keeps_the_id_and_everything_made_from_the_content(catalogue: Catalogue) -> None:
    id = catalogue.memes.put(record("Cats/a.jpg"))
    catalogue.pictures.put(picture(), [])
    catalogue.memes.mark_vanished([id])
    assert catalogue.memes.put(record("Dogs/b.jpg")) == id
    assert catalogue.memes.get(id).path == "Dogs/b.jpg"
    assert catalogue.memes.get(id).width == 4
    assert catalogue.pictures.missing("one") == []


def test_what_decoding_found_about_a_file_is_known_of_its_memes(catalogue: Catalogue) -> None:
    id = catalogue.memes.put(record("Cats/a.jpg"))
    sound = catalogue.memes.get(id)
    assert (sound.codec, sound.transparent, sound.share_decoded, sound.damage) == ("", False, 1.0, "")
    found = {"content_type": "image/webp", "codec": "webp-lossless", "transparent": True, "share_decoded": 0.97}
    catalogue.pictures.put(picture(damage="Its end is missing: 97 % is there.", **found), [])
    meme = catalogue.memes.get(id)
    assert {name: getattr(meme, name) for name in found} == found
    assert catalogue.pictures.damaged() == [meme]
    catalogue.pictures.put(picture(), [])
    assert catalogue.pictures.damaged() == []


def test_a_copy_is_another_meme_that_needs_no_decoding(catalogue: Catalogue) -> None:
    first = catalogue.memes.put(record("Cats/a.jpg"))
    catalogue.pictures.put(picture(), [])
    second = catalogue.memes.put(record("Cats/b.jpg"))
    assert first != second
    assert [meme.path for meme in catalogue.memes.with_content("c0ffee")] == ["Cats/a.jpg", "Cats/b.jpg"]
    assert catalogue.pictures.missing("one") == []


def test_a_vanished_meme_is_not_found_but_comes_back_with_its_id(catalogue: Catalogue) -> None:
    id = catalogue.memes.put(record("Cats/a.jpg"))
    catalogue.memes.mark_vanished([id])
    with pytest.raises(NotFound):
        catalogue.memes.at("Cats/a.jpg")
    catalogue.memes.see_again(id, first_seen=NOON, first_seen_source="sidecar", back=True)
    assert catalogue.memes.at("Cats/a.jpg").id == id


def test_another_decoder_asks_for_each_content_once(catalogue: Catalogue) -> None:
    catalogue.memes.put(record("Cats/a.jpg"))
    catalogue.memes.put(record("Cats/b.jpg"))
    assert len(catalogue.pictures.missing("one")) == 1
    catalogue.pictures.put(picture(), [])
    assert catalogue.pictures.missing("one") == []
    assert len(catalogue.pictures.missing("two")) == 1


def test_a_type_found_by_content_outranks_the_names(catalogue: Catalogue) -> None:
    id = catalogue.memes.put(record("Cats/a.webp"))
    catalogue.pictures.put(picture(type=MediaType.GIF, frames=9, seconds=1.5), [])
    assert catalogue.memes.get(id).type is MediaType.GIF


def test_a_failed_content_is_not_tried_again_until_told(catalogue: Catalogue) -> None:
    catalogue.memes.put(record("Cats/a.jpg"))
    catalogue.failures.record(Stage.MEDIA, "Cats/a.jpg", UnreadableFile("broken", hint="mend"), content_hash="c0ffee")
    assert catalogue.pictures.missing("one") == []
    assert [(one.subject, one.reason, one.hint) for one in catalogue.failures.all()] == [
        ("Cats/a.jpg", "broken", "mend")
    ]
    assert catalogue.failures.forget(Stage.MEDIA) == 1
    assert len(catalogue.pictures.missing("one")) == 1


def test_a_failure_is_forgotten_when_the_file_changes(catalogue: Catalogue) -> None:
    catalogue.memes.put(record("Cats/a.jpg"))
    catalogue.failures.record(Stage.MEDIA, "Cats/a.jpg", UnreadableFile("broken"), content_hash="c0ffee")
    catalogue.memes.put(record("Cats/a.jpg", content="beef"))
    catalogue.failures.forget_vanished()
    assert catalogue.failures.all() == []


def test_a_changed_sidecar_makes_the_meme_unsplit(catalogue: Catalogue) -> None:
    id = catalogue.memes.put(record("Cats/a.jpg"))
    catalogue.texts.put_passages(id, [Passage(Field.NAME, "name", "cats")], splitter="s1")
    assert catalogue.texts.unsplit("s1") == []
    assert [meme.id for meme in catalogue.texts.unsplit("s2")] == [id]
    sidecar = SidecarRecord("Cats/a.jpg.txt", TextKind.OCR, "tesseract-ocr", "hello", 5, 2)
    catalogue.texts.put_sidecars(id, [sidecar])
    assert [meme.id for meme in catalogue.texts.unsplit("s1")] == [id]
    assert catalogue.texts.sidecars_known() == {id: {"Cats/a.jpg.txt": (5, 2)}}
    catalogue.texts.put_sidecars(id, [], gone=["Cats/a.jpg.txt"])
    assert catalogue.texts.of(catalogue.memes.get(id)) == []


def test_ocr_is_asked_of_decoded_memes_without_any_unless_again(catalogue: Catalogue) -> None:
    with_sidecar = catalogue.memes.put(record("Cats/a.jpg", content="aa"))
    without = catalogue.memes.put(record("Cats/b.jpg", content="bb"))
    catalogue.memes.put(record("Cats/undecoded.jpg", content="cc"))
    for content in ("aa", "bb"):
        catalogue.pictures.put(picture(content), [])
    catalogue.texts.put_sidecars(with_sidecar, [SidecarRecord("x", TextKind.OCR, "tesseract-ocr", "", 0, 0)])
    assert [meme.id for meme in catalogue.readings.without_ocr("rapid")] == [without]
    assert {meme.id for meme in catalogue.readings.without_ocr("rapid", again=True)} == {with_sidecar, without}
    catalogue.readings.put(ReadingRecord("bb", TextKind.OCR, "rapid", "", 0.0, []))
    assert catalogue.readings.without_ocr("rapid") == []
    assert catalogue.readings.count_with_ocr() == 2


def test_an_embedding_returns_as_float16_rounds_it_and_is_missing_only_once(catalogue: Catalogue) -> None:
    first, second = (catalogue.memes.put(record(f"Cats/{name}.jpg", content=name)) for name in "ab")
    for id in (first, second):
        catalogue.texts.put_passages(id, [Passage(Field.OCR, "rapid", "same words")], splitter="s1")
    catalogue.embeddings.register("mini", dimensions=3)
    [[(input, body)]] = catalogue.embeddings.missing_passages("mini")
    assert body == "same words"
    vector = np.array([[0.6, 0.8, 1e-3]], np.float32)
    catalogue.embeddings.put("mini", [input], vector)
    assert list(catalogue.embeddings.missing_passages("mini")) == []
    owners, rows = catalogue.embeddings.of_field("mini", Field.OCR)
    assert owners.tolist() == [first, second]
    np.testing.assert_array_equal(rows, np.repeat(vector.astype(np.float16), 2, axis=0))


def test_rows_that_come_after_a_field_was_counted_are_left_for_the_next_build(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.embeddings.register("mini", dimensions=2)
    number = Database.number

    def embed(name: str) -> int:
        id = catalogue.memes.put(record(f"Cats/{name}.jpg", content=name))
        catalogue.texts.put_passages(id, [Passage(Field.OCR, "rapid", name)], splitter="s1")
        [[(input, _)]] = catalogue.embeddings.missing_passages("mini")
        catalogue.embeddings.put("mini", [input], np.eye(2, dtype=np.float32)[:1])
        return id

    first = embed("one")

    def counted_before(self: Database, sql: str, parameters: Any = None) -> int:
        found = number(self, sql, parameters)
        if "COUNT" in sql:
            monkeypatch.undo()
            embed("two")
        return found

    monkeypatch.setattr(Database, "number", counted_before)
    assert catalogue.embeddings.of_field("mini", Field.OCR)[0].tolist() == [first]
    assert len(catalogue.embeddings.of_field("mini", Field.OCR)[0]) == 2


def test_missing_passages_come_page_by_page_and_a_share_of_embeddings_by_meme(catalogue: Catalogue) -> None:
    ids = [catalogue.memes.put(record(f"Cats/{number}.jpg", content=f"{number}")) for number in range(40)]
    for id in ids:
        said = [Passage(Field.OCR, "rapid", "said by all"), Passage(Field.OCR, "rapid", f"said by {id}")]
        catalogue.texts.put_passages(id, said, splitter="s1")
    catalogue.embeddings.register("mini", dimensions=2)
    pages = []
    for page in catalogue.embeddings.missing_passages("mini", page=30):
        pages.append(len(page))
        catalogue.embeddings.put(
            "mini", [input for input, _ in page], np.eye(2, dtype=np.float32)[:1].repeat(len(page), 0)
        )
    assert pages == [16, 25]  # of 30 passages, 15 say the same; then nothing is left of what all say
    assert catalogue.embeddings.count_missing_passages("mini") == 0
    every, _ = catalogue.embeddings.of_field("mini", Field.OCR)
    some, rows = catalogue.embeddings.of_field("mini", Field.OCR, share=0.5)
    assert every.tolist() == sorted(ids * 2) and len(rows) == len(some)
    assert 10 < len(set(some.tolist())) < 30 and all(some.tolist().count(id) == 2 for id in some.tolist())
    assert catalogue.embeddings.of_field("mini", Field.OCR, share=0.5)[0].tolist() == some.tolist()


def test_an_encoder_cannot_change_its_dimensions(catalogue: Catalogue) -> None:
    catalogue.embeddings.register("mini", dimensions=3)
    with pytest.raises(IndexUnusable, match="with 3 dimensions"):
        catalogue.embeddings.register("mini", dimensions=4)


def test_fingerprints_come_back_by_meme_and_frame(catalogue: Catalogue) -> None:
    id = catalogue.memes.put(record("Cats/a.gif"))
    prints = [FingerprintRecord("c0ffee", "pdq-1", frame, bytes([frame] * 32), 1.0) for frame in (1, 0)]
    catalogue.pictures.put(picture(), prints)
    assert list(catalogue.pictures.fingerprints("pdq-1")) == [(id, 0, bytes(32)), (id, 1, bytes([1] * 32))]


def test_a_failed_transaction_leaves_nothing(catalogue: Catalogue) -> None:
    before = catalogue.revision()
    with pytest.raises(RuntimeError), catalogue.transaction():
        catalogue.memes.put(record("Cats/a.jpg"))
        raise RuntimeError
    assert catalogue.memes.count() == 0
    assert catalogue.revision() == before


def test_threads_write_together_without_losing_anything(catalogue: Catalogue) -> None:
    def work(name: str) -> None:
        for number in range(20):
            catalogue.memes.put(record(f"Cats/{name}{number}.jpg", content=f"{name}{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert catalogue.memes.count() == 80


def test_names_with_quotes_emoji_newlines_and_right_to_left_text_come_back(catalogue: Catalogue) -> None:
    paths = ['Cats/it\'s "fine".jpg', "Cats/😂.jpg", "Cats/two\nlines.jpg", "قطط/مرحبا.jpg"]
    for path in paths:
        catalogue.memes.put(record(path, content=path))
    assert [catalogue.memes.at(path).path for path in paths] == paths


def test_a_newer_catalogue_is_refused_in_words(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with open_catalogue(settings) as opened:
        opened._database.connection().execute("PRAGMA user_version = 999")
    with pytest.raises(DataFolderError, match="newer Memetica"):
        open_catalogue(settings)


def test_a_catalogue_from_before_the_first_release_is_refused_with_the_way_to_go_on(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with open_catalogue(settings) as opened:
        opened._database.connection().execute("PRAGMA user_version = 9")
    before = (tmp_path / "catalogue.sqlite").read_bytes()
    with pytest.raises(DataFolderError, match="version 9") as caught:
        open_catalogue(settings)
    assert "verdicts --export" in caught.value.hint and str(tmp_path) in caught.value.hint
    assert (tmp_path / "catalogue.sqlite").read_bytes() == before


def test_a_file_that_is_no_catalogue_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").write_text("hello, I am a text file" * 100)
    with pytest.raises(DataFolderError):
        open_catalogue(Settings(data=tmp_path))


def test_a_missing_catalogue_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="no catalogue"):
        open_catalogue(Settings(data=tmp_path / "none"), create=False)
    assert not (tmp_path / "none").exists()


def test_categories_count_what_is_present_and_what_is_new(catalogue: Catalogue) -> None:
    catalogue.memes.put(record("Cats/a.jpg", content="a"))
    catalogue.memes.put(record("Cats/b.jpg", content="b", first_seen=datetime(2020, 1, 1, tzinfo=UTC)))
    gone = catalogue.memes.put(record("Dogs/c.jpg", content="c"))
    catalogue.memes.mark_vanished([gone])
    assert catalogue.memes.categories(since=datetime(2024, 1, 1, tzinfo=UTC)) == [("Cats", 2, 1)]


def test_embeddings_of_many_inputs_are_read_in_one_statement(catalogue: Catalogue) -> None:
    catalogue.embeddings.register("mini", dimensions=2)
    inputs = [f"{number:064x}" for number in range(512)]
    vectors = np.arange(1024, dtype=np.float32).reshape(512, 2)
    catalogue.embeddings.put("mini", inputs, vectors)
    statements: list[str] = []
    connection = catalogue._database.connection()
    connection.set_trace_callback(statements.append)
    found = catalogue.embeddings.get("mini", ["missing", *inputs[::-1]])
    connection.set_trace_callback(None)
    assert len(statements) == 1
    assert found.keys() == set(inputs)
    np.testing.assert_array_equal(np.stack([found[one] for one in inputs]), vectors)


def open_files(folder: Path) -> int:
    """Return how many files in a folder this process has open."""
    targets = (one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink())
    return sum(target.is_relative_to(folder) for target in targets)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_thread_that_ends_closes_its_connection(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.memes.count()
    before = open_files(tmp_path)
    assert before
    for _ in range(100):
        thread = threading.Thread(target=catalogue.memes.count)
        thread.start()
        thread.join()
    # While another connection is open, SQLite keeps the last closed descriptor of the file for the next one to use.
    assert open_files(tmp_path) <= before + 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_closing_the_catalogue_closes_the_connections_of_threads_that_still_run(tmp_path: Path) -> None:
    asked, ending = threading.Event(), threading.Event()

    def work() -> None:
        catalogue.memes.count()
        asked.set()
        ending.wait(PATIENCE)

    catalogue = open_catalogue(Settings(data=tmp_path))
    thread = threading.Thread(target=work)
    thread.start()
    assert asked.wait(PATIENCE)
    catalogue.close()
    assert open_files(tmp_path) == 0
    ending.set()
    thread.join()
    assert catalogue.memes.count() == 0, "a closed catalogue opens again when it is asked"
    catalogue.close()
