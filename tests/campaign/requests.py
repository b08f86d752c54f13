"""What the server is asked for, or does by itself in the background, while it is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from search.index.generations import live_image_encoder
from tests.campaign.library import OLD_PASSWORD, Folder
from tests.campaign.scenarios import Base, done, issue, merged, moved, verdict
from tests.support.curating import token_in
from tests.support.uploading import drawn

IDENTICAL = ("Dogs/fine.png", "Cats/fine again.png")
SENT = "sent over HTTP.png"
TRIES = 20


@dataclass(frozen=True)
class Asked:
    """A request of the curator: `send` returns whether it was answered as done.

    Without `send`, the server does it by itself when it starts; `is_done` says when everything is done.
    """

    name: str
    send: Callable[[httpx.Client, Folder], bool] | None
    prepare: Callable[[Folder], None] = lambda folder: None
    is_done: Callable[[Folder], bool] = lambda folder: rests(folder)
    base: Base = Base.INBOX
    is_appended: bool = False  # sent twice, it is done twice
    ends_session: bool = False

    @property
    def from_start(self) -> bool:
        """Whether the server is traced from its first line."""
        return self.send is None


def rests(folder: Folder) -> bool:
    """Return whether no upload waits for the server, and no operation is left unfinished."""
    busy = folder.row("SELECT count(*) FROM uploads WHERE state IN ('waiting', 'accepting', 'undoing') OR unindexed")
    return busy == "0" and not folder.unfinished()


def _sent(client: httpx.Client, address: str, **body: Any) -> httpx.Response:
    """Post to an address, again for as long as the decoders are busy."""
    for _ in range(TRIES):
        answer = client.post(address, **body)
        if answer.status_code != 503 or "Retry-After" not in answer.headers:
            break
        time.sleep(1)
    return answer


def _post(address: str, body: object = None, *, right: int = 200) -> Callable[[httpx.Client, Folder], bool]:
    """Return a request that sends JSON, or nothing, to an address."""

    def send(client: httpx.Client, folder: Folder) -> bool:
        return _sent(client, address, **({} if body is None else {"json": body})).status_code == right

    return send


def _upload(client: httpx.Client, folder: Folder) -> bool:
    return _sent(client, "/api/inbox", files={"file": (SENT, drawn(7))}).status_code == 201


def _undo(kind: str) -> Callable[[httpx.Client, Folder], bool]:
    def send(client: httpx.Client, folder: Folder) -> bool:
        return _sent(client, f"/api/verdicts/{verdict(folder, kind)}/undo").status_code == 201

    return send


def _move(client: httpx.Client, folder: Folder) -> bool:
    key, category = (folder.given / "issue.txt").read_text("utf-8").split("\n")
    return client.post(f"/curator/health/{key}", data={"category": category}).status_code == 303


def _misfiled(folder: Folder) -> None:
    """Write down the key of the issue about the misplaced shape, and the category that it proposes."""
    key = issue(folder)
    rows = map(json.loads, done("categories", "audit", "--kind", "misfiled", "--json", folder=folder).out.splitlines())
    proposed = next(row for row in rows if row["finding"] == key)
    (folder.given / "issue.txt").write_text(f"{key}\n{proposed['target']}", "utf-8")


def _sign_in(client: httpx.Client, folder: Folder) -> bool:
    with httpx.Client(base_url=client.base_url, timeout=client.timeout, trust_env=False) as visitor:
        token = token_in(visitor.get("/sign-in").text)
        sent = visitor.post("/sign-in", data={"csrf": token, "password": OLD_PASSWORD})
        return sent.status_code == 303


def _sign_out(client: httpx.Client, folder: Folder) -> bool:
    return client.post("/sign-out").headers.get("location") == "/"


def _encoder_chosen(folder: Folder) -> None:
    done("models", "--use", "small-clip", folder=folder)
    _without_copies(folder)


def _encoder_switched(folder: Folder) -> bool:
    return rests(folder) and live_image_encoder(folder.data / "index") != ""


def _without_copies(folder: Folder) -> None:
    for copy in (folder.data / "backups").glob("daily-*"):
        copy.unlink()


def _has_copy(folder: Folder) -> bool:
    return rests(folder) and Path(folder.data, f"backups/daily-{datetime.now(UTC):%Y-%m-%d}.sqlite").exists()


REQUESTS = (
    Asked("upload", _upload),
    Asked("accept", _post("/api/inbox/3/accept", {"category": "New"})),
    Asked("discard", _post("/api/inbox/3/discard")),
    Asked("restore", _post("/api/inbox/2/undo")),
    Asked("undo of an accept", _undo("added"), base=Base.INBOX),
    Asked("merge", _post("/api/verdicts", {"verdict": "merge", "memes": IDENTICAL}, right=201)),
    Asked("undo of a merge", _undo("merged"), merged),
    Asked(
        "verdict",
        _post("/api/verdicts", {"verdict": "distinct", "memes": ["Cats/monday.png", "Robots/toaster.png"]}, right=201),
        is_appended=True,
    ),
    Asked("move", _move, _misfiled, base=Base.SHAPES),
    Asked("undo of a move", _undo("moved"), moved, base=Base.SHAPES),
    Asked("sign-in", _sign_in, is_appended=True),
    Asked("sign-out", _sign_out, ends_session=True),
    Asked("daily copy", None, _without_copies, is_done=_has_copy),
    Asked("switch of the image encoder", None, _encoder_chosen, is_done=_encoder_switched),
)
