"""Searches in many scripts over one small library, with an encoder that reads Latin letters alone, as MiniLM does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from search.encoders.text_models import MULTILINGUAL_TEXT
from search.meme import Field
from search.searcher import Searcher
from search.signals import SignalKind
from tests.support.fakes import LatinTextEncoder
from tests.support.small_library import searched_library

TEXTS = {
    "C/han.png": "今天我真的很喜欢猫咪",
    "C/scattered.png": "欢迎今年喜事，猫很真",  # has the letters of the one above, elsewhere
    "C/apart.png": "大熊猫来了，猫来信了",
    "C/kana.png": "ﾗｰﾒﾝが食べたいコーヒー",
    "C/hangul.png": "고양이가 잔다",
    "C/thai.png": "แมวชอบดื่มน้ำแข็งเย็น",
    "C/russian.png": "мой кот говорил правду",
    "C/russian2.png": "холод идёт за ним",
    "C/greek.png": "Η ΓΑΤΑ ΜΟΥ ΚΟΙΜΑΤΑΙ ΣΤΟΥΣ ΔΡΟΜΟΥΣ",
    "C/arabic.png": "كِتَابٌ جديد في البيـــت",
    "C/hebrew.png": "שָׁלוֹם עולם",
    "C/persian.png": "من می‌خواهم بخوابم",
    "C/hindi.png": "मेरी हिन्दी अच्छी नहीं",
    "C/vietnamese.png": "không thể tin được má ơi",
    "C/vietnamese2.png": "con ma đi chợ",
    "C/turkish.png": "İSTANBUL ILIK BİR ŞEHİR",
    "C/wide.png": "ＨＥＬＬＯ ＷＯＲＬＤ",
    "C/mixed.png": "我的 favourite sandwich 在这里",
    "C/english.png": "a sandwich for the whole family",
    "C/\u1112\u1161\u11ab\u1100\u1173\u11af 1.png": "nothing",  # Hangul as macOS writes it
}


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder = tmp_path_factory.mktemp("scripts")
    with searched_library(folder, TEXTS, apart=timedelta(days=1), encoder=LatinTextEncoder()) as (found, _):
        yield found


def matches(searcher: Searcher, query: str) -> list[str]:
    answer = searcher.search(query, k=100)
    return sorted(hit.path.removeprefix("C/").removesuffix(".png") for hit in answer[: answer.total])


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("很喜欢猫咪", "han"),
        ('"喜欢猫"', "han"),
        ("ラーメン", "kana"),  # the text has narrow kana
        ('"が食べたい"', "kana"),
        ("고양이", "hangul"),
        ('"이가잔다"', "hangul"),
        ('"น้ำแข็ง"', "thai"),
        ("ดื่มน้ำ", "thai"),
        ('"кот говорил"', "russian"),
        ('"идет за ним"', "russian2"),
        ("γάτα μου", "greek"),
        ('"στους δρόμους"', "greek"),
        ("كتاب جديد", "arabic"),
        ('"في البيت"', "arabic"),
        ('"שלום עולם"', "hebrew"),
        ("می‌خواهم", "persian"),
        ('"میخواهم"', "persian"),
        ('"हिन्दी अच्छी"', "hindi"),
        ('"khong the tin"', "vietnamese"),  # typed without accents
        ('"má ơi"', "vietnamese"),
        ("thể tin được", "vietnamese"),
        ("the tin duoc", "vietnamese"),
        ("chợ mà", "vietnamese2"),  # the text's "ma" has no accent, as where capitals lost it
        ("istanbul", "turkish"),
        ("İstanbul", "turkish"),
        ('"ılık bir"', "turkish"),
        ("hello world", "wide"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af 1"),  # by its file's name
    ],
)
def test_who_asks_in_any_script_finds_the_one_that_says_it(searcher: Searcher, query: str, right: str) -> None:
    assert matches(searcher, query) == [right]


@pytest.mark.parametrize(
    "query",
    [
        '"кот говорит"',  # another form of the word, not damage
        '"голод идёт"',
        '"mà ơi"',  # another word, by its accent
        "đước",  # without quotation marks as well
        "很喜欢猫狗",  # without them, four letters of five in a row
        "大熊猫来信",  # all its pairs, each in another place
        '"猫喜欢"',
        '"प हिन्द"',
    ],
)
def test_what_nobody_says_matches_nothing(searcher: Searcher, query: str) -> None:
    assert matches(searcher, query) == []


def test_spelling_is_corrected_only_in_a_language_that_is_known(searcher: Searcher) -> None:
    assert searcher.search("говорлл").understood.spelling == {}
    assert searcher.search("sandwihc").understood.spelling == {"sandwihc": ("sandwich",)}


def test_what_the_encoder_cannot_read_has_no_embedding(searcher: Searcher) -> None:
    own = {searcher._workspace.catalogue.memes.get(id).path for id in searcher.index.dense[Field.OCR].owners.tolist()}
    readable = {"vietnamese", "vietnamese2", "turkish", "wide", "mixed", "english"}
    assert own - {"C/\u1112\u1161\u11ab\u1100\u1173\u11af 1.png"} == {f"C/{name}.png" for name in readable}


def test_a_query_that_the_encoder_cannot_read_is_not_searched_by_meaning(searcher: Searcher) -> None:
    assert not any(signal.kind is SignalKind.SEMANTIC for signal in searcher.scores("喜欢猫").by_signal)
    assert any(signal.kind is SignalKind.SEMANTIC for signal in searcher.scores("喜欢 sandwich").by_signal)


def test_a_mixed_query_is_as_near_as_the_part_of_it_that_is_read(searcher: Searcher) -> None:
    def nearest(query: str) -> float:
        scores = searcher.scores(query).by_signal
        return max(np.nanmax(own) for signal, own in scores.items() if str(signal) == "semantic.ocr")

    assert nearest("喜欢猫咪喜欢猫咪 sandwich") == pytest.approx(0.5 * nearest("sandwich"), abs=0.01)


def test_a_query_in_another_language_says_which_command_helps(searcher: Searcher) -> None:
    [notice] = searcher.search("бутерброд").understood.notices
    assert f"memetica models --use {MULTILINGUAL_TEXT}" in notice and "reads English" in notice
    assert searcher.search("бутерброд").understood.to_json()["notices"] == [notice]
    assert searcher.search("sandwich").understood.notices == ()


def test_letters_in_a_row_are_marked_and_named_as_the_reason(searcher: Searcher) -> None:
    hit = searcher.search("很喜欢猫咪")[0]
    assert "<mark>很喜欢猫咪</mark>" in hit.snippets[0].html
    assert [reason.in_words() for reason in hit.reasons] == ["text says “很喜欢猫咪”"]
