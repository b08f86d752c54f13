"""`memetica describe`: the command over the stage, with a scripted endpoint."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner, Result

from indexer.describe.options import Assignment, DescribeStats
from indexer.library.scan import scan_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.meme import TextKind
from search.settings import Settings
from tests.support.tiny import TINY
from tests.support.vision_server import Asked, Fails, Says, VisionServer
from web.cli.describe import assignments_of
from web.cli.main import main
from web.cli.output import tally_sentence


@pytest.fixture
def scanned(tiny_settings: Settings) -> Settings:
    with open_catalogue(tiny_settings) as catalogue:
        scan_library(tiny_settings.library, catalogue, progress=SILENT)
    return tiny_settings


def memetica(settings: Settings, *arguments: str) -> Result:
    places = ["--library", str(settings.library), "--data", str(settings.data)]
    return CliRunner().invoke(main, [*arguments, *places], catch_exceptions=False)


def described(asked: Asked) -> Says:
    return Says("A white disc on a coloured ground.")


def test_the_command_describes_and_counts_what_it_cost(scanned: Settings) -> None:
    with VisionServer(described) as server:
        arguments = ("--model", "qwen", "--endpoint", server.url, "--price-in", "1", "--limit", "4", "--json")
        done = memetica(scanned, "describe", *arguments)
    assert done.exit_code == 0
    row = json.loads(done.stdout)
    assert (row["done"], row["failed"], row["calls"], row["tokens_in"], row["cost"]) == (4, 0, 4, 4000, 0.004)
    assert "4 described in" in done.stderr
    assert "memetica index" in done.stderr


def test_the_setting_names_the_model_when_the_command_does_not(
    scanned: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnamed = memetica(scanned, "describe")
    assert unnamed.exit_code == 2 and "`--model`" in unnamed.stderr and "`describe_model`" in unnamed.stderr
    monkeypatch.setenv("MEMETICA_DESCRIBE_MODEL", "qwen")
    with VisionServer(described) as server:
        assert memetica(scanned, "describe", "--endpoint", server.url, "--limit", "1").exit_code == 0
    assert [asked.body["model"] for asked in server.asked] == ["qwen"]


def test_structured_answers_are_stored_as_their_texts(scanned: Settings) -> None:
    def script(asked: Asked) -> Says:
        assert asked.body["response_format"]["type"] == "json_schema"
        return Says(json.dumps({"description": "A white disc on a coloured ground."}))

    with VisionServer(script) as server:
        arguments = ("--model", "qwen", "--endpoint", server.url, "--limit", "2", "--structured")
        assert memetica(scanned, "describe", *arguments).exit_code == 0
    with open_catalogue(scanned) as catalogue:
        versions = {record.call.prompt for record in catalogue.calls.all(model="qwen")}
        memes = catalogue.memes.everything()
        texts = [text.body for meme in memes for text in catalogue.texts.of(meme) if text.source == "qwen"]
    assert texts == ["A white disc on a coloured ground."] * 2 and versions == {"1+structured"}


def test_a_failure_is_an_exit_code_that_status_explains_and_retry_forgets(scanned: Settings) -> None:
    def script(asked: Asked) -> Says | Fails:
        return Fails(400, "image cannot be processed") if asked.number == 0 else described(asked)

    with VisionServer(script) as server:
        failed = memetica(scanned, "describe", "--model", "qwen", "--endpoint", server.url)
        assert failed.exit_code == 1
        status = memetica(scanned, "status", "--json")
        assert "image cannot be processed" in status.stdout
        assert memetica(scanned, "describe", "--model", "qwen", "--endpoint", server.url).exit_code == 0
        assert len(server.asked) == len(TINY)
        forgotten = memetica(scanned, "retry", "describe")
        assert "qwen.simple-description" in forgotten.stderr
        again = memetica(scanned, "describe", "--model", "qwen", "--endpoint", server.url, "--json")
    assert json.loads(again.stdout)["done"] == 1


def test_an_endpoint_where_nobody_is_and_a_wrong_model_are_said_in_a_sentence(scanned: Settings) -> None:
    nobody = memetica(scanned, "describe", "--model", "qwen", "--endpoint", "http://127.0.0.1:9/v1")
    assert nobody.exit_code == 1
    assert nobody.stderr.count("Nothing answers at") == 1 and "http://127.0.0.1:9/v1" in nobody.stderr
    two = ("--endpoint", "http://127.0.0.1:9/v1", "--endpoint", "http://127.0.0.1:10/v1")
    both = memetica(scanned, "describe", "--model", "qwen", *two)
    assert sorted(re.findall(r"Nothing answers at http://127.0.0.1:(\d+)/v1", both.stderr)) == ["10", "9"]
    with VisionServer(lambda asked: Fails(404, 'model "nope" not found')) as server:
        unknown = memetica(scanned, "describe", "--model", "nope", "--endpoint", server.url, "--json")
    error = json.loads(unknown.stderr.splitlines()[-1])["error"]
    assert error["code"] == "model_unavailable"
    assert 'model "nope" not found' in error["message"]


def test_wrong_use_is_exit_code_2(scanned: Settings) -> None:
    assert memetica(scanned, "describe").exit_code == 2
    assert memetica(scanned, "describe", "--model", "::", "--endpoint", "http://127.0.0.1:9").exit_code == 2
    assert memetica(scanned, "describe", "--model", "m", "--endpoint", "nowhere://x").exit_code == 2


def test_a_model_runs_at_its_own_address_or_at_each_endpoint() -> None:
    simple = TextKind.SIMPLE
    assert assignments_of(("a", "b@v2@http://x/v1"), simple, endpoints=("http://y/v1", "http://z/v1")) == [
        Assignment("a", simple, "http://y/v1"),
        Assignment("a", simple, "http://z/v1"),
        Assignment("b@v2", simple, "http://x/v1"),
    ]


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        (DescribeStats(done=3, seconds=61.2), "3 described in 61 s."),
        (
            DescribeStats(
                done=1200, failed=2, to_go=300, seconds=3600, seconds_to_go=900.4, cost=1.5, cost_to_go=0.375
            ),
            "1,200 described; 2 failed in 60 min; 300 to go, about 15 min; cost 1.50, about 0.38 to go.",
        ),
        (
            DescribeStats(done=1, elsewhere=4, written=1, unwritten=2, seconds=8000, tokens_in=5000, tokens_out=70),
            "1 described; 4 left to other runs; 1 sidecars written; 2 sidecars could not be written in 2.2 h; "
            "5,000 + 70 tokens.",
        ),
    ],
)
def test_a_count_is_said_in_a_sentence(tally: DescribeStats, said: str) -> None:
    assert tally_sentence(tally) == said
