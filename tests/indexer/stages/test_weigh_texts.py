"""What texts weigh in search: outliers, junk and what the curator calls wrong are shown and not found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from indexer.pipeline import index_library
from indexer.stages.build_index import build_index
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.weigh_texts import BADLY_READ, JUNK, reading_quality, weigh_texts
from indexer.status import library_status
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, ReadingRecord, TextReview, open_catalogue
from search.catalogue.database import text_hash
from search.meme import Field, Meme, Stage, Text, TextKind
from search.searcher import Searcher
from search.settings import Settings
from search.texts.agreement import CosineRange, SourceAgreement, assess_texts, find_contradictions
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder

BOX = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.2], [0.1, 0.2]]
FINE = (
    'A yellow dog drinks coffee at a table in a burning room. The text reads: "THIS IS FINE, I AM OKAY WITH THE EVENTS"'
)
OTHER = 'A man in sunglasses stands by a green wall. The text reads: "WHAT IF I TOLD YOU THAT CATS CAN READ MAPS"'


def reading(body: str, *, confidence: float = 0.9, source: str = "engine-1", content: str = "c0ffee") -> ReadingRecord:
    return ReadingRecord(content, TextKind.OCR, source, body, confidence, [[body, confidence, BOX]])


@pytest.fixture
def catalogue(tiny_indexed: Catalogue) -> Iterator[Catalogue]:
    yield tiny_indexed


@pytest.fixture
def fine(catalogue: Catalogue) -> Meme:
    """A meme with one description and words in its picture, and one more description that contradicts both."""
    meme = catalogue.memes.at("Dogs/fine.png")
    for source, body in (("good", FINE), ("bad", OTHER)):
        catalogue.readings.put(ReadingRecord(meme.content_hash, TextKind.SIMPLE, source, body))
    words = reading("THIS IS FINE\nI AM OKAY WITH THE EVENTS", content=meme.content_hash)
    catalogue.readings.put(words)
    return meme


def rebuild(settings: Settings, catalogue: Catalogue) -> None:
    split_texts(catalogue)
    embed_passages(catalogue, HashingTextEncoder(), progress=SILENT)
    weigh_texts(catalogue, encoder=HashingTextEncoder.name)
    build_index(Workspace(settings, catalogue), text_encoder=HashingTextEncoder.name)


def first(settings: Settings, catalogue: Catalogue, query: str) -> str:
    hits = Searcher(Workspace(settings, catalogue), text_encoder=HashingTextEncoder()).search(query).hits
    return hits[0].meme.path if hits else ""


def test_what_the_others_contradict_is_not_searched_and_what_they_support_is(
    tiny_settings: Settings, catalogue: Catalogue, fine: Meme
) -> None:
    rebuild(tiny_settings, catalogue)
    weights = {row.passage.source for row in catalogue.texts.passages(Field.DESCRIPTION, least_weight=0.5)}
    assert "good" in weights and "bad" not in weights
    assert first(tiny_settings, catalogue, "sunglasses maps") != fine.path
    assert first(tiny_settings, catalogue, "yellow dog drinks coffee in a burning room") == fine.path
    assert "bad" in {text.source for text in catalogue.texts.of(fine)}, "it is shown still"


def test_what_the_curator_says_counts_over_the_majority_and_can_be_taken_back(
    tiny_settings: Settings, catalogue: Catalogue, fine: Meme
) -> None:
    bad = next(text for text in catalogue.texts.of(fine) if text.source == "bad")
    for verdict, found in ((TextReview.RIGHT, True), (TextReview.OPEN, False), (TextReview.WRONG, False)):
        catalogue.text_reviews.put(fine.content_hash, bad, verdict)
        rebuild(tiny_settings, catalogue)
        searched = {row.passage.source for row in catalogue.texts.passages(Field.DESCRIPTION, least_weight=0.5)}
        assert ("bad" in searched) is found, verdict


def test_a_judged_contradiction_is_not_asked_again_even_after_a_new_index(
    tiny_settings: Settings, catalogue: Catalogue, fine: Meme
) -> None:
    rebuild(tiny_settings, catalogue)
    [found] = find_contradictions(catalogue, encoder=HashingTextEncoder.name)
    assert found.reliabilities[0].text.source == "bad"
    catalogue.text_reviews.put(fine.content_hash, found.reliabilities[0].text, TextReview.WRONG)
    (tiny_settings.library / fine.path).rename(tiny_settings.library / "Robots/fine.png")
    index_library(Workspace(tiny_settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    assert list(find_contradictions(catalogue, encoder=HashingTextEncoder.name)) == []
    catalogue.text_reviews.put(fine.content_hash, found.reliabilities[0].text, TextReview.OPEN)
    assert [one.meme.path for one in find_contradictions(catalogue, encoder=HashingTextEncoder.name)] == [
        "Robots/fine.png"
    ]


def reviews_of(catalogue: Catalogue, meme: Meme, text: Text) -> list[TextReview]:
    """The review of a text as it is now: none, or the last one."""
    key = (text.kind, text.source, text_hash(text.body))
    return [review for of, review in catalogue.text_reviews.of(meme.content_hash).items() if of == key]


def test_a_text_that_is_written_anew_is_judged_anew(catalogue: Catalogue, fine: Meme) -> None:
    bad = next(text for text in catalogue.texts.of(fine) if text.source == "bad")
    catalogue.text_reviews.put(fine.content_hash, bad, TextReview.WRONG)
    assert reviews_of(catalogue, fine, bad) == [TextReview.WRONG]
    catalogue.readings.put(ReadingRecord(fine.content_hash, TextKind.SIMPLE, "bad", FINE))
    better = next(text for text in catalogue.texts.of(fine) if text.source == "bad")
    assert reviews_of(catalogue, fine, better) == []


def test_quality_is_the_readings_own_and_half_of_it_what_descriptions_quote() -> None:
    good = reading("THIS IS FINE")
    assert reading_quality(good, []) == pytest.approx(0.9)
    assert reading_quality(good, [("this is fine",), ("another text altogether",)]) == pytest.approx(0.95)
    assert reading_quality(good, [("another text altogether",)]) == pytest.approx(0.45)


def test_junk_is_not_searched_where_something_else_speaks_and_is_where_nothing_does(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    described, alone = (catalogue.memes.at(path) for path in ("Cats - Kittens/small.png", "Robots/no words.png"))
    for meme in (described, alone):
        junk = reading("xq|zrt vbnmk", confidence=0.5, content=meme.content_hash)
        catalogue.readings.put(junk)
        assert reading_quality(junk, []) < JUNK < BADLY_READ
    rebuild(tiny_settings, catalogue)
    searched = {row.meme_id for row in catalogue.texts.passages(Field.OCR, least_weight=0.5)}
    assert alone.id in searched and described.id not in searched
    assert {meme.path for meme, _ in catalogue.readings.badly_read(BADLY_READ)} == {described.path, alone.path}
    [stage] = [one for one in library_status(Workspace(tiny_settings, catalogue)).stages if one.stage is Stage.OCR]
    assert stage.note.startswith("2 badly read")


def test_badly_read_memes_are_read_again_by_another_engine_and_leave_the_list(tiny_settings: Settings) -> None:
    class Engine:
        def __init__(self, name: str, body: str, confidence: float) -> None:
            self.name, self._line = name, (body, confidence)

        def read(self, picture: object) -> object:
            from indexer.ocr.engines import Line, reading_of

            return reading_of([Line(*self._line, tuple(map(tuple, BOX)))])

    asked: list[int] = []
    with open_catalogue(tiny_settings) as catalogue:
        for engine, again in ((Engine("a-1", "xqzr vbnm", 0.4), False), (Engine("b-1", "all is well", 0.9), True)):
            reports = index_library(
                Workspace(tiny_settings, catalogue),
                progress=SILENT,
                badly_read=again,
                load_engine=lambda _, engine=engine: engine,
                load_encoder=lambda _: HashingTextEncoder(),
            )
            asked += [report.done for report in reports if report.stage is Stage.OCR]
            left = len(catalogue.readings.badly_read(BADLY_READ))
            assert left == (0 if again else asked[0])
        assert asked[0] == asked[1] > 0


def test_weights_are_kept_until_a_text_or_a_judgement_changes(catalogue: Catalogue, fine: Meme) -> None:
    encoder = HashingTextEncoder()
    split_texts(catalogue)
    embed_passages(catalogue, encoder, progress=SILENT)
    assert weigh_texts(catalogue, encoder=encoder.name) >= 1
    before = catalogue.revision()
    assert weigh_texts(catalogue, encoder=encoder.name) == 0
    assert catalogue.revision() == before
    catalogue.text_reviews.put(fine.content_hash, catalogue.texts.of(fine)[0], TextReview.RIGHT)
    assert weigh_texts(catalogue, encoder=encoder.name) == 1


def test_only_memes_that_disagreed_or_have_changed_since_are_heard_again(
    tiny_settings: Settings, catalogue: Catalogue, fine: Meme, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild(tiny_settings, catalogue)
    asked: list[str] = []

    def noted(catalogue: Catalogue, meme: Meme, *, encoder: str, cosines: CosineRange) -> SourceAgreement:
        asked.append(meme.path)
        return assess_texts(catalogue, meme, encoder=encoder, cosines=cosines)

    monkeypatch.setattr("search.texts.agreement.assess_texts", noted)
    assert [one.meme.path for one in find_contradictions(catalogue, encoder=HashingTextEncoder.name)] == [fine.path]
    assert asked == [fine.path]
    assert catalogue.texts.count_disputed() == 1
    assert list(find_contradictions(catalogue, encoder=HashingTextEncoder.name, after=fine.id)) == []
    other = catalogue.memes.at("Cats/monday.png")
    for source, body in (("good", FINE), ("bad", OTHER)):
        catalogue.readings.put(ReadingRecord(other.content_hash, TextKind.SIMPLE, source, body))
    found = [one.meme.path for one in find_contradictions(catalogue, encoder=HashingTextEncoder.name)]
    assert sorted(found) == sorted([fine.path, other.path])
    [first_found, _] = found
    after = catalogue.memes.at(first_found).id
    assert [
        one.meme.path for one in find_contradictions(catalogue, encoder=HashingTextEncoder.name, after=after)
    ] == found[1:]
    bad = next(text for text in catalogue.texts.of(fine) if text.source == "bad")
    catalogue.text_reviews.put(fine.content_hash, bad, TextReview.WRONG)
    rebuild(tiny_settings, catalogue)
    assert catalogue.texts.count_disputed() == 1


def test_more_disputed_memes_than_a_page_are_all_met_once_newest_first(catalogue: Catalogue) -> None:
    everything = catalogue.memes.freshest(catalogue.memes.count())
    for meme in everything:
        catalogue.texts.put_weights(meme.id, {}, disputed=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.catalogue.texts._PAGE", 2)
        assert [meme.id for meme in catalogue.texts.disputed()] == [meme.id for meme in everything]
