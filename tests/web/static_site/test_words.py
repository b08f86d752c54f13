"""The words of a query in an exported site's search match what they match on the served site."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from search.index.contents import Contents
from search.index.lexical.index import LexicalIndex
from search.index.lexical.writer import documents_of
from search.texts.agreement import LEAST_WEIGHT
from tests.support.browsing import chromium, serving_files
from tests.support.fakes import LatinTextEncoder
from tests.support.small_library import searched_library
from web.static_site import search_index
from web.static_site.search_index import build_search_index

TEXTS = {
    "C/row.png": "今天我真的很喜欢猫咪",
    "C/letters.png": "欢迎今年喜事，猫很真",  # has letters of the one above, elsewhere
    "C/pairs.png": "大熊猫来了，猫来信了",
    "C/kana.png": "ラーメンが食べたい",
    "C/korean.png": "고양이는 잔다",
    "C/english.png": "well done, said the cat",
    "C/emoji.png": "I ❤️ 👩🏽‍💻 and 3️⃣ 🇲🇽",
}
QUERIES = (
    "喜欢猫",
    "大熊猫来信",
    "食べたい",
    "고양이",
    "-猫咪 猫",
    "猫 今天",
    "don't",
    "dont",
    "donez",
    "cat",
    *["❤", "👩\u200d💻", "👩", "3️⃣", "🇲🇽", "🇲"],
    "cat 🔥",
    "ｃａｔ",
)
MATCHES = """async (queries) => {
  const { SearchIndex } = await import("./search.js");
  const words = await new SearchIndex(async (name) => (await fetch(name)).arrayBuffer()).open();
  const found = [];
  for (const query of queries) {
    const { hits, total, corrected } = await words.search(query);
    found.push([hits.slice(0, total).map(({ id }) => id).sort(), corrected.map(([word]) => word)]);
  }
  return found;
}"""


@pytest.mark.browser
def test_letters_in_a_row_and_contractions_are_read_as_on_the_served_site(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(Path(search_index.__file__).parent / "browser", site)
    (site / "index.html").write_text("<!doctype html><title>Test</title>", "utf-8")
    with searched_library(tmp_path, TEXTS, apart=timedelta(days=1), encoder=LatinTextEncoder()) as (searcher, _):
        contents = Contents(searcher._workspace.catalogue, LEAST_WEIGHT)
        documents = documents_of(contents.texts(), paths={meme.id: meme.path for meme in contents.memes})
        built = build_search_index(searcher.index.lexical, contents.memes, documents)
        for name, raw in (built.parts | {"index.json": built.table}).items():
            (site / name).parent.mkdir(exist_ok=True)
            (site / name).write_bytes(raw)
        with serving_files(site) as address, chromium() as browser:
            page = browser.new_page()
            page.goto(f"{address}/index.html")
            found = dict(zip(QUERIES, page.evaluate(MATCHES, list(QUERIES)), strict=True))
        for query, (ids, corrected) in found.items():
            answer = searcher.search(query, k=30)
            assert ids == sorted(hit.meme.id for hit in answer[: answer.total]), query
            assert corrected == list(answer.understood.spelling), query
    assert [len(ids) for ids, _ in found.values()] == [1, 0, 1, 1, 2, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1]


@pytest.mark.parametrize(
    ("frequency", "total", "is_kept"), [(1_000, 2_001, True), (1_010, 2_001, False), (1_900, 2_000, True)]
)
def test_a_word_of_more_than_half_of_many_memes_is_left_out(frequency: int, total: int, is_kept: bool) -> None:
    lexical = Mock(spec=LexicalIndex)
    lexical.document_frequency.return_value = frequency
    lexical.search.return_value = (np.arange(1, frequency + 1), np.ones(frequency))
    counted, ids, scores = search_index._postings(lexical, "the", set(range(total + 1)), total=total)
    assert (counted, bool(ids), bool(scores)) == (frequency, is_kept, is_kept)
