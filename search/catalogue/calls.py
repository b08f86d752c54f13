"""The log of calls to model endpoints: request, time, duration and outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum

from search.catalogue.database import Database
from search.meme import TextKind


class Outcome(StrEnum):
    """The outcome of a call."""

    ASKED = "asked"  # in progress, or lost because the process ended
    DESCRIBED = "described"
    CUT_SHORT = "cut short"  # by the limit of tokens; kept up to its last whole sentence
    EMPTY = "empty"
    REFUSED = "refused"
    LOOPING = "looping"
    ERROR = "error"  # of the endpoint or of the network
    STOPPED = "stopped"  # by Memetica


@dataclass(frozen=True)
class Call:
    """One call: the model, its endpoint, the version of the prompt, and the meme."""

    model: str
    endpoint: str
    kind: TextKind
    prompt: str
    content_hash: str
    path: str


@dataclass(frozen=True)
class CallRecord:
    """A call and its outcome; None means unknown."""

    id: int
    call: Call
    asked_at: datetime
    outcome: Outcome
    detail: str
    seconds: float | None
    tokens_in: int | None
    tokens_out: int | None


@dataclass(frozen=True)
class CallSums:
    """The sums over all calls to a model for a kind of text."""

    calls: int
    described: int
    seconds: float
    tokens_in: int
    tokens_out: int


class Calls:
    """The log, oldest first. Rows are never removed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, call: Call) -> int:
        """Log a call before it is made and return its id."""
        cursor = self._database.write(
            """
            INSERT INTO calls (model, endpoint, kind, prompt, content_hash, path, asked_at, outcome)
            VALUES (:model, :endpoint, :kind, :prompt, :content_hash, :path, :now, 'asked')
            """,
            asdict(call) | {"now": datetime.now(UTC).isoformat(timespec="milliseconds")},
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end(
        self,
        id: int,
        outcome: Outcome,
        *,
        seconds: float,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        detail: str = "",
    ) -> None:
        """Log the outcome of a call."""
        self._database.write(
            """
            UPDATE calls SET outcome = :outcome, detail = :detail, seconds = :seconds, tokens_in = :tokens_in,
                             tokens_out = :tokens_out
            WHERE id = :id
            """,
            {
                "id": id,
                "outcome": outcome,
                "detail": detail,
                "seconds": seconds,
                "tokens_in": tokens_in,
                "tokens_out": tokens_out,
            },
        )

    def all(self, *, model: str | None = None, kind: TextKind | None = None) -> Iterator[CallRecord]:
        """Yield the calls, oldest first; `model` and `kind` select some of them."""
        for row in self._database.stream(
            """
            SELECT * FROM calls
            WHERE (:model IS NULL OR model = :model) AND (:kind IS NULL OR kind = :kind) ORDER BY id
            """,
            {"model": model, "kind": kind},
        ):
            call = Call(
                row["model"], row["endpoint"], TextKind(row["kind"]), row["prompt"], row["content_hash"], row["path"]
            )
            yield CallRecord(
                row["id"],
                call,
                datetime.fromisoformat(row["asked_at"]),
                Outcome(row["outcome"]),
                row["detail"],
                row["seconds"],
                row["tokens_in"],
                row["tokens_out"],
            )

    def sums(self, model: str, kind: TextKind) -> CallSums:
        """Return the sums over the calls to a model for a kind of text."""
        row = self._database.row(
            """
            SELECT COUNT(*) AS calls, TOTAL(outcome IN ('described', 'cut short')) AS described,
                   TOTAL(seconds) AS seconds, TOTAL(tokens_in) AS tokens_in, TOTAL(tokens_out) AS tokens_out
            FROM calls WHERE model = :model AND kind = :kind
            """,
            {"model": model, "kind": kind},
        )
        assert row is not None
        return CallSums(
            row["calls"], int(row["described"]), row["seconds"], int(row["tokens_in"]), int(row["tokens_out"])
        )
