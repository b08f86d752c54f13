"""The word index against BM25 worked out by hand, and against everything a visitor may type."""

from __future__ import annotations

import itertools
import math
import random
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tantivy
from hypothesis import given
from hypothesis import strategies as st

from search.errors import IndexUnusable
from search.index.lexical.analyzer import ANALYZER, MAX_TERMS, query_terms, term_of, tokenize
from search.index.lexical.index import LexicalIndex
from search.index.lexical.schema import (
    ALL_TEXT,
    FIELDS,
    FILE_FIELD,
    FILE_PARTS_FIELD,
    FILE_WORDS_FIELD,
    SPELLING_FIELD,
    VECTORS,
    WRITTEN_FIELD,
    register_tokenizers,
)
from search.index.lexical.term_vectors import FREQUENT_FILE, HOLDERS_FILE
from search.index.lexical.vocabulary import Spelling
from search.index.lexical.word_table import WORDS_FILE
from search.index.lexical.writer import Document, build_lexical, documents_of, extend_lexical
from search.meme import Field

WORDS = [f"{consonant}{vowel}{end}" for consonant in "bdfgklmnprtvz" for vowel in "aeiou" for end in ("k", "m", "pt")]
TEXTS = {
    7: {Field.OCR: "this is fine", Field.DESCRIPTION: "A dog drinks coffee in a burning room."},
    3: {Field.OCR: "to be or not to be", Field.NAME: "Theatre: hamlet"},
    12: {Field.OCR: "Я не кот", Field.NAME: "Собаки: пёс"},
    5: {Field.OCR: "猫咪很好", Field.DESCRIPTION: "A café cat that doesn't care."},
    9: {Field.OCR: "咪 good 猫", Field.DESCRIPTION: "Two cats were running 😂"},
    20: {Field.NAME: "Empty"},
}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    """An index of six memes to know by heart."""
    folder = tmp_path_factory.mktemp("few") / "words"
    build_lexical(folder, (Document(id, texts) for id, texts in TEXTS.items()))
    return LexicalIndex.open(folder)


def made_up(count: int, *, seed: int) -> list[Document]:
    """Documents of at most 40 words, so that BM25's lengths are kept exactly, with many equal ones among them."""
    draw = random.Random(seed)

    def text() -> str:
        return " ".join(WORDS[int(draw.paretovariate(0.7)) % len(WORDS)] for _ in range(draw.randint(0, 12)))

    documents = [
        Document(id, {Field.OCR: text(), Field.NAME: draw.choice(WORDS), Field.DESCRIPTION: text()})
        for id in draw.sample(range(10 * count), count)
    ]
    return sorted(documents, key=lambda one: one.id)


MANY = made_up(600, seed=5)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    """An index of 600 memes with made-up words, many of them alike."""
    folder = tmp_path_factory.mktemp("many") / "words"
    build_lexical(folder, MANY)
    return LexicalIndex.open(folder)


def bm25(documents: list[Document], wanted: list[str], field: Field | str) -> dict[int, float]:
    """Scores by the textbook: BM25 with k1 = 1.2 and b = 0.75, and Lucene's idf, which is never negative."""
    bags = {}
    for document in documents:
        parts = document.texts.values() if field == ALL_TEXT else [document.texts.get(Field(field), "")]
        bags[document.id] = Counter(word for part in parts for word in part.split())
    mean_length = sum(bag.total() for bag in bags.values()) / len(bags)
    scores: dict[int, float] = {}
    for word in wanted:
        holders = [id for id, bag in bags.items() if bag[word]]
        idf = math.log(1 + (len(bags) - len(holders) + 0.5) / (len(holders) + 0.5))
        for id in holders:
            count, length = bags[id][word], bags[id].total()
            gain = count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean_length))
            scores[id] = scores.get(id, 0.0) + idf * gain
    return scores


def assert_ranked(found: tuple[np.ndarray, np.ndarray], truth: dict[int, float], k: int) -> None:
    ids, scores = found
    assert scores.tolist() == pytest.approx(sorted(truth.values(), reverse=True)[:k], rel=1e-5)
    assert [truth[id] for id in ids.tolist()] == pytest.approx(scores.tolist(), rel=1e-5)
    assert list(zip((-scores).tolist(), ids.tolist(), strict=True)) == sorted(
        zip((-scores).tolist(), ids.tolist(), strict=True)
    )


