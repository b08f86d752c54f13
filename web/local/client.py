"""Ask the server that runs on a data folder: a command that starts cold then opens no index and loads no model."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from search.results import Answer
from search.settings import Settings
from web.local.answer_json import answer_from_json
from web.local.protocol import TAKEN, common_ground, has_sockets, is_private, socket_address

TAKE_SECONDS = 0.5  # until a server says that it begins: one that is busy is not waited for
ANSWER_SECONDS = 5.0  # until it has answered


def ask_server(settings: Settings, verb: str, arguments: dict[str, Any]) -> Answer | None:
    """Return the answer of the server that runs on this data folder, None where there is none that answers as we would.

    `verb` is `search` or `similar`, `arguments` are those of the searcher's method of this name, as JSON has them. None
    too when the server is of other code or settings, busy, or cannot answer: then the command searches by itself.
    """
    data: Path = settings.data
    if not has_sockets() or not is_private(data):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TAKE_SECONDS)
            with socket_address(data) as address:
                connection.connect(address)
            question = {"ground": common_ground(settings), "verb": verb, "arguments": arguments}
            connection.sendall(json.dumps(question).encode())
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as reader:
                if reader.readline(len(TAKEN)) != TAKEN:
                    return None
                connection.settimeout(ANSWER_SECONDS)
                return answer_from_json(reader.read().decode())
    except (OSError, ValueError):
        return None
