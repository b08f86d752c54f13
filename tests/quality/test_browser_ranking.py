"""Search by meaning in an exported site ranks as the served site does, with the frozen library's queries."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from search.index.contents import Contents
from search.index.lexical.file_names import name_words
from search.index.lexical.writer import documents_of
from search.meme import Field
from search.query.quotes import make_quote
from search.ranking.relevance import relevance_rule
from search.searcher import Searcher
from search.texts.agreement import LEAST_WEIGHT
from search.workspace import Workspace
from tests.quality.frozen import FrozenEncoder, queries
from tests.support.browsing import chromium, serving_files
from web.static_site import search_index
from web.static_site.meaning_index import build_meaning_index
from web.static_site.search_index import build_search_index

BROWSER = Path(search_index.__file__).parent / "browser"
LEAST_OVERLAP = 0.9  # of the ten best hits
PHRASES = 40  # drawn from the texts, as they are and with the words in another order
RANK = """async ([queries, rows]) => {
  const { SearchIndex } = await import("./search.js");
  const { MeaningIndex } = await import("./meaning.js");
  const load = async (name) => (await fetch(name)).arrayBuffer();
  const words = await new SearchIndex(load).open();
  const by = new Map(queries.map((query, at) => [query.replaceAll('"', ""), rows[at]]));
  const meaning = await new MeaningIndex(load, async (text) => by.get(text) ?? rows[0]).open(words.table.meaning.table);
  const found = [];
  for (const query of queries) {
    const { hits, total, byMeaning, phrases } = await words.search(query, { meaning });
    const ids = hits.map((hit) => hit.id);
    found.push({ ids: ids.slice(0, 10), matching: ids.slice(0, total), total, byMeaning, phrases });
  }
  return found;
}"""


@pytest.fixture(scope="module")
def searched(
    frozen_workspace: Workspace, frozen_searcher: Searcher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Sequence[str]], list[dict[str, Any]]]]:
    """A function that searches the frozen library in the browser."""
    encoder, workspace, folder = FrozenEncoder(), frozen_workspace, tmp_path_factory.mktemp("ranking")

    def words_of(ids: Sequence[int]) -> dict[int, str]:
        rows = workspace.catalogue.texts.passages_of(ids, fields=[Field.OCR])
        return {row.meme_id: row.passage.body for row in rows}

    index, rule = frozen_searcher.index, relevance_rule(workspace.settings, encoder)
    built = build_meaning_index(index, workspace.settings, rule, words_of=words_of)
    assert built is not None
    named: dict[str, Any] = {"table": "vectors/table.dat", "bytes": 0}
    contents = Contents(workspace.catalogue, LEAST_WEIGHT)
    documents = documents_of(contents.texts(), paths={meme.id: meme.path for meme in contents.memes})
    words = build_search_index(index.lexical, contents.memes, documents, meaning=named)
    files = words.parts | built.parts | {"vectors/table.dat": built.packed_table({}), "index.json": words.table}
    shutil.copytree(BROWSER, folder, dirs_exist_ok=True)
    (folder / "index.html").write_text("<!doctype html><title>Test</title>", "utf-8")
    for name, raw in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(raw)
    with serving_files(folder) as address, chromium() as browser:
        page = browser.new_page()
        page.goto(f"{address}/index.html")

        def search(queries: Sequence[str]) -> list[dict[str, Any]]:
            rows = encoder.encode([query.replace('"', "") for query in queries]).tolist()
            return list(page.evaluate(RANK, [list(queries), rows]))

        yield search


@pytest.mark.browser
def test_the_browser_ranks_as_the_served_site_does(
    frozen_searcher: Searcher, searched: Callable[[Sequence[str]], list[dict[str, Any]]]
) -> None:
    texts = [query.text for query in queries()][:100]
    found = searched(texts)
    answers = [frozen_searcher.search(text, k=10) for text in texts]
    assert all(one["byMeaning"] for one in found)
    shares = [
        len({hit.meme.id for hit in answer} & set(one["ids"])) / len(answer)
        for one, answer in zip(found, answers, strict=True)
        if len(answer)
    ]
    assert len(shares) > 90
    assert sum(shares) / len(shares) >= LEAST_OVERLAP
    first = [one["ids"][:1] == [answer[0].meme.id] for one, answer in zip(found, answers, strict=True) if len(answer)]
    assert sum(first) / len(first) >= LEAST_OVERLAP
    matches = [one["total"] == answer.total for one, answer in zip(found, answers, strict=True)]
    assert sum(matches) / len(matches) >= LEAST_OVERLAP


def drawn_phrases(workspace: Workspace) -> list[str]:
    """Return runs of two to six words of the library's texts, every third with its words in another order."""
    draw = random.Random(1)
    rows = [row for row in workspace.catalogue.texts.passages() if len(row.passage.body.split()) > 6]
    found = []
    for number, row in enumerate(draw.sample(rows, PHRASES)):
        words = row.passage.body.replace('"', " ").split()
        start = draw.randrange(len(words) - 5)
        words = words[start : start + draw.randint(2, 6)]
        if number % 3 == 2:
            draw.shuffle(words)
        found.append(" ".join(words).upper() if number % 3 else " ".join(words))
    return found


@pytest.mark.browser
def test_what_says_a_quoted_phrase_in_the_browser_says_it_on_the_served_site(
    frozen_workspace: Workspace,
    frozen_searcher: Searcher,
    searched: Callable[[Sequence[str]], list[dict[str, Any]]],
) -> None:
    phrases = [f'"{one}"' for one in drawn_phrases(frozen_workspace)]
    phrases += [
        '"bottom. It makes fun of a"',
        '"dog"',
        '"dogs"',
        '"the"',
        '"constructor"',
        '"no such words here"',
        '"a" "the"',
        '"of the" -"of the"',
    ]
    lexical = frozen_searcher.index.lexical
    texts = texts_of(frozen_workspace)
    differ = {}
    said = 0
    for phrase, one in zip(phrases, searched(phrases), strict=True):
        answer = frozen_searcher.search(phrase, k=len(texts), collapse=False)
        quotes = [make_quote(quote, lexical) for quote in answer.understood.phrases]
        # The index of the served site takes "its" for "it" where a meme has both; what is marked in its texts is exact.
        expected = {
            hit.meme.id
            for hit in list(answer)[: answer.total]
            if all(any(map(quote.find, texts[hit.meme.id])) for quote in quotes)
        }
        assert len(one["phrases"]) == len(quotes), phrase
        said += bool(expected)
        if set(one["matching"]) != expected:
            differ[phrase] = (sorted(one["matching"]), sorted(expected))
    assert said > PHRASES / 2
    assert differ == {}


def texts_of(workspace: Workspace) -> dict[int, list[str]]:
    """Return the texts of each meme in which a phrase may be said."""
    contents = Contents(workspace.catalogue, LEAST_WEIGHT)
    found = {meme.id: [name_words(meme.path)] for meme in contents.memes}
    for id, _, text in contents.texts():
        found[id].append(text)
    return found
