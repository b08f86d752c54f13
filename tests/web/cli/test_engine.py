"""`memetica index --into` and `--compare` against a server on a loopback port, in which Qdrant's real core answers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from search.encoders import registry
from search.settings import Settings, load_settings
from tests.support.fakes import use_hashing_text_encoder
from web.cli.main import main

pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
pytest.importorskip("qdrant_edge", reason="qdrant-edge-py is not installed")

from search.index.qdrant import connection as qdrant_connection
from tests.support.qdrant_server import QdrantServer, qdrant_server
from tests.support.waiting import PATIENCE

KEY = "a key of forty letters, or of any number"
ALIAS = "memetica"
Run = Callable[..., Result]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[QdrantServer]:
    with qdrant_server(tmp_path / "qdrant", key=KEY) as found:
        yield found


@pytest.fixture
def run(tiny_indexed: object, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command over the tiny library, indexed, with the key of the server."""
    use_hashing_text_encoder(monkeypatch)
    monkeypatch.setattr(registry, "export_minilm", lambda models, *, threads: None)
    monkeypatch.setenv("MEMETICA_IMAGE_ENCODER", "none")
    monkeypatch.setenv("MEMETICA_OCR_ENGINE", "none")
    monkeypatch.setattr(qdrant_connection, "FIRST_PAUSE", 0.0)
    monkeypatch.setenv("MEMETICA_QDRANT_KEY", KEY)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--data", str(tiny_settings.data)], env={"COLUMNS": "200"})

    return invoke


def engine_of(settings: Settings) -> str:
    return load_settings({"data": settings.data}).index_engine


def collections(server: QdrantServer) -> list[str]:
    return sorted(server.core.collections)


def test_an_index_goes_to_the_server_and_answers_there_as_here(
    run: Run, server: QdrantServer, tiny_settings: Settings
) -> None:
    here = run("search", "--json", "dog in a burning room")
    written = run("index", "--into", f"qdrant:{server.url}", "--compare")
    assert written.exit_code == 0, written.output
    assert "has 9 memes now" in written.output
    assert "1.000 of the first ten hits are the same, 1.000 of the first hits" in written.output
    assert engine_of(tiny_settings) == f"qdrant:{server.url}"
    server.asked.clear()
    there = run("search", "--json", "dog in a burning room")
    assert there.exit_code == 0
    assert [json.loads(line)["path"] for line in there.stdout.splitlines()] == [
        json.loads(line)["path"] for line in here.stdout.splitlines()
    ]
    assert any(one.endswith("/points/query/batch") for one in server.asked) and "Warning" not in there.stderr
    # Nothing has changed, so nothing is written again.
    live = dict(server.core.aliases)
    server.asked.clear()
    assert run("index").exit_code == 0 and server.core.aliases == live
    assert not any(one.startswith("PUT") for one in server.asked)
    assert run("index", "--into", "local").exit_code == 0 and engine_of(tiny_settings) == "local"
    server.asked.clear()
    assert run("search", "dog").exit_code == 0 and server.asked == []


def test_readers_see_one_whole_index_at_any_moment_and_the_last_two_are_kept(run: Run, server: QdrantServer) -> None:
    place = f"qdrant:{server.url}"
    seen: list[str | None] = []

    def look(method: str, path: str) -> None:
        seen.append(server.core.aliases.get(ALIAS))

    assert run("index", "--into", place).exit_code == 0
    live = [server.core.aliases[ALIAS]]
    server.before = look
    for _ in range(2):
        assert run("index", "--into", place).exit_code == 0
        live.append(server.core.aliases[ALIAS])
    assert seen == sorted(seen, key=live.index), "the alias goes from one to the next, and is never away"
    assert len(set(live)) == 3 and collections(server) == sorted(live[1:])
    # One that was never finished is removed a day later; of another library, nothing is.
    shard = server.core.collections
    with server.core.lock:
        for name in ("memetica--20200101000000-abcdef", "memes--20200101000000-abcdef"):
            body = {"vectors": {}, "sparse_vectors": {"bm25_all": {}}}
            server.core.answer("PUT", ["collections", name], body)
    assert run("index", "--into", place).exit_code == 0
    assert "memes--20200101000000-abcdef" in shard and "memetica--20200101000000-abcdef" not in shard


def test_a_writer_that_is_killed_changes_nothing_and_the_next_one_writes_all(
    run: Run, server: QdrantServer, tiny_settings: Settings
) -> None:
    place = f"qdrant:{server.url}"
    assert run("index", "--into", place).exit_code == 0
    live = dict(server.core.aliases)
    running: list[subprocess.Popen] = []
    for method, end in (("PUT", "/index"), ("PUT", "/points"), ("POST", "/collections/aliases")):
        server.before = _kill_at(running, method, end)
        running.append(_writer(tiny_settings.data, place))
        assert running[-1].wait(PATIENCE) == -signal.SIGKILL
        assert server.core.aliases == live
    server.before = lambda method, path: None
    assert run("search", "dog in a burning room").exit_code == 0
    assert run("index", "--into", place).exit_code == 0 and server.core.aliases != live
    assert "fine.png" in run("search", "dog in a burning room").output


