"""The stage between reading and embedding: models at endpoints describe memes, each meme once by each model.

Not a part of `index`, because it costs time or money that the curator should ask for. Several processes, and `index`,
may run at once: what is done is in the catalogue, and what is being done is leased.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from indexer.describe.answers import Judged, judge
from indexer.describe.client import Answer, CallFailed, CallStopped, Reach, shown
from indexer.describe.endpoint import Line
from indexer.describe.options import Assignment, Tally, Terms, checked
from indexer.describe.prompts import Prompt, Prompts, load_prompts
from indexer.describe.worklist import Todo
from indexer.library.format import library_root
from indexer.library.sidecars import sidecar_path, write_sidecar
from indexer.stages.decode import decode_content
from indexer.work.leases import WorkLease, work_lease
from indexer.work.progress import Progress, track_stage
from search.catalogue import Call, Outcome, ReadingRecord
from search.errors import EndpointError, LibraryError, MemeticaError, ModelUnavailable, UnreadableFile
from search.meme import Meme, Stage, TextKind
from search.workspace import Workspace

# How long an interrupted run waits for answers that are almost there.
GRACE_SECONDS = 3.0


def describe_memes(
    workspace: Workspace,
    *,
    assignments: Sequence[Assignment],
    progress: Progress,
    terms: Terms | None = None,
    heard: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Let models describe the memes that they have not described, newest first; return what came of it.

    Assignments at one endpoint follow each other; those at several endpoints run at once and share a model's memes.
    Each text is kept as soon as it is there, so that an interrupted run loses the calls under way and nothing else.
    `heard` is told after each meme, from any thread, one at a time.

    Raises LibraryError when the library's folder is gone or, to write sidecars, cannot be written; WrongUse on terms
    that make no sense; ModelUnavailable when every endpoint had to be given up.
    """
    terms = checked(terms or Terms(), assignments)
    workspace = replace(workspace, settings=replace(workspace.settings, library=library_root(workspace.library)))
    if terms.write_sidecars and not os.access(workspace.library, os.W_OK):
        raise LibraryError(f"The folder {workspace.library} cannot be written.", hint="Leave --write-sidecars out.")
    run = _Run(workspace, terms, load_prompts(workspace.data, file=terms.prompts), progress, heard)
    with work_lease(workspace.catalogue, Stage.DESCRIBE) as lease:
        return run.through(lease, assignments)