@pytest.mark.parametrize("field", [Field.OCR, Field.NAME, Field.DESCRIPTION, ALL_TEXT])
@pytest.mark.parametrize("k", [1, 7, 1000])
def test_a_search_ranks_by_bm25(many: LexicalIndex, field: Field | str, k: int) -> None:
    for wanted in (WORDS[:1], WORDS[1:5], WORDS[40:44], ["unheardof", WORDS[2]]):
        assert_ranked(many.search(wanted, field, k=k), bm25(MANY, wanted, field), k)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 1.0])
def test_a_filter_restricts_before_the_best_are_chosen(many: LexicalIndex, share: float) -> None:
    draw = random.Random(3)
    allowed = np.array([one.id for one in MANY if draw.random() < share], np.int64)
    wanted = WORDS[1:5]
    truth = {id: score for id, score in bm25(MANY, wanted, ALL_TEXT).items() if id in set(allowed.tolist())}
    for k in (1, 10, 1000):
        assert_ranked(many.search(wanted, k=k, allowed=allowed), truth, k)


def test_a_filter_against_the_query_still_finds_all_it_allows(many: LexicalIndex) -> None:
    wanted = WORDS[1:3]
    truth = bm25(MANY, wanted, Field.OCR)
    best = sorted(truth, key=lambda id: (-truth[id], id))[:100]
    allowed = np.array(sorted({one.id for one in MANY} - set(best)), np.int64)
    left = {id: score for id, score in truth.items() if id not in best}
    assert_ranked(many.search(wanted, Field.OCR, k=20, allowed=allowed), left, 20)


def without_vectors(folder: Path, other: Path) -> LexicalIndex:
    """Return an index as those of earlier formats are: it has no term vectors."""
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(VECTORS))
    return LexicalIndex.open(other)


@pytest.mark.parametrize("is_earlier", [False, True])
@pytest.mark.parametrize("count", [0, 1, 30, 550])
def test_scores_of_given_memes_are_bm25_in_the_order_asked(tmp_path: Path, count: int, is_earlier: bool) -> None:
    build_lexical(tmp_path / "words", MANY)
    many = (
        without_vectors(tmp_path / "words", tmp_path / "earlier")
        if is_earlier
        else LexicalIndex.open(tmp_path / "words")
    )
    ids = np.array([*random.Random(4).sample([one.id for one in MANY], count), 999_999], np.int64)
    for wanted in (WORDS[1:5], WORDS[50:51], [WORDS[3], WORDS[3]], ["unheardof"], []):
        for field in (ALL_TEXT, Field.NAME):
            truth = bm25(MANY, wanted, field)
            expected = [truth.get(id, 0.0) for id in ids.tolist()]
            assert many.scores(wanted, field, ids=ids).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("is_earlier", [False, True])
def test_which_memes_have_a_term_is_told(tmp_path: Path, is_earlier: bool) -> None:
    build_lexical(tmp_path / "words", MANY)
    many = (
        without_vectors(tmp_path / "words", tmp_path / "earlier")
        if is_earlier
        else LexicalIndex.open(tmp_path / "words")
    )
    words = [*WORDS[:26], "unheardof", WORDS[90]]
    holders = {one.id: {word for text in one.texts.values() for word in text.split()} for one in MANY}
    ids = np.array([*random.Random(6).sample(sorted(holders), 40), 999_999], np.int64)
    truth = [[word in holders.get(id, ()) for id in ids.tolist()] for word in words]
    assert any(map(any, truth)) and not all(map(all, truth))
    assert many.held(words, ids).tolist() == truth
    assert many.held([words[3], words[3]], ids).tolist() == [truth[3]] * 2
    assert many.held([], ids).shape[0] == 0


