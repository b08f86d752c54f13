"""What is Qdrant's alone: addresses, requests that are repeated, and the files that answer while the server is away."""

from __future__ import annotations

import shutil
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.errors import IndexUnusable, WrongUse
from search.index.local import LocalStore
from search.index.stores import open_index, open_store
from search.ranking.remembered import RememberedAnswers
from search.searcher import Searcher
from search.settings import load_settings
from search.workspace import Workspace
from tests.search.index.index_contract import MAKING
from tests.support.fakes import HashingTextEncoder
from tests.support.waiting import PATIENCE, until

pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")

from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from search.index.qdrant import connection as qdrant_connection
from search.index.qdrant import state as qdrant_state
from search.index.qdrant import store as qdrant_store
from search.index.qdrant.connection import ATTEMPTS, Connection, EngineAway, QdrantAddress, connect
from search.index.qdrant.index import QdrantIndex
from search.index.qdrant.points import stored_length
from search.index.qdrant.store import QdrantStore
from search.index.qdrant.words import QdrantWords


@pytest.fixture
def away() -> Iterator[str]:
    """The address of a server that nobody runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: connections are refused
        yield f"qdrant:http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qdrant_connection, "FIRST_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("written", "version", "said"),
    [
        (1, "", "by a version of Memetica that is older than this one: it has the format 1, this one reads"),
        (1, "0.0.7", "by Memetica 0.0.7: it has the format 1, this one reads"),
        (99, "", "by a version of Memetica that is newer than this one: it has the format 99, this one reads"),
    ],
)
def test_a_collection_of_another_version_says_who_wrote_it_and_is_written_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, written: int, version: str, said: str
) -> None:
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    store = QdrantStore(Connection(QdrantClient(":memory:"), "memes", place="Qdrant at here"))
    with monkeypatch.context() as earlier:
        earlier.setattr(qdrant_state, "FORMAT", written)
        earlier.setattr(qdrant_state, "__version__", version)
        store.build(workspace.catalogue, MAKING)
    for read in (store.open, lambda: store.drop(workspace.catalogue, [1])):
        with pytest.raises(IndexUnusable) as found:
            read()
        assert found.value.message.startswith("The index in Qdrant at here was written ")
        assert said in found.value.message and "damaged" not in found.value.message
        assert "memetica index --into qdrant:URL" in found.value.hint
        assert ("Update" in found.value.hint) == (written > qdrant_state.FORMAT)
    store.build(workspace.catalogue, MAKING)
    assert len(store.open().columns) == 9


@pytest.mark.parametrize(
    "text", ["qdrant:host:6333", "qdrant:http://", "qdrant:http://key@host", "qdrant:http://h/a/b", "http://host"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WrongUse):
        QdrantAddress.parse(text)
    with pytest.raises(WrongUse, match="index_engine"):
        load_settings({}, environ={"MEMETICA_INDEX_ENGINE": text})


def test_a_request_is_repeated_until_the_server_answers_or_three_times() -> None:
    connection, asked = Connection(None, "memes"), []

    def busy(until: int) -> str:
        asked.append(until)
        if len(asked) < until:
            raise ResponseHandlingException(OSError("no route"))
        return "answer"

    assert connection.ask(busy, 3) == "answer" and len(asked) == 3
    asked.clear()
    with pytest.raises(EngineAway, match="no route"):
        connection.ask(busy, 9)
    assert len(asked) == ATTEMPTS


def test_a_refused_key_is_told_and_not_tried_again() -> None:
    asked = []

    def refuse() -> None:
        asked.append(1)
        raise UnexpectedResponse(401, "Unauthorized", b"", None)  # type: ignore[arg-type]

    with pytest.raises(IndexUnusable, match="refuses the key") as found:
        Connection(None, "memes").ask(refuse)
    assert "MEMETICA_QDRANT_KEY" in found.value.hint and len(asked) == 1


def test_the_files_answer_while_the_server_is_away_and_the_reason_is_told(workspace: Workspace, away: str) -> None:
    elsewhere = replace(workspace, settings=replace(workspace.settings, index_engine=away))
    with Searcher(elsewhere, text_encoder=HashingTextEncoder()) as searcher:
        assert searcher.search("dog in a burning room")[0].path == "Dogs/fine.png"
        assert any("does not answer" in one for one in searcher.status().missing)


def test_without_files_a_server_that_is_away_is_an_error(workspace: Workspace, away: str) -> None:
    settings = replace(workspace.settings, index_engine=away, data=workspace.data / "nothing")
    with pytest.raises(EngineAway, match="does not answer"):
        open_index(settings)
    with pytest.raises(EngineAway):
        open_store(settings).build(workspace.catalogue, MAKING)


@contextmanager
def searching(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Searcher, QdrantStore]]:
    """A searcher over an index that an engine keeps, and its store; an engine that is away is asked again at once."""
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    store = QdrantStore(Connection(QdrantClient(":memory:"), "memes"))
    store.build(workspace.catalogue, MAKING)
    monkeypatch.setattr("search.index.live.AGAIN_SECONDS", 0.0)
    with Searcher(workspace, index=store.open(), text_encoder=HashingTextEncoder()) as searcher:
        searcher._live._store = store
        assert isinstance(searcher.index, QdrantIndex) and not searcher.reload_if_changed()
        yield searcher, store


def is_away(*_: object, **__: object) -> None:
    raise EngineAway("Qdrant does not answer.")


def returned(searcher: Searcher) -> bool:
    """Search, and return whether the engine answers."""
    assert searcher.search("dog in a burning room")[0].path == "Dogs/fine.png"
    return isinstance(searcher.index, QdrantIndex)


def test_search_goes_to_the_files_when_the_server_stops_and_back_when_it_returns(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with searching(workspace, monkeypatch) as (searcher, store):
        with monkeypatch.context() as stopped:
            stopped.setattr(store, "live", is_away)
            stopped.setattr(store, "open", is_away)
            assert searcher.search("dog in a burning room")[0].path == "Dogs/fine.png"
            assert not isinstance(searcher.index, QdrantIndex)
            assert any("does not answer" in one for one in searcher.status().missing)
        until(lambda: returned(searcher))
        assert not any("does not answer" in one for one in searcher.status().missing)


@pytest.mark.parametrize("away", ["propose", "judge", "_find", "rows_of"])
def test_a_server_that_stops_in_the_middle_of_a_search_makes_no_search_fail(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    with searching(workspace, monkeypatch) as (searcher, store):
        expected = [hit.path for hit in searcher.search('"this is fine" or dog')], len(searcher.similar(4))
        with monkeypatch.context() as stopped:
            stopped.setattr(store, "open", is_away)
            stopped.setattr(QdrantWords if away == "_find" else QdrantIndex, away, is_away)
            searcher._remembered = RememberedAnswers()
            searcher._live._use(QdrantIndex(store._connection, searcher.index._state))  # remembers nothing
            assert (
                [hit.path for hit in searcher.search('"this is fine" or dog')],
                len(searcher.similar(4)),
            ) == expected
            assert not isinstance(searcher.index, QdrantIndex)
        until(lambda: returned(searcher))


def test_a_collection_that_is_gone_sends_searches_to_the_files(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with searching(workspace, monkeypatch) as (searcher, store):
        store._connection.client.delete_collection(store.open().manifest.generation)
        assert searcher.search("dog in a burning room")[0].path == "Dogs/fine.png"
        assert not isinstance(searcher.index, QdrantIndex)


def test_while_the_server_is_away_changes_of_the_files_are_seen_and_nobody_waits_for_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with searching(workspace, monkeypatch) as (searcher, store):
        asked, ends = threading.Event(), threading.Event()

        def hangs() -> None:
            asked.set()
            ends.wait(PATIENCE)
            is_away()

        with monkeypatch.context() as stopped:
            stopped.setattr(store, "live", is_away)
            stopped.setattr(store, "open", hangs)
            for _ in range(2):
                assert searcher.search("dog in a burning room")[0].path == "Dogs/fine.png"
            assert asked.wait(PATIENCE)
            LocalStore(workspace.index).drop(workspace.catalogue, [4])
            assert "Dogs/fine.png" not in [hit.path for hit in searcher.search("dog in a burning room")]
            assert not ends.is_set()
            ends.set()
            searcher._live._asking.join(PATIENCE)
        until(lambda: isinstance(searcher.index, QdrantIndex) or searcher.reload_if_changed())


def test_a_collection_that_could_not_be_opened_once_is_opened_later(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with searching(workspace, monkeypatch) as (searcher, store):
        store.drop(workspace.catalogue, [4])
        with monkeypatch.context() as stopped:
            stopped.setattr(store, "open", is_away)
            assert not searcher.reload_if_changed() and len(searcher.index.columns) == 9
            assert "does not answer" in searcher._live.refusal
        assert searcher.reload_if_changed() and len(searcher.index.columns) == 8 and not searcher._live.refusal


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (200, {}, b"<html>Please log in</html>", "not as a Qdrant server does"),
        (200, {}, b"", "not as a Qdrant server does"),
        (200, {}, b"\xff\xfe\x00", "not as a Qdrant server does"),
        (200, {}, b"[]", "not as a Qdrant server does"),
        (200, {}, b'{"result": null, "status": "ok", "time": 0}', "not as a Qdrant server does"),
        (200, {"Content-Encoding": "gzip"}, b"no gzip", "does not answer"),
        (429, {"Retry-After": "1"}, b"{}", "does not answer"),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"{}", "does not answer"),
        (302, {"Location": "http://127.0.0.1:1/"}, b"", "answered 302"),
        (500, {}, b'{"status": {"error": "no space left"}}', "no space left"),
        (404, {}, b"nothing here", "answered 404"),
    ],
)
def test_what_no_qdrant_would_answer_is_an_error_in_words(
    status: int, headers: dict[str, str], body: bytes, said: str
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *arguments: object) -> None:
            """Write no line for each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        store = QdrantStore(Connection(connect(f"http://127.0.0.1:{server.server_port}"), "memes", place="Qdrant here"))
        for ask in (store.live, store.open):
            with pytest.raises(IndexUnusable, match=said) as found:
                ask()
            assert "Qdrant here" in found.value.message and "index_engine" in found.value.hint
        server.shutdown()
        thread.join()


