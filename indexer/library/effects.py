"""What an operation on the library's files changes besides them: the catalogue, the ledger, files of the data folder.

Each kind of operation has its `Effects`, which `indexer.library.transaction` calls in the order written there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

from search.catalogue import Operation, OperationKind, Verdict
from search.catalogue.journal import Step
from search.workspace import Workspace


class Effects(ABC):
    """The effects of one kind of operation besides its steps. `commit…` and `abort` run in a transaction.

    The methods that are not abstract do nothing unless a kind needs them.
    """

    removes_empty_categories = True

    def begin(self, workspace: Workspace, operation: Operation) -> None:  # noqa: B027
        """Store what other processes must see during the operation; runs in the journal row's transaction."""

    def prepare(self, workspace: Workspace, operation: Operation) -> None:  # noqa: B027
        """Write files of the data folder that the commit needs; runs after the steps."""

    @abstractmethod
    def commit(self, workspace: Workspace, library: Path, operation: Operation) -> Verdict:
        """Write the result to the catalogue and return the ledger's line, whose uid is the operation's."""

    def finish(self, workspace: Workspace, operation: Operation) -> None:  # noqa: B027
        """Remove files of the data folder that are no longer needed; runs after the commit."""

    @abstractmethod
    def abort(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Write the aborted operation to the catalogue; runs after its steps are reversed."""

    @abstractmethod
    def plan_undo(self, workspace: Workspace, library: Path, operation: Operation) -> Sequence[Step]:
        """Return the steps to reverse, the last first; raise MemeticaError when the operation cannot be undone."""

    def begin_undo(self, workspace: Workspace, operation: Operation) -> None:  # noqa: B027
        """Store what other processes must see during the undo; runs in the journal row's transaction."""

    def prepare_undo(self, workspace: Workspace, operation: Operation) -> None:  # noqa: B027
        """Write files of the data folder that the commit of the undo needs."""

    @abstractmethod
    def commit_undo(self, workspace: Workspace, library: Path, operation: Operation) -> None:
        """Write to the catalogue that the operation is undone; the ledger's line is written by the transaction."""


# By name, because these modules import this one; recovery needs the effects of every kind.
_EFFECTS = {
    OperationKind.MERGE: "indexer.curation.merges:EFFECTS",
    OperationKind.MOVE: "indexer.curation.move:EFFECTS",
    OperationKind.ACCEPT: "indexer.inbox.acceptance:EFFECTS",
    OperationKind.TRASH: "indexer.curation.trash:EFFECTS",
}


def effects_of(operation: Operation) -> Effects:
    """Return the effects of an operation's kind."""
    found: Effects = resolve_name(_EFFECTS[operation.kind])
    return found