def test_scores_by_term_vectors_are_tantivys(tmp_path: Path) -> None:
    # Long texts, whose lengths are coded, frequent words, ligatures that stand for several, and all kinds of letters.
    draw = random.Random(8)
    words = [*WORDS[:30], "Café", "dogs", "ПЁС", "猫", "咪", "don't", "x" * 70, "\ufdfa", "😂"]
    documents = [
        Document(
            id,
            {
                field: " ".join(draw.choices(words, k=draw.choice([0, 3, 50, 400, 2000])))
                for field in draw.sample(FIELDS, 3)
            },
        )
        for id in draw.sample(range(300), 80)
    ]
    build_lexical(tmp_path / "words", documents)
    index, other = LexicalIndex.open(tmp_path / "words"), without_vectors(tmp_path / "words", tmp_path / "other")
    ids = np.array([one.id for one in documents])
    for wanted in ([term_of(word)] for word in words if term_of(word)), [query_terms(" ".join(words))]:
        for terms in wanted:
            for field in (*FIELDS, ALL_TEXT):
                assert index.scores(terms, field, ids=ids) == pytest.approx(
                    other.scores(terms, field, ids=ids), rel=1e-6
                )
    assert index.scores(query_terms("\ufdfa"), ids=ids).any()


def test_term_vectors_follow_added_changed_and_removed_memes(tmp_path: Path) -> None:
    build_lexical(tmp_path / "0", MANY)
    draw = random.Random(9)
    now = {one.id: one for one in MANY}
    for step in range(3):
        changed = draw.sample(sorted(now), 40)
        new = {id: Document(id, {Field.OCR: " ".join(draw.choices(WORDS, k=9))}) for id in (*changed[:20], 7000 + step)}
        without = np.array(sorted({*changed, *new}))
        before = {file: file.read_bytes() for file in (tmp_path / f"{step}").rglob("*") if file.is_file()}
        extend_lexical(tmp_path / f"{step}", tmp_path / f"{step + 1}", new.values(), without=without)
        assert before == {file: file.read_bytes() for file in before}
        now = {id: one for id, one in now.items() if id not in changed} | new
    folder = tmp_path / "3"
    index, other = LexicalIndex.open(folder), without_vectors(folder, tmp_path / "other")
    ids = np.array([*(one.id for one in MANY), 7000, 7001, 7002, 8000])
    for word in WORDS[:60]:
        for field in (Field.OCR, Field.DESCRIPTION, ALL_TEXT):
            assert index.scores([word], field, ids=ids) == pytest.approx(other.scores([word], field, ids=ids), rel=1e-6)
        holders = [id in now and word in " ".join(now[id].texts.values()).split() for id in ids.tolist()]
        assert index.held([word], ids)[0].tolist() == holders


