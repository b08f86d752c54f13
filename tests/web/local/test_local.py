"""The socket in the data folder: what a server says there, what a command prints of it, and when neither is used."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import search
from search.results import Answer
from search.searcher import Searcher
from search.settings import Settings, load_settings, save_setting
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.waiting import PATIENCE
from web.cli.main import main
from web.local import client, protocol
from web.local import listener as listening
from web.local.answer_json import answer_from_json, answer_to_json
from web.local.client import ask_server
from web.local.listener import LocalListener
from web.local.protocol import SOCKET_FILE, common_ground, socket_address

pytestmark = pytest.mark.skipif(not protocol.has_sockets(), reason="this system has no sockets that are files")

PAGE = {"k": 5, "offset": 0, "sort": "relevance", "collapse": True, "verbatim": False}


@pytest.fixture
def searcher(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Searcher]:
    """The searcher of a server over the tiny library; commands can load the same encoder."""
    monkeypatch.setattr("search.index.live.load_text_encoder", lambda settings, name: HashingTextEncoder())
    for module, name in ((client, "TAKE_SECONDS"), (client, "ANSWER_SECONDS"), (listening, "READ_SECONDS")):
        monkeypatch.setattr(module, name, PATIENCE)  # a machine that is busy with tests is no busy server
    workspace.data.chmod(0o700)
    with Searcher(workspace) as found:
        yield found


@pytest.fixture
def listener(workspace: Workspace, searcher: Searcher) -> Iterator[LocalListener]:
    found = LocalListener(workspace.settings, lambda: searcher)
    assert found.start()
    yield found
    found.close()


def ask(settings: Settings, query: str = "dog") -> Answer | None:
    return ask_server(settings, "search", {"query": query, **PAGE})


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, [*arguments, "--data", str(settings.data)])


def without_time(said: str) -> str:
    return re.sub(r"\d+ ms", "… ms", said)


@pytest.mark.parametrize(
    "query", ["a dog in a burning room", "type:image -medal", "xylophone", '"burning room" cat', "hte dog"]
)
def test_an_answer_comes_back_from_json_as_it_was(searcher: Searcher, query: str) -> None:
    answer = searcher.search(query, collapse=True)
    assert answer_from_json(answer_to_json(answer)) == answer
    similar = searcher.similar(4)
    assert similar.understood.similar_to is not None
    assert answer_from_json(answer_to_json(similar)) == similar


def test_a_page_of_another_version_is_no_answer(searcher: Searcher) -> None:
    whole = answer_to_json(searcher.search("dog"))
    for text in ("", "{}", "[]", whole[:-20], whole.replace('"image"', '"hologram"'), f"[{whole}]"):
        with pytest.raises(ValueError):
            answer_from_json(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "a dog in a burning room"),
        ("search", "dog -medal type:image after:2001", "-k", "2", "--offset", "1", "--sort", "newest"),
        ("search", "burnin room", "--all-variants", "--json"),
        ("search", "burnin room", "--verbatim"),
        ("search", "dog", "--paths"),
        ("search", "category:Nowhere"),
        ("search", "like:99"),
        ("similar", "Dogs/fine.png", "--by", "words"),
        ("similar", "4", "--json"),
        ("similar", "Dogs/no such.png"),
    ],
)
def test_a_command_prints_the_same_with_a_server_and_without(
    workspace: Workspace, searcher: Searcher, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    alone = run(workspace.settings, *arguments)
    answered: list[bool] = []
    monkeypatch.setattr(
        "web.cli.find.ask_server", lambda *asked: [answered.append((found := ask_server(*asked)) is not None), found][1]
    )
    listener = LocalListener(workspace.settings, lambda: searcher)
    assert listener.start()
    served = run(workspace.settings, *arguments)
    listener.close()
    assert (served.exit_code, served.stdout) == (alone.exit_code, alone.stdout)
    assert without_time(served.stderr) == without_time(alone.stderr)
    assert answered == [alone.exit_code == 0]  # what fails is told by the command itself


def test_where_a_server_answers_a_command_opens_no_index(
    workspace: Workspace, listener: LocalListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*arguments: object, **more: object) -> None:
        raise AssertionError("a searcher was opened")

    monkeypatch.setattr(search, "Searcher", opened)
    assert "Dogs/fine.png" in run(workspace.settings, "search", "burning room").stdout


def test_only_a_server_of_the_same_code_and_settings_is_believed(
    workspace: Workspace, listener: LocalListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = workspace.settings
    assert ask(settings) is not None
    assert ask(replace(settings, port=1, site_name="Other", library=Path("/elsewhere"))) is not None
    assert ask(replace(settings, certain_above=0.5)) is None
    assert ask(replace(settings, weights={**settings.weights, next(iter(settings.weights)): 0.9})) is None
    assert ask(replace(settings, index_engine="qdrant:http://127.0.0.1:1")) is None
    save_setting(settings.data, "certain_above", "0.5")  # while the server runs
    assert ask(load_settings({"data": settings.data})) is None
    monkeypatch.setattr(protocol, "__version__", "0.0.1")
    assert ask(settings) is None


def test_code_that_changed_under_a_running_server_is_other_code(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    file = tmp_path / "code" / "a.py"
    file.write_text("a = 1")
    monkeypatch.setattr(protocol, "_PACKAGES", (str(tmp_path / "code"),))
    before = common_ground(workspace.settings)
    assert common_ground(workspace.settings) == before
    file.write_text("a = 22")
    assert common_ground(workspace.settings) != before


def test_a_folder_that_others_can_enter_has_no_socket(workspace: Workspace, searcher: Searcher) -> None:
    workspace.data.chmod(0o750)
    listener = LocalListener(workspace.settings, lambda: searcher)
    assert not listener.start()
    assert not (workspace.data / SOCKET_FILE).exists()
    listener.close()


def test_a_socket_in_a_folder_that_was_opened_to_others_is_not_asked(
    workspace: Workspace, listener: LocalListener
) -> None:
    workspace.data.chmod(0o755)
    assert ask(workspace.settings) is None


def test_a_busy_server_is_not_waited_for(
    workspace: Workspace, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Searcher:
        begun.set()
        assert go_on.wait(PATIENCE)
        return searcher

    listener = LocalListener(workspace.settings, slow)
    assert listener.start()
    first: list[Answer | None] = []
    asking = threading.Thread(target=lambda: first.append(ask(workspace.settings)))
    asking.start()
    assert begun.wait(PATIENCE)
    monkeypatch.setattr(client, "TAKE_SECONDS", 0.01)
    assert ask(workspace.settings) is None
    go_on.set()
    asking.join()
    listener.close()
    assert first[0] is not None and first[0].total > 0


def test_the_socket_of_a_killed_server_is_replaced_and_that_of_a_living_one_is_not(
    workspace: Workspace, searcher: Searcher
) -> None:
    left = socket.socket(socket.AF_UNIX)
    with socket_address(workspace.data) as address:
        left.bind(address)
    left.close()
    assert (workspace.data / SOCKET_FILE).exists() and ask(workspace.settings) is None
    living, second = (LocalListener(workspace.settings, lambda: searcher) for _ in range(2))
    assert living.start() and not second.start()
    second.close()
    assert ask(workspace.settings) is not None
    living.close()
    assert not (workspace.data / SOCKET_FILE).exists() and ask(workspace.settings) is None


@pytest.mark.parametrize("said", [b"", b"\n", b"{}", b"[1]", b'{"ground": 1}', b"\xff\xfe", b"[" * 200_000])
def test_nonsense_is_not_answered_and_ends_nothing(workspace: Workspace, listener: LocalListener, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as asking, socket_address(workspace.data) as address:
        asking.connect(address)
        asking.settimeout(PATIENCE)
        try:
            asking.sendall(said)
            asking.shutdown(socket.SHUT_WR)
            assert asking.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert ask(workspace.settings) is not None


def test_a_question_that_fails_in_no_foreseen_way_does_not_end_the_answers(
    workspace: Workspace, searcher: Searcher, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [RuntimeError("cannot schedule new futures after shutdown")]

    def sometimes() -> Searcher:
        if failures:
            raise failures.pop()
        return searcher

    listener = LocalListener(workspace.settings, sometimes)
    assert listener.start()
    assert ask(workspace.settings) is None and ask(workspace.settings) is not None
    listener.close()
    assert "cannot schedule new futures after shutdown" in caplog.text


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no short names of open folders")
def test_a_data_folder_far_down_has_a_socket_too(workspace: Workspace, searcher: Searcher, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    deep.mkdir(parents=True, mode=0o700)
    settings = replace(workspace.settings, data=deep)
    listener = LocalListener(settings, lambda: searcher)
    assert len(os.fsencode(deep)) > protocol.MAX_PATH and listener.start()
    assert ask(settings) is not None
    listener.close()
    assert list(deep.iterdir()) == []
