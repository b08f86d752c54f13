"""Queries that a library makes of itself, the ranking held to them, and the command over both."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.evaluation.known_items import (
    DAMAGED,
    DESCRIBED,
    QUOTE,
    QUOTE_WORDS,
    SLIP,
    description_queries,
    index_without,
    quote_queries,
    with_ocr_errors,
    with_typo,
)
from search.evaluation.metrics import mean_metrics, measure_by_kind
from search.evaluation.tuning import Tuning, tune
from search.index.local import LocalIndex
from search.pipeline import QueryPipeline
from search.ranking.fusion import Weights
from search.searcher import Searcher
from search.settings import WEIGHTS, Settings
from search.signals import Signal
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder, use_hashing_text_encoder
from web.cli.main import main

COUNT = 90
SHOWN = [
    "cat",
    "dog",
    "robot",
    "wizard",
    "penguin",
    "teapot",
    "castle",
    "violin",
    "lizard",
    "banana",
    "pirate",
    "tractor",
    "cactus",
    "ghost",
    "kettle",
]
DONE = ["juggles", "paints", "repairs", "ignores", "follows", "measures", "borrows", "hides", "studies", "polishes"]
SAID = [
    "monday",
    "deadline",
    "coffee",
    "printer",
    "meeting",
    "password",
    "weekend",
    "budget",
    "update",
    "server",
    "lunch",
    "invoice",
    "holiday",
    "ticket",
    "keyboard",
    "garden",
    "winter",
    "pillow",
    "bakery",
    "ladder",
    "button",
    "hammer",
    "orange",
    "bottle",
    "candle",
    "mirror",
    "window",
    "basket",
    "pencil",
    "carpet",
]


@dataclass(frozen=True)
class Home:
    """A library of which each meme says its own words, and which two models have described in words of their own."""

    settings: Settings
    catalogue: Catalogue
    index: LocalIndex


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("known")
    chance = random.Random(11)
    for number in range(COUNT):
        file = folder / "memes" / ("Office" if number % 2 else "Home") / f"{number:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24 + number % 7, 24 + number // 7), (number * 2, 255 - number, 90)).save(file)
        first, second = chance.sample(SHOWN, 2)
        done = chance.choice(DONE)
        said = " ".join(chance.sample(SAID, 7))
        file.with_name(file.name + ".txt").write_text(said, "utf-8")
        for model, text in (
            ("vision-a", f'The picture has a {first} that {done} some {second}. It reads "{said}".'),
            ("vision-b", f"Here a {second} is shown while one {first} {done} it."),
        ):
            file.with_name(f"{file.name}.{model}.simple-description.txt").write_text(text, "utf-8")
    settings = Settings(
        library=folder / "memes", data=folder / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
        yield Home(settings, catalogue, LocalIndex.open(settings.data / "index"))


def test_a_quote_stands_in_every_meme_that_answers_it(home: Home) -> None:
    texts = {
        meme.path: home.catalogue.texts.passages_of([meme.id])[1].passage.body
        for meme in home.catalogue.memes.everything()
    }
    found = [one for one in quote_queries(home.catalogue, home.index, sample=30) if one.kind == QUOTE]
    assert len(found) == 30
    for one in found:
        assert QUOTE_WORDS[0] <= len(one.query.split()) <= QUOTE_WORDS[1]
        assert {path for path, text in texts.items() if one.query in text} == set(one.relevant)


def test_quotes_come_clean_slipped_and_damaged_and_the_same_every_time(home: Home) -> None:
    found = quote_queries(home.catalogue, home.index, sample=10)
    assert [one.kind for one in found] == [QUOTE, SLIP, DAMAGED] * 10
    assert found == quote_queries(home.catalogue, home.index, sample=10)
    for clean, slip, hurt in zip(found[::3], found[1::3], found[2::3], strict=True):
        assert slip.query != clean.query != hurt.query
        assert clean.relevant == slip.relevant == hurt.relevant


def test_a_slip_is_one_letter_and_spares_short_words() -> None:
    for seed in range(50):
        text = "to be or another"
        found = with_typo(text, random.Random(seed))
        assert found.startswith("to be or a")
        assert abs(len(found) - len(text)) <= 1
    assert with_typo("to be", random.Random(1)) == "to be"


def test_damage_is_a_letter_taken_for_another_and_a_lost_space() -> None:
    assert {with_ocr_errors("om zzz", random.Random(seed)) for seed in range(30)} == {"0m zzz", "orn zzz"}
    assert len(with_ocr_errors("zzz zzz zzz", random.Random(2)).split()) == 2


def test_what_the_asking_model_wrote_cannot_answer(home: Home, tmp_path: Path) -> None:
    asked = description_queries(home.catalogue, sample=20)
    assert len(asked) >= 10 and {one.source for one in asked} == {"vision-a", "vision-b"}
    quoted = [word for one in asked for word in one.query.query.split() if word in SAID]
    assert not quoted, "what is quoted is the picture's, not the model's"
    without = index_without(home.catalogue, home.index, asked, folder=tmp_path)
    hidden = {(one.meme_id, one.source) for one in asked}
    for id, source in hidden:
        texts = {
            row.passage.source: row.passage.body
            for row in home.catalogue.texts.passages_of([id])
            if row.passage.field == "description"
        }
        [other] = set(texts) - {source}
        own = "picture" if source == "vision-a" else "shown"  # a word of that model's alone
        assert own in texts[source] and own not in texts[other]
        assert id not in without.lexical.search([own], "description", k=COUNT)[0]
        assert len(without.dense["description"].rows_of(id)) == 1
        assert len(home.index.dense["description"].rows_of(id)) == 2
    assert len(without.dense["description"]) == len(home.index.dense["description"]) - len(asked)
    assert len(without.dense["ocr"]) == COUNT


def recall_by_kind(home: Home, weights: Weights, folder: Path) -> dict[str, float]:
    """Return recall@10 by kind of query."""
    own = quote_queries(home.catalogue, home.index, sample=40)
    described = description_queries(home.catalogue, sample=40)
    without = index_without(home.catalogue, home.index, described, folder=folder)
    rankings = []
    paths = {meme.id: meme.path for meme in home.catalogue.memes.everything()}
    for index, queries in ((home.index, own), (without, [one.query for one in described])):
        pipeline = QueryPipeline(home.catalogue, index, HashingTextEncoder(), weights=weights)
        rankings += [
            (one, [paths[int(id)] for id in pipeline.rank(pipeline.plan(one.query)).ranked_ids]) for one in queries
        ]
    metrics = mean_metrics(measure_by_kind(rankings), field="fused")
    return {one.kind: one.value for one in metrics if one.metric == "recall@10"}


def test_the_ranking_finds_known_memes_and_a_worse_one_would_be_noticed(home: Home, tmp_path: Path) -> None:
    floors = {QUOTE: 0.99, SLIP: 0.95, DAMAGED: 0.9, DESCRIBED: 0.8}
    found = recall_by_kind(home, WEIGHTS, tmp_path / "ours")
    assert all(found[kind] >= floor for kind, floor in floors.items()), found
    for worse in ("lexical.name", "semantic.name"):
        lost = recall_by_kind(home, {Signal.parse(worse): 1.0}, tmp_path / worse)
        assert all(lost[kind] < floor / 2 for kind, floor in floors.items()), lost


def run(home: Home, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, list[dict], str]:
    use_hashing_text_encoder(monkeypatch)
    common = ["--library", str(home.settings.library), "--data", str(home.settings.data)]
    found = CliRunner().invoke(main, [*common, "evaluate", "--json", *arguments])
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    return found.exit_code, rows, found.stderr


def test_the_command_measures_every_kind_for_each_field_and_fused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    code, rows, said = run(home, monkeypatch, "--sample", "20")
    assert code == 0, said
    values = {(row["kind"], row["field"], row["metric"]): row for row in rows}
    assert {row["kind"] for row in rows} == {QUOTE, SLIP, DAMAGED, DESCRIBED}
    for kind in (QUOTE, DESCRIBED):
        for metric in ("ndcg@10", "recall@1", "recall@10", "mrr"):
            assert 0 <= values[kind, "fused", metric]["value"] <= 1
            assert values[kind, "lexical.all", metric]["queries"] == 20
    assert values[QUOTE, "fused", "recall@10"]["value"] == 1.0
    less = values[QUOTE, "semantic.name", "ndcg@10 of fused, less this"]
    assert less["value"] > 0.5 and less["p"] < 0.001


@pytest.mark.parametrize(
    "query",
    [
        "{first} {second}",
        "{first} type:image",
        "{first} -{second}",
        "2:{first} {second}",
        "{first} category:home",
        "like:{id}",
        "{first} like:{id}",
        "3:like:{id} {second}",
        "category:office",
        '"{first}" {second}',
    ],
)
def test_evaluation_ranks_as_the_site_does(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, query: str
) -> None:
    text = query.format(first=SHOWN[0], second=SHOWN[1], id=home.catalogue.memes.at("Home/0004.png").id)
    with Searcher(Workspace(home.settings, home.catalogue), text_encoder=HashingTextEncoder()) as searcher:
        answer = searcher.search(text, k=COUNT)
    places = sorted({0, 1, len(answer) // 2, len(answer) - 1})
    judged = tmp_path / "judged.jsonl"
    lines = [
        json.dumps({"query": text, "relevant": [answer[place].path], "kind": f"place {place}"}) for place in places
    ]
    judged.write_text("\n".join(lines), "utf-8")
    code, rows, said = run(home, monkeypatch, str(judged))
    assert code == 0, said
    mrr = {row["kind"]: row["value"] for row in rows if (row["field"], row["metric"]) == ("fused", "mrr")}
    assert mrr == {f"place {place}": pytest.approx(1 / (place + 1), abs=1e-4) for place in places}


def test_the_command_reads_judgements_and_draws(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    (tmp_path / "qrels").write_text("1 0 Home/0000.png 1\n2 0 gone.png 1\n", "utf-8")
    text = home.catalogue.texts.passages_of([home.catalogue.memes.at("Home/0000.png").id])[1].passage.body
    (tmp_path / "queries").write_text(f"1\t{text}\n2\tanything\n", "utf-8")
    picture = tmp_path / "how well.svg"
    files = ["--qrels", str(tmp_path / "qrels"), "--queries", str(tmp_path / "queries"), "--chart", str(picture)]
    code, rows, said = run(home, monkeypatch, *files)
    assert code == 0, said
    assert "1 judged memes are not in the library; 1 of 2 queries are left." in said
    [fused] = [row for row in rows if row["field"] == "fused" and row["metric"] == "ndcg@10"]
    assert (fused["value"], fused["queries"]) == (1.0, 1)
    assert "<svg" in picture.read_text("utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["how well.svg", "qrels", "queries"]


@pytest.mark.parametrize(
    "arguments", [["--chart", "x.bmp"], ["--queries", "x"], ["x", "--qrels", "y"], ["none.jsonl"], ["--sample", "0"]]
)
def test_wrong_use_is_said_before_any_work(home: Home, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    code, rows, said = run(home, monkeypatch, *arguments)
    assert code == 2 and not rows and said


def test_weights_are_kept_only_when_the_held_out_half_gains(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = home.settings.data / "settings.json"
    monkeypatch.setenv(
        "MEMETICA_WEIGHTS", ",".join(f"{name}={float(str(name) == 'semantic.name')}" for name in WEIGHTS)
    )
    tunings: list[Tuning] = []

    def tune_once(*given: Any, **more: Any) -> Tuning:
        """Tune, and the second time return what was found at first: it would be the same, and takes seconds."""
        if not tunings:
            tunings.append(tune(*given, **more))
        return tunings[0]

    monkeypatch.setattr("web.cli.evaluate.tune", tune_once)
    code, rows, said = run(home, monkeypatch, "--sample", "30", "--fit")
    assert code == 0, said
    [fitted] = [row for row in rows if "weights" in row]
    before, after = (
        next(row["value"] for row in rows if row["field"] == field and row["kind"].startswith("mean of kinds"))
        for field in ("before", "fitted")
    )
    assert fitted["kept"] and after > before + 0.2
    assert kept.exists() and "Saved the tuned weights" in said
    kept.unlink()
    monkeypatch.setattr("search.evaluation.tuning.MIN_HELD_OUT_GAIN", 2.0)  # more than there is to gain
    code, rows, said = run(home, monkeypatch, "--sample", "30", "--fit")
    assert code == 0 and "nothing is changed" in said and not kept.exists(), said