@pytest.mark.parametrize("count", [999, 1003])  # around the size from which frequent terms are kept apart
def test_the_memes_of_frequent_terms_are_tantivys(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(count)
    # Of the words that are added, each is in some ten memes: too few for a frequent one.
    documents = [
        replace(one, texts={**one.texts, Field.VISUAL: f"rare{one.id % 97}", Field.ANALYSIS: draw.choice(WORDS)})
        for one in made_up(count, seed=count)
    ]
    build_lexical(tmp_path / "0", documents)
    # One word comes to two thirds of the memes that are added, and is in no other.
    changed = sorted(draw.sample([one.id for one in documents], 90))
    new = [Document(id, {Field.OCR: " ".join([*draw.choices(WORDS, k=5), "newest"][id % 3 == 0 :])}) for id in changed]
    extend_lexical(tmp_path / "0", tmp_path / "1", new[:60], without=np.array(changed))
    extend_lexical(tmp_path / "1", tmp_path / "2", new[50:80], without=np.array(changed[40:]))

    def word() -> str:
        common = WORDS[int(draw.paretovariate(0.7)) % len(WORDS)]
        return common if draw.random() < 0.7 else f"rare{draw.randrange(98)}"

    def sequence() -> tuple[str, ...]:
        return (word(),) if draw.random() < 0.9 else (word(), word())

    for step in range(3):
        index = LexicalIndex.open(tmp_path / f"{step}")
        truth = without_vectors(tmp_path / f"{step}", tmp_path / f"earlier{step}")
        drawn = [
            [[sequence() for _ in range(draw.choice([1, 1, 1, 2]))] for _ in range(draw.randint(1, 4))]
            for _ in range(400)
        ]
        unheard = [("unheardof",)]
        for groups in (
            *drawn,
            [[("newest",)]],
            [unheard],
            [[*unheard, (WORDS[1],)]],
            [unheard, [(WORDS[1],)]],
            [[]],
            [],
        ):
            assert index.having_all(groups).tolist() == truth.having_all(groups).tolist(), groups
        asked: list[object] = []
        monkeypatch.setattr(index, "_ids", lambda query, asked=asked: asked.append(query) or np.empty(0, np.int64))
        index.having_all([[(WORDS[1],), (WORDS[2],)], [(WORDS[3],)]])
        assert bool(asked) == (count < 1000)


def test_an_index_without_files_of_frequent_terms_is_searched(tmp_path: Path) -> None:
    build_lexical(tmp_path / "words", made_up(1003, seed=1))
    before = LexicalIndex.open(tmp_path / "words").having_all([[(WORDS[1],)]]).tolist()
    for file in (FREQUENT_FILE, HOLDERS_FILE):
        (tmp_path / "words" / VECTORS / file).unlink()
    assert LexicalIndex.open(tmp_path / "words").having_all([[(WORDS[1],)]]).tolist() == before
    extend_lexical(tmp_path / "words", tmp_path / "next", [], without=np.array(before[:1]))
    assert LexicalIndex.open(tmp_path / "next").having_all([[(WORDS[1],)]]).tolist() == before[1:]


def test_a_term_that_is_only_in_removed_memes_scores_nothing(tmp_path: Path) -> None:
    build_lexical(tmp_path / "words", [Document(1, {Field.OCR: "cat"}), Document(2, {Field.OCR: "dog"})])
    extend_lexical(tmp_path / "words", tmp_path / "next", [], without=np.array([1]))
    index = LexicalIndex.open(tmp_path / "next")
    assert index.scores(["cat"], ids=np.array([1, 2])).tolist() == [0, 0]
    assert index.scores(["cat", "dog"], ids=np.array([1, 2]))[1] > 0


def test_scores_of_neighbouring_letters_are_those_of_the_search(few: LexicalIndex) -> None:
    ids, scores = few.search(query_terms("猫咪很"), Field.OCR, k=5)
    assert few.scores(query_terms("猫咪很"), Field.OCR, ids=ids).tolist() == pytest.approx(scores.tolist(), rel=1e-5)


def test_ties_go_by_id_wherever_the_list_is_cut(tmp_path: Path) -> None:
    ids = random.Random(1).sample(range(1000), 200)
    build_lexical(tmp_path / "words", (Document(id, {Field.OCR: "same words"}) for id in ids))
    index = LexicalIndex.open(tmp_path / "words")
    for k in (1, 5, 99, 200):
        assert index.search(["word"], Field.OCR, k=k)[0].tolist() == sorted(ids)[:k]


@pytest.mark.slow
def test_an_index_of_several_segments_gives_what_one_segment_gives(tmp_path: Path) -> None:
    draw = random.Random(2)
    # Words that occur once fill the heap quickly; the last two words make for ties in every segment.
    documents = [
        Document(id, {Field.OCR: " ".join(f"{draw.getrandbits(48):x}" for _ in range(30)) + " grumpy cat"})
        for id in random.Random(6).sample(range(9_000), 2_000)
    ]
    build_lexical(tmp_path / "one", documents)
    build_lexical(tmp_path / "several", documents, heap_bytes=15_000_000)
    one, several = LexicalIndex.open(tmp_path / "one"), LexicalIndex.open(tmp_path / "several")
    assert len(list((tmp_path / "several").glob("*.idx"))) > 1
    for wanted in (["grumpi"], ["grumpi", "cat"], [documents[5].texts[Field.OCR].split()[0], "cat"]):
        for k in (3, 100, 3_000):
            (ids, scores), (other_ids, other_scores) = one.search(wanted, k=k), several.search(wanted, k=k)
            assert ids.tolist() == other_ids.tolist()
            assert scores.tolist() == other_scores.tolist()


def test_endings_case_accents_apostrophes_and_ornaments_do_not_matter(few: LexicalIndex) -> None:
    for asked, id in {
        "DRINKING coffees": 7,
        "cafe": 5,
        "cafe\u0301": 5,
        "CAFÉ": 5,
        "doesnt": 5,
        "doesn’t": 5,
        "ｃｏｆｆｅｅ": 7,
        "𝓬𝓸𝓯𝓯𝓮𝓮": 7,
        "КОТ": 12,
        "пёс": 12,
        "run": 9,
        "😂": 9,
    }.items():
        assert few.search(query_terms(asked), k=5)[0].tolist() == [id], asked


def test_quotes_of_common_words_are_found(few: LexicalIndex) -> None:
    assert few.search(query_terms("to be or not to be"), Field.OCR, k=3)[0].tolist() == [3]


def test_letters_of_scripts_without_spaces_match_apart_and_better_side_by_side(few: LexicalIndex) -> None:
    ids, scores = few.search(query_terms("猫咪"), Field.OCR, k=5)
    assert ids.tolist() == [5, 9]
    assert scores[0] > 1.5 * scores[1]
    assert few.search(query_terms("好"), k=5)[0].tolist() == [5]


def test_a_phrase_wants_its_words_in_a_row_and_in_one_field(few: LexicalIndex) -> None:
    assert few.phrase(["not", "to", "be"], Field.OCR, k=5)[0].tolist() == [3]
    assert few.phrase(["be", "to", "not"], Field.OCR, k=5)[0].tolist() == []
    assert few.phrase(query_terms("dog coffee"), k=5)[0].tolist() == []
    assert few.phrase(query_terms("fine a"), k=5)[0].tolist() == []  # "fine" ends a field, "a" begins the next
    assert few.phrase(["fine"], k=5)[0].tolist() == [7]
    assert few.phrase([], k=5)[0].tolist() == []
    assert few.phrase(["to", "be"], k=5, allowed=np.array([7, 9], np.int64))[0].tolist() == []


@pytest.mark.parametrize(
    "asked",
    [
        '"(]',
        "AND OR NOT",
        "ocr:fine",
        "fine~9 *",
        "[a TO z]",
        "\\",
        "\x00\x01",
        "\ud800",
        "'’'",
        "+-!{}^",
        "é\u0301" * 50,
        "a" * 70_000,
        "ﷺ" * 30,
        "½ ² ⅷ",
        " ".join(str(number) for number in range(3000)),
    ],
)
def test_whatever_is_typed_is_only_words(few: LexicalIndex, asked: str) -> None:
    wanted = query_terms(asked)
    assert len(wanted) <= MAX_TERMS
    ids, scores = few.search(wanted, k=5)
    assert (scores > 0).all()
    assert few.scores(wanted, ids=ids).tolist() == pytest.approx(scores.tolist())
    few.phrase(wanted, k=5)
    few.similar_words(asked[:100])


@given(st.text())
def test_tokens_stand_in_the_text_in_order_without_overlap(text: str) -> None:
    found = tokenize(text)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert query_terms(text) == list(dict.fromkeys(one.term for one in found if one.term))[:MAX_TERMS]


@given(st.text(st.characters(codec="ascii")))
def test_ascii_texts_have_the_same_words_beside_other_alphabets(text: str) -> None:
    assert tokenize(text) == tokenize(text + " я")[:-1]


@given(st.text(min_size=1, max_size=60))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    for one in tokenize(text):
        # The index analyses a whole text at once, a query word by word: both must come to the same term.
        again = query_terms(text[one.start : one.end])
        assert again == ([one.term] if one.term else [])


def test_marked_words_are_those_that_match(few: LexicalIndex) -> None:
    text = "Running dogs’ don’t STOP"
    assert [(text[one.start : one.end], one.term) for one in tokenize(text)] == [
        ("Running", "run"),
        ("dogs", "dog"),
        ("don’t", "dont"),
        ("STOP", "stop"),
    ]


def test_document_frequency_counts_memes_by_field(few: LexicalIndex) -> None:
    assert few.document_frequency("cat") == 2
    assert few.document_frequency("cat", Field.OCR) == 0
    assert few.document_frequency("be", Field.OCR) == 1
    assert few.document_frequency("unheardof") == 0


def test_the_vocabulary_is_the_words_as_written_with_their_memes(few: LexicalIndex) -> None:
    assert few.vocabulary["a"] == 2
    assert few.vocabulary["running"] == 1
    assert few.vocabulary["café"] == 1
    assert list(few.vocabulary) == sorted(few.vocabulary)
    assert [word for word in few.vocabulary if word.startswith("ca")] == ["café", "care", "cat", "cats"]


def test_similar_words_come_by_edits_then_by_how_common_they_are(few: LexicalIndex) -> None:
    assert few.similar_words("cofee")[0] == Spelling("coffee", 1, 1)
    assert few.similar_words("hamelt", edits=1) == [Spelling("hamlet", 1, 1)]  # neighbours swapped
    assert few.similar_words("cats", edits=1) == [Spelling("cats", 1, 0), Spelling("cat", 1, 1)]
    assert few.similar_words("qqqqqqq") == []


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    assert build_lexical(tmp_path / "words", []) == 0
    index = LexicalIndex.open(tmp_path / "words")
    assert len(index) == 0
    assert index.search(["a"], k=5)[0].tolist() == []
    assert index.search(["a"], k=5, allowed=np.array([1], np.int64))[0].tolist() == []
    assert index.scores(["a"], ids=np.array([1, 2], np.int64)).tolist() == [0.0, 0.0]
    assert index.phrase(["a", "b"], k=5)[0].tolist() == []
    assert index.similar_words("a") == []


@pytest.mark.parametrize("k", [0, -1])
def test_nothing_asked_for_is_nothing_found(few: LexicalIndex, k: int) -> None:
    assert few.search(["cat"], k=k)[0].tolist() == []
    assert few.search([], k=5)[0].tolist() == []


def test_two_documents_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="id 4"):
        build_lexical(tmp_path / "words", [Document(4, {}), Document(4, {})])


