"""The server's side of the local socket: one question at a time, in a thread of its own."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from search.errors import MemeticaError
from search.meme import Likeness, Sort
from search.results import Answer
from search.searcher import Searcher
from search.settings import Settings
from web.local.answer_json import answer_to_json
from web.local.protocol import (
    MAX_QUESTION,
    SOCKET_FILE,
    TAKEN,
    common_ground,
    has_sockets,
    is_private,
    socket_address,
)

logger = logging.getLogger("memetica.site")
READ_SECONDS = 1.0  # in which a question must have arrived, and an answer be read
WAITING = 4  # questions that may wait


class LocalListener:
    """Answers the commands of its own user with a site's searcher, from `start` until `close`."""

    def __init__(self, settings: Settings, searcher: Callable[[], Searcher]) -> None:
        self._settings = settings
        self._searcher = searcher
        self._ground = common_ground(settings)  # of the code that runs, whatever becomes of its files
        self._socket: socket.socket | None = None
        self._closing = threading.Event()
        self._inode = 0
        self._thread = threading.Thread(target=self._answer_all, name="local socket", daemon=True)

    def start(self) -> bool:
        """Begin to answer; return False where there can be no socket, or another server has it."""
        data = self._settings.data
        if not has_sockets() or not is_private(data):
            return False
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with socket_address(data) as address:
                if _is_answered(address):
                    raise OSError("another server has it")
                (data / SOCKET_FILE).unlink(missing_ok=True)  # of a server that was killed
                bound.bind(address)
            bound.listen(WAITING)
            self._inode = (data / SOCKET_FILE).stat().st_ino
        except OSError:
            bound.close()
            return False
        self._socket = bound
        self._thread.start()
        return True

    def close(self) -> None:
        """Stop answering, when the current question is answered, and remove the socket."""
        if self._socket is None:
            return
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._socket.close()
        self._thread.join()
        file = self._settings.data / SOCKET_FILE
        with suppress(OSError):
            if file.stat().st_ino == self._inode:  # not of another server that came after
                file.unlink()

    def _answer_all(self) -> None:
        assert self._socket is not None
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed, or for the moment there are too many open files
                self._closing.wait(READ_SECONDS)
                continue
            try:
                with connection, suppress(OSError):  # who asked has gone
                    connection.settimeout(READ_SECONDS)
                    self._answer(connection)
            except Exception:  # the thread's edge: otherwise one question would end it, and every later one waits
                logger.exception("A command's question was not answered; the command searches by itself.")

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reader:
            question = reader.read(MAX_QUESTION)
        try:
            asked = json.loads(question)
            if asked["ground"] != self._ground:
                return
            verbs: dict[str, Callable[..., Answer]] = {"search": self._search, "similar": self._similar}
            ask = verbs[asked["verb"]]
            arguments = asked["arguments"]
            connection.sendall(TAKEN)
            text = answer_to_json(ask(**arguments))
        except (MemeticaError, ValueError, TypeError, KeyError, RecursionError):
            return  # the command finds out by itself what is wrong
        connection.sendall(text.encode())

    def _search(self, query: str, *, sort: str, **page: Any) -> Answer:
        return self._searcher().search(query, sort=Sort(sort), **page)

    def _similar(self, meme: int | str, *, by: str, k: int) -> Answer:
        return self._searcher().similar(meme, by=Likeness(by), k=k)


def _is_answered(address: str) -> bool:
    """Return whether a server listens at an address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(READ_SECONDS)
        try:
            asking.connect(address)
        except OSError:
            return False
        return True
