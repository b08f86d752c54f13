"""Quoted phrases in the browser: the same memes say them as on the served site, slips and damage included."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from search.evaluation.known_items import with_ocr_errors, with_typo
from search.index.lexical.index import LexicalIndex
from search.index.lexical.writer import Document, build_lexical
from search.meme import Field
from search.query.quotes import is_word, make_quote, memes_saying
from web.static_site.index_files import packed
from web.static_site.phrase_index import build_phrase_index

CAPTIONS = Path(__file__).parents[2] / "quality/fixture/memes.json"
PHRASES = 250


def drawn_phrases(texts: list[str], draw: random.Random) -> Iterator[str]:
    """Yield phrases of texts as people quote them: with a slip, words run together or taken apart, or OCR's damage."""
    while True:
        words = re.findall(r"[\w'’]+", draw.choice(texts))
        count = draw.randint(1, 6)
        first = draw.randrange(max(1, len(words) - count + 1))
        own = words[first : first + count]
        if not own:
            continue
        at = draw.randrange(len(own))
        cut = len(own[at]) // 2
        yield draw.choice(
            [
                " ".join(own),
                with_typo(" ".join(own), draw),
                with_ocr_errors(" ".join(own).lower(), draw),
                " ".join([*own[:at], "".join(own[at : at + 2]), *own[at + 2 :]]),
                " ".join([*own[:at], own[at][:cut], own[at][cut:], *own[at + 1 :]]),
            ]
        )


@pytest.mark.browser
def test_the_memes_that_say_a_phrase_are_those_of_the_served_site(page: Page, tmp_path: Path) -> None:
    draw = random.Random(7)
    memes = json.loads(CAPTIONS.read_text("utf-8"))
    said = [meme["ocr"] or " ".join(re.findall("“(.*?)”", meme["description"])) for meme in memes]
    documents = []
    for number, (meme, text) in enumerate(zip(memes, said, strict=True), 1):
        texts = {Field.OCR: with_ocr_errors(text.lower(), draw), Field.DESCRIPTION: meme["description"]}
        documents.append(Document(number, texts, meme["path"]))
    build_lexical(tmp_path / "words", documents)
    index = LexicalIndex.open(tmp_path / "words")
    table, files = build_phrase_index(documents, index)
    for name, raw in (*files, ("phrases/table.dat", packed(table))):
        (tmp_path / "search" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "search" / name).write_bytes(raw)
    phrases = drawn_phrases([*said, *(document.texts[Field.OCR] for document in documents)], draw)
    asked = ["and it", "and its", "a dog", "a dogs", *(next(phrases) for _ in range(PHRASES))]
    found = page.evaluate(
        """async (phrases) => {
          const [{ PhraseIndex }, { contentOf, fetching, packedJson }] = await Promise.all([import("./phrases.js"), import("./files.js")]);
          const load = fetching(new URL("search/", document.baseURI));
          const files = new Map();
          const file = (name) => files.get(name) ?? files.set(name, contentOf(load, name, packedJson)).get(name);
          const index = await new PhraseIndex(file).open("phrases/table.dat");
          const all = [];
          const rising = (ids) => [...(ids ?? [])].sort((one, other) => one - other);
          for (const phrase of phrases) {
            const before = files.size;
            const exact = rising(await index.writing(phrase));
            const needed = [...files.keys()].slice(before);
            all.push({ exact, needed, whole: rising(await index.saying(phrase)) });
          }
          return all;
        }""",  # noqa: E501
        asked,
    )
    served = [memes_saying(make_quote(phrase, index), index).tolist() for phrase in asked]
    assert sum(map(bool, served)) > 0.6 * PHRASES
    whole = [own["whole"] for own in found]
    other = {phrase: (own, ids) for phrase, own, ids in zip(asked, whole, served, strict=True) if own != ids}
    # Words that OCR damaged and ran together in one are under few of the words that they may be.
    assert len(other) <= 0.01 * PHRASES, other
    # What says a phrase exactly needs neither the filter of words nor the words that slips are put right by.
    assert not [name for own in found for name in own["needed"] if name.startswith(table["of_words"])]
    compared = 0
    for phrase, own in zip(asked, found, strict=True):
        as_typed = make_quote(phrase, index, verbatim=True).sequences[0]
        # Where a word may be a slip, what it stands for is of the whole answer alone.
        has_slip = not all(is_word(place[0][0], index) for place in as_typed)
        compared += not has_slip
        assert set(own["exact"]) <= set(own["whole"]), phrase
        assert has_slip or own["exact"] == index.saying([as_typed]).tolist(), phrase
    assert compared > 0.2 * PHRASES
