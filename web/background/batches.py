"""The batch worker: carries out what the curator decided about many things at once, and undoes it, one by one.

A batch is stored in the catalogue before it starts, so that it goes on after a restart. Batches whose decisions take
minutes, such as descriptions by a model, have a thread of their own: others do not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from indexer.work.locks import Busy, lock
from indexer.work.worker import Worker
from search.catalogue import Batch, BatchItem, BatchState, ItemState
from search.catalogue.verdicts import new_uid
from search.errors import MemeticaError, ModelUnavailable, NotFound, WrongState
from web.background.webhook import Webhook, message, webhook_of
from web.context import Site


class Interrupted(Exception):  # no error: the decision is carried out after the next start
    """Raised by an action that the end of the process stops."""


@dataclass(frozen=True)
class Action:
    """What a decision of a batch does, and how it is undone.

    `do` gets the decision and a uid for its line of the ledger, and returns what undoes it. `undo` gets that. `done_by`
    returns it for a decision that was carried out just before its process was killed, and nothing for any other.
    `finish` gets all decisions of a batch once they are carried out, or undone. `stop` ends a `do` that is running.
    """

    do: Callable[[BatchItem, str], str]
    undo: Callable[[str], object]
    done_by: Callable[[BatchItem], str]
    finish: Callable[[Sequence[BatchItem]], object] = lambda items: None
    stop: Callable[[], object] = lambda: None
    takes_minutes: bool = False


class BatchWorker:
    """Carries out the batches of a site; `actions` by the name that the decisions give."""

    def __init__(self, app: Flask, actions: Mapping[str, Action]) -> None:
        site: Site = app.extensions["site"]
        self._webhook = webhook_of(site.settings)
        self._lanes = [
            _Lane(
                app,
                {name: one for name, one in actions.items() if one.takes_minutes is slow},
                name=lane,
                webhook=self._webhook,
            )
            for lane, slow in (("batches", False), ("long batches", True))
        ]

    def wake(self) -> None:
        """Look for batches to carry out."""
        for lane in self._lanes:
            lane.worker.wake()

    def wait_for(self, action: str, seconds: float) -> bool:
        """Wait until no batch of an action is active; return False when one is after `seconds`."""
        return all(lane.worker.wait_until_idle(seconds) for lane in self._lanes if action in lane.actions)

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until there is no more to do; return False when there is after `seconds`."""
        return all([lane.worker.wait_until_idle(seconds) for lane in self._lanes])

    def close(self) -> None:
        """Stop after the current decisions; the rest is carried out after the next start."""
        for lane in self._lanes:
            lane.close()
        if self._webhook is not None:
            self._webhook.close()

    @property
    def error(self) -> MemeticaError | None:
        """The error after which a worker waits to try again, or None."""
        return next((lane.worker.error for lane in self._lanes if lane.worker.error is not None), None)


class _Lane:
    """A thread that carries out the batches of some actions, the oldest first."""

    def __init__(self, app: Flask, actions: Mapping[str, Action], *, name: str, webhook: Webhook | None) -> None:
        self._webhook = webhook
        self.actions = actions
        self.worker = Worker(name, lambda: self._work)
        self._name = name
        self._app = app
        self._site: Site = app.extensions["site"]

    def close(self) -> None:
        for action in self.actions.values():
            action.stop()
        self.worker.close()

    def _work(self) -> bool:
        batches = self._site.catalogue.batches
        found = batches.active(actions=self.actions)
        if not found:
            return False
        try:
            with lock(self._site.workspace.data, self._name, seconds=0), self._app.app_context():
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
            items = batches.items(batch.uid)
            self.actions[items[0].action].finish(items)
            self._tell(batches.get(batch.uid), items[0].action)
        elif undoing:
            self._undo(batch, item)
        else:
            self._do(batch, item)
        return True

    def _tell(self, batch: Batch, action: str) -> None:
        """Tell the webhook that a batch is carried out, or undone."""
        if self._webhook is not None:
            counts = {"total": batch.total, "done": batch.done, "failed": batch.failed}
            self._webhook.send(message("batch", action=action, title=batch.title, state=batch.state.value, **counts))

    def _do(self, batch: Batch, item: BatchItem) -> None:
        batches, action = self._site.catalogue.batches, self.actions[item.action]
        if item.state is ItemState.STARTED and (result := action.done_by(item)):
            batches.set_item(batch.uid, item.position, ItemState.DONE, result=result)
            return
        uid = item.result or new_uid()
        batches.set_item(batch.uid, item.position, ItemState.STARTED, result=uid)
        try:
            result = action.do(item, uid)
        except Interrupted:
            return
        except ModelUnavailable as error:  # it would fail for each of the others, too
            batches.fail_waiting(batch.uid, reason=f"{error.message} {error.hint}".strip())
        except MemeticaError as error:
            batches.set_item(batch.uid, item.position, ItemState.FAILED, reason=error.message)
        else:
            batches.set_item(batch.uid, item.position, ItemState.DONE, result=result)

    def _undo(self, batch: Batch, item: BatchItem) -> None:
        batches = self._site.catalogue.batches
        try:
            self.actions[item.action].undo(item.result)
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
