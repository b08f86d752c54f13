"""Search by meaning in an exported site ranks as the served site does, with the frozen library's queries."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from search.meme import Field
from search.ranking.relevance import relevance_rule
from search.searcher import Searcher
from search.workspace import Workspace
from tests.quality.frozen import FrozenEncoder, queries
from tests.support.browsing import chromium, serving_files
from web.static_site import search_index
from web.static_site.meaning_index import build_meaning_index
from web.static_site.search_index import build_search_index

BROWSER = Path(search_index.__file__).parent / "browser"
LEAST_OVERLAP = 0.9  # of the ten best hits
RANK = """async ([queries, rows]) => {
  const { SearchIndex } = await import("./search.js");
  const { MeaningIndex } = await import("./meaning.js");
  const load = async (name) => (await fetch(name)).arrayBuffer();
  const words = await new SearchIndex(load).open();
  const by = new Map(queries.map((query, at) => [query, rows[at]]));
  const ids = [...(await words.facts()).keys()];
  const meaning = await new MeaningIndex(load, async (text) => by.get(text)).open(words.table.meaning.table, ids);
  const found = [];
  for (const query of queries) {
    const { hits, total, byMeaning } = await words.search(query, { meaning });
    found.push({ ids: hits.slice(0, 10).map((hit) => hit.id), total, byMeaning });
  }
  return found;
}"""


@pytest.mark.browser
def test_the_browser_ranks_as_the_served_site_does(
    frozen_workspace: Workspace, frozen_searcher: Searcher, tmp_path: Path
) -> None:
    encoder, workspace = FrozenEncoder(), frozen_workspace

    def words_of(ids: Sequence[int]) -> dict[int, str]:
        rows = workspace.catalogue.texts.passages_of(ids, fields=[Field.OCR])
        return {row.meme_id: row.passage.body for row in rows}

    texts = [query.text for query in queries()][:100]
    index, rule = frozen_searcher.index, relevance_rule(workspace.settings, encoder)
    built = build_meaning_index(index, workspace.settings, rule, words_of=words_of)
    assert built is not None
    named: dict[str, Any] = {"table": "vectors/table.dat", "bytes": 0}
    words = build_search_index(index.lexical, workspace.catalogue.memes.freshest(500), meaning=named)
    files = words.parts | built.parts | {"vectors/table.dat": built.packed_table({}), "index.json": words.table}
    shutil.copytree(BROWSER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "index.html").write_text("<!doctype html><title>Test</title>", "utf-8")
    (tmp_path / "vectors").mkdir()
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    with serving_files(tmp_path) as address, chromium() as browser:
        page = browser.new_page()
        page.goto(f"{address}/index.html")
        found = page.evaluate(RANK, [texts, encoder.encode(texts).tolist()])
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