class _Run:
    """One run of the stage: its threads, what they share, and its count."""

    def __init__(
        self,
        workspace: Workspace,
        terms: Terms,
        prompts: Prompts,
        progress: Progress,
        heard: Callable[[Tally], None],
    ) -> None:
        self._workspace = workspace
        self._terms = terms
        self._prompts = prompts
        self._progress = progress
        self._heard = heard
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._tally = Tally(cost=0.0 if terms.price_in is not None or terms.price_out is not None else None)
        self._total = 0
        self._todos: list[Todo] = []
        self._stop = threading.Event()
        self._abandoned = threading.Event()
        self._errors: list[BaseException] = []

    def through(self, lease: WorkLease, assignments: Sequence[Assignment]) -> Tally:
        """Do everything that the assignments ask for and return the count."""
        todos: dict[tuple[str, TextKind], Todo] = {}
        at: dict[str, list[Todo]] = {}
        for one in dict.fromkeys(assignments):
            todo = todos.get((one.model, one.kind))
            if todo is None:
                todo = Todo(
                    self._workspace.catalogue,
                    lease,
                    one.model,
                    one.kind,
                    limit=self._terms.limit,
                    only_undescribed=self._terms.only_undescribed,
                )
                todos[one.model, one.kind] = todo
            at.setdefault(one.endpoint, []).append(todo)
        self._todos = list(todos.values())
        self._total = sum(todo.total for todo in self._todos)
        if self._terms.write_sidecars:
            for todo in self._todos:
                self._write_earlier(todo)
        lines = [
            Line(url, todos, keys=self._workspace.settings.endpoint_key, seconds=self._terms.seconds)
            for url, todos in at.items()
        ]
        for line in lines:
            for todo in line.todos:
                self._workspace.catalogue.failures.forget(Stage.DESCRIBE, subject=line.subject(todo))
        try:
            with track_stage(self._progress, Stage.DESCRIBE, self._total, unit="memes"):
                self._work(lines)
        finally:
            for line in lines:
                line.endpoint.close()
        if self._errors:
            raise self._errors[0]
        given_up = [line for line in lines if line.given_up is not None]
        if len(given_up) == len(lines):
            reason = given_up[0].given_up
            assert reason is not None
            raise ModelUnavailable(reason.message, hint=reason.hint) from reason
        return self._counted()

    def _work(self, lines: Sequence[Line]) -> None:
        """Run each line's workers until they are done; wait for them only a moment when interrupted."""
        # Not by joining the threads: up to Python 3.12, a join that is interrupted takes its thread for ended.
        ended = threading.Semaphore(0)
        workers = [line for line in lines for _ in range(self._terms.workers)]
        for line in workers:
            threading.Thread(target=self._worker, args=(line, ended), name="describe", daemon=True).start()
        left = len(workers)
        try:
            while left:
                left -= ended.acquire(timeout=0.2)
        except BaseException:
            self._stop.set()
            until = time.monotonic() + GRACE_SECONDS
            while left and time.monotonic() < until:
                left -= ended.acquire(timeout=0.1)
            raise
        finally:
            self._abandoned.set()

    def _worker(self, line: Line, ended: threading.Semaphore) -> None:
        try:
            for todo in line.todos:
                while not self._stop.is_set() and line.given_up is None:
                    meme = todo.take()
                    if meme is None:
                        break
                    self._describe(line, todo, meme)
        except CallStopped:
            pass
        except BaseException as error:  # of the catalogue or the library as a whole: raised again by who waits
            self._errors.append(error)
            self._stop.set()
        finally:
            ended.release()

    def _describe(self, line: Line, todo: Todo, meme: Meme) -> None:
        """Describe one meme that is ours, and keep the text or why there is none."""
        try:
            pictures = self._pictures(meme)
        except UnreadableFile as error:
            self._failed(todo, meme, error)
            return
        category = meme.category if self._terms.with_category else None
        prompt = self._prompts.ask(todo.kind, frames=len(pictures), category=category)
        jpeg = shown(pictures, longest_side=self._prompts.longest_side)
        # As late as can be: another program may have written a text beside the meme meanwhile.
        if any(os.path.lexists(path) for path in self._sidecars(todo, meme)):
            todo.put_back(meme, done_elsewhere=True)
            self._count()
            return
        try:
            judged = self._retrying()(self._call, line, todo, meme, prompt, jpeg)
        except CallStopped:
            todo.put_back(meme)
            raise
        except CallFailed as error:
            if line.fails(error):
                self._workspace.catalogue.failures.record(Stage.DESCRIBE, line.subject(todo), line.given_up or error)
                self._count(stopped=error.message)
            if error.reach is Reach.ALL:
                todo.put_back(meme)  # there is nothing wrong with the meme
            else:
                self._failed(todo, meme, error, transient=error.reach is Reach.PASSING)
            return
        line.succeeds()
        if not judged.text:
            self._failed(todo, meme, EndpointError(judged.reason, hint="Try another model."))
            return
        self._written(todo, meme, judged.text)
        self._count(done=1)

    def _pictures(self, meme: Meme) -> tuple[Image.Image, ...]:
        return decode_content(self._workspace.settings, meme).pictures

    def _retrying(self) -> Retrying:
        # Doubling, and a little apart, so that workers that failed together do not come back together.
        first = self._terms.first_pause
        backoff = wait_exponential(first, max=self._terms.longest_pause) + wait_random(0, first)

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(backoff(state), error.pause if isinstance(error, CallFailed) else 0.0)

        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, CallFailed) and error.reach is Reach.PASSING),
            stop=stop_after_attempt(self._terms.tries),
            wait=pause,
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )

    def _call(self, line: Line, todo: Todo, meme: Meme, prompt: Prompt, jpeg: bytes) -> Judged:
        """Ask once and return what the answer is worth; the log has the call before and after."""
        if self._stop.is_set() or line.given_up is not None:
            raise CallStopped
        version = self._prompts.version + ("+category" if self._terms.with_category else "")
        call = Call(todo.model, line.endpoint.name, todo.kind, version, meme.content_hash, meme.path)
        id = self._workspace.catalogue.calls.begin(call)
        begun = time.monotonic()
        try:
            answer = line.endpoint.ask(todo.model, prompt.text, jpeg, max_tokens=prompt.max_tokens, stop=self._stop)
        except (CallFailed, CallStopped) as error:
            if self._abandoned.is_set():
                raise CallStopped from error
            outcome = Outcome.STOPPED if isinstance(error, CallStopped) else Outcome.ERROR
            self._workspace.catalogue.calls.end(id, outcome, seconds=time.monotonic() - begun, detail=str(error))
            self._count(calls=1)
            raise
        if self._abandoned.is_set():
            raise CallStopped
        judged = judge(answer.text, finish=answer.finish, refusal=answer.refusal)
        self._keep(id, todo, meme, judged, answer, seconds=time.monotonic() - begun)
        self._count(calls=1, tokens_in=answer.tokens_in or 0, tokens_out=answer.tokens_out or 0)
        return judged

    def _keep(self, id: int, todo: Todo, meme: Meme, judged: Judged, answer: Answer, *, seconds: float) -> None:
        """Keep an answer, the log's entry and, for a text, that the meme is done: all or nothing."""
        with self._workspace.catalogue.transaction():
            self._workspace.catalogue.calls.end(
                id,
                judged.outcome,
                seconds=seconds,
                tokens_in=answer.tokens_in,
                tokens_out=answer.tokens_out,
                detail=judged.reason,
            )
            if judged.text:
                self._workspace.catalogue.texts.put_reading(
                    ReadingRecord(meme.content_hash, todo.kind, todo.source, judged.text)
                )
                self._workspace.catalogue.failures.forget(Stage.DESCRIBE, subject=meme.path, source=todo.label)
                todo.release(meme)

    def _failed(self, todo: Todo, meme: Meme, error: MemeticaError, *, transient: bool = False) -> None:
        with self._workspace.catalogue.transaction():
            self._workspace.catalogue.failures.record(
                Stage.DESCRIBE,
                meme.path,
                error,
                content_hash=meme.content_hash,
                source=todo.label,
                transient=transient,
            )
            todo.release(meme)
        self._count(failed=1)

    def _sidecars(self, todo: Todo, meme: Meme) -> list[Path]:
        """Return where this text lies, or would, beside each file of the same content."""
        copies = self._workspace.catalogue.memes.with_content(meme.content_hash) or [meme]
        return [sidecar_path(self._workspace.settings.library / copy.path, todo.source, todo.kind) for copy in copies]

    def _written(self, todo: Todo, meme: Meme, text: str) -> None:
        """Write a text beside its meme and the meme's copies, where the curator asked for that."""
        if self._terms.write_sidecars:
            for copy in self._workspace.catalogue.memes.with_content(meme.content_hash):
                self._write(todo, copy, text)

    def _write_earlier(self, todo: Todo) -> None:
        """Write the texts that earlier runs kept in the catalogue alone."""
        for meme, text in self._workspace.catalogue.descriptions.unwritten(todo.kind, todo.source):
            self._write(todo, meme, text)

    def _write(self, todo: Todo, meme: Meme, text: str) -> None:
        try:
            written = write_sidecar(
                sidecar_path(self._workspace.settings.library / meme.path, todo.source, todo.kind), text
            )
        except LibraryError as error:
            self._workspace.catalogue.failures.record(
                Stage.DESCRIBE, meme.path, error, content_hash=meme.content_hash, source=todo.label, transient=True
            )
            self._count(unwritten=1)
            return
        self._workspace.catalogue.failures.forget(Stage.DESCRIBE, subject=meme.path, source=todo.label)
        self._count(written=int(written))

    def _count(self, *, stopped: str = "", **more: int) -> None:
        """Add to the count and tell whoever listens."""
        with self._lock:
            before = self._tally
            added = {name: getattr(before, name) + count for name, count in more.items()}
            self._tally = replace(before, **added, stopped=(*before.stopped, stopped) if stopped else before.stopped)
            if "done" in more or "failed" in more:
                self._progress.advance(failed="failed" in more)
            self._heard(self._counted())

    def _counted(self) -> Tally:
        """Return the count with what follows from it."""
        tally = self._tally
        seconds = time.monotonic() - self._begun
        elsewhere = sum(todo.elsewhere for todo in self._todos)
        tried = tally.done + tally.failed
        to_go = max(0, self._total - tried - elsewhere)
        cost = None
        if tally.cost is not None:
            prices = self._terms.price_in or 0.0, self._terms.price_out or 0.0
            cost = (tally.tokens_in * prices[0] + tally.tokens_out * prices[1]) / 1e6
        return replace(
            tally,
            elsewhere=elsewhere,
            to_go=to_go,
            seconds=seconds,
            seconds_to_go=seconds / tried * to_go if tried else None,
            cost=cost,
            cost_to_go=cost / tried * to_go if cost is not None and tried else None,
        )