def test_building_leaves_no_locks_and_opening_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "words"
    build_lexical(folder, MANY)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert not [file for file in before if file.suffix == ".lock"]
    LexicalIndex.open(folder).search(WORDS[:2], k=3)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_read_only_folder_can_be_opened_and_searched() -> None:
    # Root may write everywhere, so the search runs as nobody then; pytest's own folders are closed to others.
    code = (
        "import os, sys; from pathlib import Path; from search.index.lexical.index import LexicalIndex; "
        "os.getuid() or os.setuid(65534); folder = Path(sys.argv[1]); "
        "print(os.access(folder, os.W_OK), LexicalIndex.open(folder).search(['hello'], k=1)[0].tolist())"
    )
    with TemporaryDirectory() as parent:
        folder = Path(parent) / "words"
        build_lexical(folder, [Document(4, {Field.OCR: "hello there"})])
        for file in folder.rglob("*"):
            file.chmod(0o555 if file.is_dir() else 0o444)
        folder.chmod(0o555)
        Path(parent).chmod(0o755)
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
        for one in (folder, folder / VECTORS):
            one.chmod(0o755)
    assert done.stdout.strip() == "False [4]", done.stderr


def test_an_index_whose_folder_is_removed_goes_on_answering(tmp_path: Path) -> None:
    build_lexical(tmp_path / "words", MANY)
    index = LexicalIndex.open(tmp_path / "words")
    before = index.search(WORDS[:3], k=50)
    shutil.rmtree(tmp_path / "words")
    after = index.search(WORDS[:3], k=50)
    assert (before[0].tolist(), before[1].tolist()) == (after[0].tolist(), after[1].tolist())


