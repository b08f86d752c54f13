"""What is Qdrant's alone: addresses, requests that are repeated, and the files that answer while the server is away."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from dataclasses import replace

import pytest

from search.errors import IndexUnusable, WrongUse
from search.index.stores import open_index, open_store
from search.searcher import Searcher
from search.settings import load_settings
from search.workspace import Workspace
from tests.search.index.index_contract import MAKING
from tests.support.fakes import HashingTextEncoder

pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")

from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from search.index.qdrant import connection as qdrant_connection
from search.index.qdrant import state as qdrant_state
from search.index.qdrant.connection import ATTEMPTS, Connection, EngineAway, QdrantAddress
from search.index.qdrant.index import QdrantIndex
from search.index.qdrant.points import stored_length
from search.index.qdrant.store import QdrantStore


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


def test_search_goes_to_the_files_when_the_server_stops_and_back_when_it_returns(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    store = QdrantStore(Connection(QdrantClient(":memory:"), "memes"))
    store.build(workspace.catalogue, MAKING)
    monkeypatch.setattr("search.index.live.AWAY_SECONDS", 0.0)
    with Searcher(workspace, index=store.open(), text_encoder=HashingTextEncoder()) as searcher:
        searcher._live._store = store
        assert isinstance(searcher.index, QdrantIndex) and not searcher.reload_if_changed()
        with monkeypatch.context() as stopped:
            stopped.setattr(store, "live", lambda: (_ for _ in ()).throw(EngineAway("Qdrant does not answer.")))
            assert searcher.search("dog in a burning room")[0].path == "Dogs/fine.png"
            assert not isinstance(searcher.index, QdrantIndex)
        assert searcher.search("dog in a burning room")[0].path == "Dogs/fine.png"
        assert isinstance(searcher.index, QdrantIndex)
        assert not any("does not answer" in one for one in searcher.status().missing)


@pytest.mark.parametrize(
    ("length", "stored"), [(0, 0), (39, 39), (40, 40), (41, 40), (55, 54), (56, 56), (59, 56), (1000, 984)]
)
def test_lengths_are_kept_as_lucene_keeps_them(length: int, stored: int) -> None:
    """By Lucene's table: all up to 40, then steps of 2 to 56, of 4 to 88, of 8 to 152, and so on."""
    assert stored_length(length) == stored
