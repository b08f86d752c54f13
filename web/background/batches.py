"""The batch worker: carries out what the curator decided about many things at once, and undoes it, one by one.

A batch is stored in the catalogue before it starts, so that it goes on after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from indexer.work.locks import Busy, lock
from indexer.work.worker import Worker
from search.catalogue import Batch, BatchItem, BatchState, ItemState
from search.catalogue.verdicts import new_uid
from search.errors import MemeticaError, NotFound, WrongState
from web.context import Site


@dataclass(frozen=True)
class Action:
    """What a decision of a batch does, and how it is undone.

    `do` gets the decision and a uid for its line of the ledger, and returns what undoes it. `undo` gets that. `done_by`
    returns it for a decision that was carried out just before its process was killed, and nothing for any other.
    """

    do: Callable[[BatchItem, str], str]
    undo: Callable[[str], object]
    done_by: Callable[[BatchItem], str]


class BatchWorker:
    """Carries out the batches of a site, oldest first; `actions` by the name that the decisions give."""

    def __init__(self, app: Flask, actions: Mapping[str, Action]) -> None:
        self._app = app
        self._site: Site = app.extensions["site"]
        self._actions = actions
        self._worker = Worker("batches", lambda: self._work)

    def wake(self) -> None:
        """Look for batches to carry out."""
        self._worker.wake()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until there is no more to do; return False when there is after `seconds`."""
        return self._worker.wait_until_idle(seconds)

    def close(self) -> None:
        """Stop after the current decision; the rest is carried out after the next start."""
        self._worker.close()

    @property
    def error(self) -> MemeticaError | None:
        """The error after which the worker waits to try again, or None."""
        return self._worker.error

    def _work(self) -> bool:
        batches = self._site.catalogue.batches
        found = batches.active()
        if not found:
            return False
        try:
            with lock(self._site.workspace.data, "batches", seconds=0), self._app.app_context():
                return self._step(batches.get(found[0].uid))
        except Busy:
            return False  # another process carries them out

    def _step(self, batch: Batch) -> bool:
        batches = self._site.catalogue.batches
        if not batch.is_active:
            return True  # another process has finished it meanwhile
        undoing = batch.state is BatchState.UNDOING
        item = batches.next_item(batch)
        if item is None:
            batches.set_state(batch.uid, BatchState.UNDONE if undoing else BatchState.DONE)
        elif undoing:
            self._undo(batch, item)
        else:
            self._do(batch, item)
        return True

    def _do(self, batch: Batch, item: BatchItem) -> None:
        batches, action = self._site.catalogue.batches, self._actions[item.action]
        if item.state is ItemState.STARTED and (result := action.done_by(item)):
            batches.set_item(batch.uid, item.position, ItemState.DONE, result=result)
            return
        uid = item.result or new_uid()
        batches.set_item(batch.uid, item.position, ItemState.STARTED, result=uid)
        try:
            result = action.do(item, uid)
        except MemeticaError as error:
            batches.set_item(batch.uid, item.position, ItemState.FAILED, reason=error.message)
        else:
            batches.set_item(batch.uid, item.position, ItemState.DONE, result=result)

    def _undo(self, batch: Batch, item: BatchItem) -> None:
        batches = self._site.catalogue.batches
        try:
            self._actions[item.action].undo(item.result)
        except (WrongState, NotFound):  # undone by itself already
            batches.set_item(batch.uid, item.position, ItemState.UNDONE)
        except MemeticaError as error:
            batches.set_item(batch.uid, item.position, ItemState.FAILED, reason=error.message)
        else:
            batches.set_item(batch.uid, item.position, ItemState.UNDONE)


def register(app: Flask, actions: Mapping[str, Action]) -> None:
    """Add the worker, and let it go on with what an earlier process left."""
    site: Site = app.extensions["site"]
    app.extensions["batches"] = worker = BatchWorker(app, actions)
    site.on_close(worker.close)
    if not site.catalogue.read_only and site.catalogue.batches.active():
        worker.wake()


def batch_worker() -> BatchWorker:
    """Return the batch worker of the current application."""
    return cast(BatchWorker, current_app.extensions["batches"])