def _kill_at(running: list[subprocess.Popen], method: str, end: str) -> Callable[[str, str], int | None]:
    """Return what kills the last writer when it asks for something, and does not answer it."""

    def kill(asked: str, path: str) -> int | None:
        if asked != method or not path.endswith(end):
            return None
        running[-1].send_signal(signal.SIGKILL)
        return 0

    return kill


def _writer(data: Path, place: str) -> subprocess.Popen:
    code = (
        "import sys; from pathlib import Path; from search.workspace import Workspace; "
        "from indexer.stages.write_engine import write_engine; "
        "write_engine(Workspace.open(Path(sys.argv[1])), engine=sys.argv[2])"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(data), place], stderr=subprocess.DEVNULL)


def test_a_server_that_goes_away_in_the_middle_is_told_and_one_that_is_busy_is_waited_for(
    run: Run, server: QdrantServer, tiny_settings: Settings
) -> None:
    place = f"qdrant:{server.url}"
    assert run("index", "--into", place).exit_code == 0
    live = dict(server.core.aliases)
    gone = False

    def go_away(method: str, path: str) -> int | None:
        nonlocal gone
        gone = gone or (method == "PUT" and path.endswith("/points"))
        return 0 if gone else None

    server.before = go_away
    failed = run("index", "--into", place)
    assert failed.exit_code == 1 and "does not answer" in failed.stderr and "Traceback" not in failed.output
    assert server.core.aliases == live and engine_of(tiny_settings) == place
    found = run("search", "dog in a burning room")  # the data folder's index answers
    assert found.exit_code == 0 and "fine.png" in found.output
    left = 2

    def busy(method: str, path: str) -> int | None:
        nonlocal left
        if method == "PUT" and path.endswith("/points") and left:
            left -= 1
            return 503
        return None

    server.before = busy
    assert run("index", "--into", place).exit_code == 0 and not left
    assert server.core.aliases != live


def test_a_wrong_key_and_a_server_that_is_none_are_told_and_search_stays_here(
    run: Run, server: QdrantServer, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMETICA_QDRANT_KEY", "another")
    refused = run("index", "--into", f"qdrant:{server.url}")
    assert refused.exit_code == 1 and "refuses the key" in refused.stderr and "MEMETICA_QDRANT_KEY" in refused.stderr
    away = run("index", "--into", "qdrant:http://127.0.0.1:9")
    assert away.exit_code == 1 and "does not answer" in away.stderr
    assert run("index", "--into", "qdrant:127.0.0.1").exit_code == 2
    assert engine_of(tiny_settings) == "local" and collections(server) == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_a_certificate_that_nobody_vouches_for_is_refused_until_its_authority_is_named(
    run: Run, tiny_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with qdrant_server(tmp_path / "qdrant", key=KEY, certificate=(certificate, key)) as server:
        refused = run("index", "--into", f"qdrant:{server.url}")
        assert refused.exit_code == 1 and "certificate" in refused.stderr and "qdrant_certificate" in refused.stderr
        assert server.asked == [], "no key goes to a server that may be another"
        for wrong in (tmp_path / "none.pem", tiny_settings.library / "Dogs/fine.png"):
            monkeypatch.setenv("MEMETICA_QDRANT_CERTIFICATE", str(wrong))
            unread = run("index", "--into", f"qdrant:{server.url}")
            assert unread.exit_code == 2 and "no file of certificates" in unread.stderr
        monkeypatch.setenv("MEMETICA_QDRANT_CERTIFICATE", str(certificate))
        written = run("index", "--into", f"qdrant:{server.url}")
        assert written.exit_code == 0, written.output
        assert len(collections(server)) == 1


def test_what_a_curator_changes_is_put_on_the_server(run: Run, server: QdrantServer, tiny_settings: Settings) -> None:
    assert run("index", "--into", f"qdrant:{server.url}").exit_code == 0
    (tiny_settings.library / "Dogs/fine.png.txt").write_text("everything is wonderful", "utf-8")
    assert run("index").exit_code == 0
    server.asked.clear()
    assert "fine.png" in run("search", "wonderful").output
    assert any(one.endswith("/points/query/batch") for one in server.asked)


def test_a_wrong_address_is_refused_before_anything_is_indexed(run: Run, tiny_settings: Settings) -> None:
    (tiny_settings.library / "Dogs/fine.png.txt").write_text("everything is wonderful", "utf-8")
    for wrong in ("qdrant", "elastic:http://127.0.0.1:9"):
        refused = run("index", "--into", wrong)
        assert refused.exit_code == 2 and "not the address of an index" in " ".join(refused.stderr.split())
        assert "indexed" not in refused.stderr
    assert "fine.png" not in run("search", "wonderful").output
