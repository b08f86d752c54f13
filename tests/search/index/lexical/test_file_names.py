"""Files are found by their names: whole, nearly whole, and by codes in them, whatever the names look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.index.lexical.file_names import asked_keys, exact_key, loose_key, name_keys
from search.results import Place
from search.searcher import Searcher
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.small_library import searched_library

NAMES = (
    "IMG_20240224_213805.webp",
    "1466397586000.jpg",
    "download (26).png",
    "download (2).png",
    "unnamed-977.jpg",
    "TC_00715.JPG",
    "TC_12345.JPG",
    "smug wizard 22.jpg",
    "10 Guy 5n4mg.jpg",
    "deadbeefcafe tree.png",
    "-foo.png",
    "--all.png",
    "category:dogs.png",
    "2:cat.png",
    'a "quoted" name.png',
    "it's (one) & [two] {three}.png",
    "déjà vu 003.jpg",
    "😂.png",
    "😂 50%.png",
    "‮gpj.live.png",
    "‏مرحبا بالعالم.png",
    "猫.png",
    "a+b=c; d, e!.png",
    "C#.png",
    "dots....png",
    "x" * 230 + ".png",
    "long " * 45 + ".png",
    "the.png",
    "IMG_1.tar.png",
    "100%25.png",
    "*?.png",
    "or and not.png",
    "tab\tname.png",
)
TWICE = ("Cats/same name.png", "Dogs/same name.png")
PATHS = (*(f"Mixed/{name}" for name in NAMES), *TWICE)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder: Path = tmp_path_factory.mktemp("names")
    # Every picture says the same, so that only the name tells one from another.
    with searched_library(folder, dict.fromkeys(PATHS, "the same words"), apart=timedelta(days=1)) as (found, _):
        yield found


def first(searcher: Searcher, query: str) -> str:
    answer = searcher.search(query, k=3)
    assert answer.total and answer[0].certain, answer
    assert any(reason.place is Place.NAME for reason in answer[0].reasons), query
    return answer[0].path


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_the_first_hit_of_its_name_as_it_stands(searcher: Searcher, name: str) -> None:
    path = f"Mixed/{name}"
    stem = name.rpartition(".")[0]
    for typed in (name, f'"{name}"', f"“{name}”", path, f"memes/{path}", f"/home/me/memes/{path}", f" {name} "):
        assert first(searcher, typed) == path, typed
    for typed in (
        name.upper(),
        name.casefold(),
        unicodedata.normalize("NFD", name),
        unicodedata.normalize("NFC", name),
    ):
        assert first(searcher, typed) == path, typed
    assert first(searcher, f"http://127.0.0.1:8000/memes/{quote(path)}.html") == path
    # Without its ending such a name is an operator, which is what it is read as.
    if stem not in ("category:dogs", "2:cat"):
        assert first(searcher, stem) == path


def test_a_name_that_two_files_have_finds_both_before_all_others(searcher: Searcher) -> None:
    for typed in ("same name.png", "same name", '"Same Name.PNG"'):
        answer = searcher.search(typed)
        assert {hit.path for hit in answer[:2]} == set(TWICE) and all(hit.certain for hit in answer[:2])
    assert first(searcher, "Dogs/same name.png") == "Dogs/same name.png"
    assert first(searcher, "Cats/same name") == "Cats/same name.png"


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("00715", "Mixed/TC_00715.JPG"),
        ("TC_00715", "Mixed/TC_00715.JPG"),
        ("tc 00715", "Mixed/TC_00715.JPG"),
        ("213805", "Mixed/IMG_20240224_213805.webp"),
        ("IMG_20240224", "Mixed/IMG_20240224_213805.webp"),
        ("14663975", "Mixed/1466397586000.jpg"),
        ("14663", "Mixed/1466397586000.jpg"),
        ("977", "Mixed/unnamed-977.jpg"),
        ("5n4mg", "Mixed/10 Guy 5n4mg.jpg"),
        ("guy 5n4mg", "Mixed/10 Guy 5n4mg.jpg"),
        ("5N4MG.jpg", "Mixed/10 Guy 5n4mg.jpg"),
        ("deadbeefcafe", "Mixed/deadbeefcafe tree.png"),
        ("download 26", "Mixed/download (26).png"),
        ("download(26)", "Mixed/download (26).png"),
        ("smugwizard22", "Mixed/smug wizard 22.jpg"),
        ("Smug-Wizard_22", "Mixed/smug wizard 22.jpg"),
        ("smug wizard 22.png", "Mixed/smug wizard 22.jpg"),
        ("deja vu 003", "Mixed/déjà vu 003.jpg"),
    ],
)
def test_parts_and_near_forms_of_a_name_find_it(searcher: Searcher, part: str, path: str) -> None:
    assert first(searcher, part) == path


def test_a_code_that_no_name_has_finds_nothing_for_certain(searcher: Searcher) -> None:
    for typed in ("99999", "DSC_20991231", "TC_00716.JPG", "1466"):
        assert searcher.search(typed).total == 0, typed


def test_words_by_devices_are_no_names(searcher: Searcher) -> None:
    assert searcher.search("download").total == 0
    assert searcher.search("unnamed").total == 0


def test_operators_stay_operators_where_no_file_is_called_so(searcher: Searcher) -> None:
    assert searcher.search("category:mixed").total == len(NAMES)
    assert searcher.search("same -words").total == 0
    assert "is the name of a file" in searcher.search("-foo.png").understood.notices[0]
    assert searcher.search("-foo.png type:image").total
    assert [hit.path for hit in searcher.search("same name.png category:dogs")][:1] == ["Dogs/same name.png"]


def test_a_renamed_meme_has_its_new_name_after_the_next_index(tmp_path: Path) -> None:
    texts = {"A/IMG_0001.png": "some words", "A/IMG_0002.png": "other words"}
    with searched_library(tmp_path, texts, apart=timedelta(days=1)) as (searcher, settings):
        assert first(searcher, "IMG_0001") == "A/IMG_0001.png"
        for file in list((settings.library / "A").glob("IMG_0001*")):
            file.rename(file.with_name(file.name.replace("0001", "0777")))
        with open_catalogue(settings) as catalogue:
            workspace = Workspace(settings, catalogue)
            index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
        assert first(searcher, "IMG_0777") == "A/IMG_0777.png"
        assert searcher.search("IMG_0001").total == 0


@pytest.mark.parametrize("text", ["IMG_0017.PNG", "a\tB \n c", "a\x00B\x7f", "Two  Dogs.jpg ", "-x_(2)~", ""])
def test_a_name_in_ascii_has_the_key_that_it_has_beside_other_letters(text: str) -> None:
    assert f"é{exact_key(text)}" == exact_key(f"É{text}")
    assert f"e{loose_key(text)}" == loose_key(f"É{text}")


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("A/ﬁne.png", "FINE.PNG"),
        ("A/STRASSE.jpg", "straße.jpg"),
        ("A/a  b.png", "a b.png"),
        ("A/a​b.png", "ab.png"),
    ],
)
def test_keys_of_a_name_and_of_what_is_typed_meet(path: str, typed: str) -> None:
    assert set(name_keys(path)) & set(next(iter(asked_keys(typed))))
    assert exact_key(exact_key(path)) == exact_key(path)
