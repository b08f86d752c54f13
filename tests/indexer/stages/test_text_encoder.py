"""Another text encoder: chosen, embedded with in the background, switched to when all is embedded, and back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from indexer.pipeline import index_library
from indexer.stages import embed_texts
from indexer.stages.switch_text_encoder import switch_text_encoder, uses_chosen_text_encoder
from indexer.stages.update_index import update_index
from indexer.status import library_status
from search.catalogue import Catalogue, open_catalogue
from search.encoders.clip_models import spec_of
from search.encoders.registry import load_text_encoder
from search.errors import ModelUnavailable
from search.index.generations import live_generation, live_text_encoder
from search.index.text_encoder import load_text_encoder_in_use
from search.meme import Field, Stage
from search.ranking.relevance import RELEVANCE_MODEL, WITHOUT_MEANING, relevance_rule
from search.searcher import Searcher
from search.settings import Settings, save_setting
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder, use_hashing_text_encoder
from tests.support.waiting import until
from web.app import create_app
from web.background.text_encoder import TextEncoderWatcher
from web.cli.main import main

# What each meme shows, in English; their names say nothing.
SHOWN = ("cat window rain", "dog fire coffee", "robot work night", "fish coffee night")
QUERIES = {"кот и дождь": 0, "собака": 1, "робот": 2, "рыба": 3}  # each Russian, and the meme that it means


@pytest.fixture
def settings(tmp_path: Path, text_model: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings over four memes with descriptions, and a folder of models with a text encoder of two languages."""
    use_hashing_text_encoder(monkeypatch)
    monkeypatch.setattr("search.encoders.registry.export_minilm", lambda models, *, threads: False)
    monkeypatch.delenv("MEMETICA_TEXT_ENCODER")
    library = tmp_path / "memes" / "Plain"
    library.mkdir(parents=True)
    random = np.random.default_rng(3)
    for at, shown in enumerate(SHOWN):
        pixels = random.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 48), Image.Resampling.NEAREST).save(library / f"{at}.png")
        (library / f"{at}.png.someone.simple-description.txt").write_text(shown, "utf-8")
    shutil.copytree(text_model[1], tmp_path / "data" / "models")
    return Settings(
        library=library.parent,
        data=tmp_path / "data",
        ocr_engine="none",
        image_encoder="",
        text_encoder=HashingTextEncoder.name,
    )


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    """The catalogue of the memes, indexed by the encoder of one language."""
    with open_catalogue(settings) as opened:
        index_library(Workspace(settings, opened))
        yield opened


@pytest.fixture
def bilingual(settings: Settings, text_model: tuple[Path, Path]) -> Settings:
    """The settings with the encoder of two languages."""
    return replace(settings, text_encoder=str(text_model[0]))


def found(searcher: Searcher, query: str) -> str:
    return searcher.search(query)[0].path


def test_queries_in_another_language_find_memes_by_what_is_written_about_them(
    catalogue: Catalogue, bilingual: Settings
) -> None:
    switch_text_encoder(Workspace(bilingual, catalogue))
    with Searcher(Workspace(bilingual, catalogue)) as searcher:
        assert {query: found(searcher, query) for query in QUERIES} == {
            query: f"Plain/{at}.png" for query, at in QUERIES.items()
        }
        answer = searcher.search("кот и дождь")
        assert answer.understood.notices == ()  # the encoder reads the query
        assert answer.total == 0  # what is found by meaning alone is not called a match before that is fitted
        assert searcher.search("cat").total == 1  # its word is
        status = searcher.status()
    assert "the languages en, ru" in status.reads
    assert [note for note in status.missing if "`memetica evaluate --fit`" in note]


