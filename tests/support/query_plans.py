"""What SQLite says of how it answers the statements that were run."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from search.catalogue.database import Database
from search.workspace import Workspace

LARGE = ("memes", "passages", "readings", "sidecars", "embeddings", "fingerprints", "pictures", "pairs", "calls")


def traced_statements(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the set to which all statements are added from now on."""
    ran: set[str] = set()
    connected = Database._connected

    def traced(self: Database) -> sqlite3.Connection:
        connection = connected(self)
        connection.set_trace_callback(ran.add)
        return connection

    monkeypatch.setattr(Database, "_connected", traced)
    return ran


def scans(workspace: Workspace, statements: set[str], *, through_indexes: bool) -> list[tuple[str, str]]:
    """Return the scans of large tables among the plans of statements; those of an index alone only if asked for."""
    found = []
    for statement in statements:
        if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        for step in plan_of(workspace, statement):
            words = step.split()
            is_small = "memes_vanished" in step or "LIMIT" in statement
            if words[0] == "SCAN" and words[1] in LARGE and not is_small and (through_indexes or "INDEX" not in words):
                found.append((step, statement))
    return found


def plan_of(workspace: Workspace, statement: str) -> list[str]:
    """Return the steps of a statement's plan."""
    with closing(sqlite3.connect(workspace.data / "catalogue.sqlite")) as opened:
        return [step for *_, step in opened.execute(f"EXPLAIN QUERY PLAN {statement}")]