def test_collections_of_others_are_left_alone(workspace: Workspace) -> None:
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    client = QdrantClient(":memory:")
    others = (
        "memes--archive",
        "memes--old--20200101000000-abcdef",
        "memes--20200101000000",
        "xmemes--20200101000000-abcdef",
    )
    for name in (*others, "memes--20200101000000-abcdef"):
        client.create_collection(name, {})
    store = QdrantStore(Connection(client, "memes"))
    store.build(workspace.catalogue, MAKING)
    left = {one.name for one in client.get_collections().collections}
    assert left == {*others, store.open().manifest.generation}


def test_a_collection_whose_making_was_answered_too_late_is_filled(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    client = QdrantClient(":memory:")
    create, made = client.create_collection, []

    def slow(name: str, *settings: Any, **more: Any) -> None:
        if made:
            raise UnexpectedResponse(409, "Conflict", b"already exists", None)  # type: ignore[arg-type]
        made.append(create(name, *settings, **more))
        raise ResponseHandlingException(TimeoutError("timed out"))

    monkeypatch.setattr(client, "create_collection", slow)
    store = QdrantStore(Connection(client, "memes"))
    store.build(workspace.catalogue, MAKING)
    assert len(store.open().columns) == 9


def test_many_changed_memes_are_sent_in_several_requests(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    monkeypatch.setattr(qdrant_store, "AT_ONCE", 2)
    client = QdrantClient(":memory:")
    store = QdrantStore(Connection(client, "memes"))
    store.build(workspace.catalogue, MAKING)
    before = store.open()
    sent: list[int] = []
    upsert, retrieve = client.upsert, client.retrieve
    monkeypatch.setattr(
        client, "upsert", lambda name, points, **more: (sent.append(len(points)), upsert(name, points, **more))[1]
    )
    monkeypatch.setattr(
        client, "retrieve", lambda name, ids, **more: (sent.append(len(ids)), retrieve(name, ids, **more))[1]
    )
    store.put(workspace.catalogue, range(1, 10), least_weight=MAKING.least_weight)
    after = store.open()
    assert max(sent) == 2 and after.columns.ids.tolist() == list(range(1, 10))
    assert after.lexical.counts == before.lexical.counts


def write_texts(workspace: Workspace, ids: list[int], text: str) -> None:
    """Let the library say something else of some memes, and read it."""
    for id in ids:
        (workspace.library / f"{workspace.catalogue.memes.get(id).path}.txt").write_text(text, "utf-8")
    index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder())


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("kills", [1, 3])
@pytest.mark.parametrize("changed", [True, False], ids=["changed", "unchanged"])
def test_changes_that_were_killed_before_they_were_counted_are_counted_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kills: int, changed: bool
) -> None:
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    store = QdrantStore(Connection(QdrantClient(":memory:"), "memes"))
    store.build(workspace.catalogue, MAKING)
    ids = store.open().columns.ids.tolist()[:4]

    def killed(*arguments: object) -> None:
        raise Killed

    for kill in range(kills):
        if changed:
            write_texts(workspace, ids, f"words of the attempt {'abc'[kill]} to tell")
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(qdrant_state.Change, "write", killed)
            store.put(workspace.catalogue, ids, least_weight=MAKING.least_weight)
    if changed:
        write_texts(workspace, ids[:1], "the last words")
    store.put(workspace.catalogue, ids, least_weight=MAKING.least_weight)
    store.drop(workspace.catalogue, ids[1:2])
    store.put(workspace.catalogue, ids[1:2], least_weight=MAKING.least_weight)
    after = store.open()
    fresh = QdrantStore(Connection(QdrantClient(":memory:"), "memes"))
    fresh.build(workspace.catalogue, MAKING)
    expected = fresh.open()
    assert after.lexical.counts == expected.lexical.counts
    assert dict(after.manifest.rows) == dict(expected.manifest.rows)
    assert after.columns.ids.tolist() == expected.columns.ids.tolist()


def test_a_meme_whose_name_has_no_letters_is_counted_once_however_often_it_changes(workspace: Workspace) -> None:
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    file = workspace.library / "!" / "?.png"
    file.parent.mkdir()
    shutil.copyfile(workspace.library / "Robots/no words.png", file)
    index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
    store = QdrantStore(Connection(QdrantClient(":memory:"), "memes"))
    store.build(workspace.catalogue, MAKING)
    before = store.open()
    for _ in range(3):
        store.put(workspace.catalogue, [workspace.catalogue.memes.at("!/?.png").id], least_weight=MAKING.least_weight)
    assert len(store.open().lexical) == len(before.lexical) == len(LocalStore(workspace.index).open().lexical) == 10


@pytest.mark.parametrize(
    ("length", "stored"), [(0, 0), (39, 39), (40, 40), (41, 40), (55, 54), (56, 56), (59, 56), (1000, 984)]
)
def test_lengths_are_kept_as_lucene_keeps_them(length: int, stored: int) -> None:
    """By Lucene's table: all up to 40, then steps of 2 to 56, of 4 to 88, of 8 to 152, and so on."""
    assert stored_length(length) == stored