def test_the_index_stays_until_all_is_embedded_and_both_embeddings_are_kept(
    settings: Settings, catalogue: Catalogue, bilingual: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, workspace = live_generation(settings.data / "index"), Workspace(bilingual, catalogue)
    monkeypatch.setattr(embed_texts, "BATCH", 3)
    put, calls = embed_texts.put_readable, []

    def dies(*given: object) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        put(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(embed_texts, "put_readable", dies)
    with pytest.raises(KeyboardInterrupt):
        switch_text_encoder(workspace)
    assert live_generation(settings.data / "index") == before
    name = load_text_encoder(bilingual).name
    missing = catalogue.embeddings.count_missing_passages(name)
    assert 0 < missing < catalogue.embeddings.count_passages()
    embed = {one.stage: one for one in library_status(workspace).stages}[Stage.EMBED]
    assert embed.missing == missing
    with Searcher(Workspace(bilingual, catalogue)) as searcher:  # of the index, not of the settings
        assert found(searcher, "robot night") == "Plain/2.png"
        assert any("is chosen" in note for note in searcher.status().missing)
        monkeypatch.setattr(embed_texts, "put_readable", put)
        manifest = switch_text_encoder(workspace)
        assert (manifest.text_encoder, manifest.encoders[name]) == (name, 48)
        assert found(searcher, "собака") == "Plain/1.png"  # the open searcher has switched
    assert uses_chosen_text_encoder(bilingual) and not uses_chosen_text_encoder(settings)
    assert catalogue.embeddings.count_missing_passages(HashingTextEncoder.name) == 0
    embedded = []
    monkeypatch.setattr(HashingTextEncoder, "encode", lambda self, texts: embedded.append(texts))
    assert switch_text_encoder(Workspace(settings, catalogue)).text_encoder == HashingTextEncoder.name
    assert embedded == []  # going back embeds nothing


def test_new_memes_are_embedded_by_the_encoder_of_the_index(catalogue: Catalogue, bilingual: Settings) -> None:
    workspace = Workspace(bilingual, catalogue)
    meme = catalogue.memes.at("Plain/0.png")
    encoder = load_text_encoder_in_use(bilingual)
    assert encoder.name == HashingTextEncoder.name
    assert update_index(workspace, [meme.id], encoder=encoder).changed == 1
    switch_text_encoder(workspace)
    encoder = load_text_encoder_in_use(bilingual)
    assert spec_of(encoder.name) == bilingual.text_encoder
    assert update_index(workspace, [meme.id], encoder=encoder).changed == 1


def test_a_site_switches_to_what_is_chosen_and_says_why_it_cannot(
    settings: Settings, catalogue: Catalogue, bilingual: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def apart(chosen: Settings, *, on_start: object) -> None:
        tried.append(chosen.text_encoder)
        if chosen.text_encoder == "org/away":
            raise ModelUnavailable("The hub is away.")
        switch_text_encoder(Workspace(chosen, catalogue))

    monkeypatch.setattr("web.background.text_encoder.switch_text_encoder_in_child_process", apart)
    monkeypatch.setattr("web.background.encoder_watcher.POLL_SECONDS", 0.01)
    app = create_app(Workspace(settings, catalogue))
    site, watcher = app.extensions["site"], app.extensions["text_encoder"]
    assert isinstance(watcher, TextEncoderWatcher)
    workers, learnt = app.extensions["categories"], object()
    monkeypatch.setattr(workers.training, "wake", lambda: None)
    watcher.start()
    try:
        save_setting(settings.data, "text_encoder", "org/away")
        until(lambda: any("The hub is away." in note for note in site.searcher().status().missing))
        assert site.searcher().search("robot night")[0].path == "Plain/2.png"
        save_setting(settings.data, "text_encoder", bilingual.text_encoder)
        until(lambda: spec_of(site.searcher().status().text_encoder) == bilingual.text_encoder)
        until(lambda: watcher.error is None)
        assert site.encoder().name == live_text_encoder(settings.data / "index")
        assert found(site.searcher(), "рыба") == "Plain/3.png"
        # What was learnt from the embeddings of the encoder before is not used.
        workers._suggester, workers._made_with = learnt, HashingTextEncoder.name
        assert workers.suggester() is None
        workers._suggester, workers._made_with = learnt, site.encoder().name
        assert workers.suggester() is learnt
    finally:
        watcher.close()
        site.close()
    assert tried == ["org/away", bilingual.text_encoder]


def test_what_was_fitted_with_another_encoder_decides_nothing(settings: Settings, bilingual: Settings) -> None:
    mine, other = HashingTextEncoder(), load_text_encoder(bilingual)
    odds = RELEVANCE_MODEL.by_name()
    plain = replace(settings, certain_above=0.5)
    assert relevance_rule(settings, mine) == (RELEVANCE_MODEL, 0.0, True)
    assert relevance_rule(plain, mine) == (RELEVANCE_MODEL, 0.5, True)
    assert relevance_rule(plain, other) == (WITHOUT_MEANING, 0.0, False)
    fitted = replace(settings, certain_above=0.5, certain_odds=odds, certain_for=other.name)
    assert relevance_rule(fitted, other) == (RELEVANCE_MODEL, 0.5, True)
    assert relevance_rule(fitted, mine) == (RELEVANCE_MODEL, 0.0, True)
    weights = WITHOUT_MEANING.by_name()
    assert {name for name, weight in odds.items() if weight != weights[name]} == {
        "meaning",
        "alone",
        "above the near misses",
    }


def test_the_command_chooses_an_encoder_of_either_kind_and_lists_what_each_costs(
    settings: Settings, catalogue: Catalogue, bilingual: Settings
) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["--data", str(settings.data), *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    said = " ".join(run("models", "--use", bilingual.text_encoder).split())
    assert "48 dimensions, reads the languages en, ru" in said and "`memetica index`" in said
    kept = json.loads((settings.data / "settings.json").read_text("utf-8"))
    assert kept["text_encoder"] == bilingual.text_encoder and "image_encoder" not in kept
    rows = [json.loads(line) for line in run("--json", "models").splitlines()]
    chosen = [row for row in rows if row["in_use"] and row["field"] == "texts"]
    assert [(row["model"], row["license"], row["state"]) for row in chosen] == [
        (bilingual.text_encoder, "mit", "ready")
    ]
    assert chosen[0]["milliseconds"] > 0 and "en, ru" in chosen[0]["languages"]
    known = {row["model"]: row for row in rows}
    assert known["intfloat/multilingual-e5-small"]["license"] == "MIT"
    assert known["intfloat/multilingual-e5-small"]["command"] == "memetica models --use intfloat/multilingual-e5-small"
    assert {"texts", "pictures"} <= {row["field"] for row in rows}
    run("index", "--ocr", "none", "--no-duplicates")
    assert spec_of(live_text_encoder(settings.data / "index")) == bilingual.text_encoder
    assert len(catalogue.embeddings.of_field(live_text_encoder(settings.data / "index"), Field.DESCRIPTION)[0]) == 4