def test_a_missing_or_damaged_index_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(IndexUnusable, match="missing or damaged"):
        LexicalIndex.open(tmp_path / "nowhere")
    build_lexical(tmp_path / "words", MANY)
    for number, file in enumerate(sorted((tmp_path / "words").rglob("*"))):
        if file.is_dir() or file.name.startswith(".") or file.suffix == ".store":
            continue
        path = file.relative_to(tmp_path / "words")
        for name, damage in {"gone": None, "empty": b"", "cut": file.read_bytes()[: file.stat().st_size // 2]}.items():
            broken = tmp_path / f"{number}-{name}"
            shutil.copytree(tmp_path / "words", broken)
            if damage is None:
                (broken / path).unlink()
                if file.name == WORDS_FILE:  # an earlier format has none
                    assert LexicalIndex.open(broken).vocabulary == LexicalIndex.open(tmp_path / "words").vocabulary
                    continue
            else:
                (broken / path).write_bytes(damage)
            with pytest.raises(IndexUnusable):
                LexicalIndex.open(broken)


def test_an_index_of_other_terms_is_not_opened(tmp_path: Path) -> None:
    build_lexical(tmp_path / "words", MANY)
    meta = tmp_path / "words" / "meta.json"
    meta.write_text(meta.read_text("utf-8").replace(ANALYZER, "memetica-0"), "utf-8")
    with pytest.raises(IndexUnusable, match="another version"):
        LexicalIndex.open(tmp_path / "words")


def test_threads_get_what_one_thread_gets(many: LexicalIndex) -> None:
    queries = [WORDS[at : at + 4] for at in range(100)]
    alone = [many.search(wanted, k=20)[0].tolist() for wanted in queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda wanted: many.search(wanted, k=20)[0].tolist(), queries * 3))
    assert together == alone * 3


def test_the_same_documents_give_the_same_scores_in_another_process(tmp_path: Path, many: LexicalIndex) -> None:
    build_lexical(tmp_path / "words", MANY)
    code = (
        "import sys; from pathlib import Path; from search.index.lexical.index import LexicalIndex; "
        f"found = LexicalIndex.open(Path(sys.argv[1])).search({WORDS[1:4]!r}, k=50); "
        "print([found[0].tolist(), found[1].tolist()])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "words")], capture_output=True, text=True, check=True
    ).stdout
    ids, scores = many.search(WORDS[1:4], k=50)
    assert printed.strip() == str([ids.tolist(), scores.tolist()])


def test_rows_become_documents_with_each_fields_texts_together() -> None:
    rows = [(1, Field.OCR, "a"), (1, Field.NAME, "b"), (1, Field.OCR, "c"), (4, Field.NAME, "d")]
    assert list(documents_of(rows)) == [
        Document(1, {Field.OCR: "a\nc", Field.NAME: "b"}),
        Document(4, {Field.NAME: "d"}),
    ]
    assert list(documents_of([])) == []


def test_every_field_of_texts_is_searched() -> None:
    assert {*FIELDS} == {*Field} - {Field.PICTURE, Field.LOOK}


def test_an_index_of_the_format_before_still_answers_quoted_phrases(tmp_path: Path) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=False, indexed=True, fast=True)
    for name in (*FIELDS, ALL_TEXT, FILE_WORDS_FIELD):
        builder.add_text_field(str(name), stored=False, tokenizer_name=ANALYZER, index_option="position")
    for name in (SPELLING_FIELD, WRITTEN_FIELD):
        builder.add_text_field(name, stored=False, tokenizer_name=SPELLING_FIELD, index_option="basic")
    for name in (FILE_FIELD, FILE_PARTS_FIELD):
        builder.add_text_field(name, stored=False, tokenizer_name="raw", index_option="basic")
    (tmp_path / "words").mkdir()
    index = tantivy.Index(builder.build(), path=str(tmp_path / "words"))
    register_tokenizers(index)
    writer = index.writer(20_000_000, 1)
    document = tantivy.Document()
    document.add_integer("id", 7)
    document.add_text("ocr", "the cat and its bowl")
    document.add_text(FILE_WORDS_FIELD, "fine dog")
    document.add_text(FILE_WORDS_FIELD, "/Dogs fine dog")
    document.add_text(WRITTEN_FIELD, "the cat and its bowl fine dog")
    writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    words = LexicalIndex.open(tmp_path / "words")

    def said(phrase: str) -> bool:
        return words.saying([[((word, term_of(word)),) for word in phrase.split()]]).tolist() == [7]

    asked = {
        "and its": True,
        "and it": False,
        "cat bowl": False,
        "fine dog": True,
        "dogs fine": True,
        "its fine": False,
    }
    assert {phrase: said(phrase) for phrase in asked} == asked
