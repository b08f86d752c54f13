"""The describe stage, between OCR and embedding: each model describes each meme once.

It is not part of `index`, because it costs time or money. Several processes, and `index`, may run at once: finished
work is in the catalogue, and work in progress is leased.
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

from indexer.describe.answers import CheckedAnswer, check_answer
from indexer.describe.client import Completion, render_frames
from indexer.describe.endpoint import Endpoint
from indexer.describe.failures import CallFailed, CallStopped, FailureScope
from indexer.describe.options import Assignment, DescribeOptions, DescribeStats, validate_options
from indexer.describe.prompts import Prompt, Prompts, load_prompts
from indexer.describe.worklist import Worklist
from indexer.library.format import library_root
from indexer.library.links import leaves_library
from indexer.library.sidecars import sidecar_path, write_sidecar
from indexer.stages.decode import decode_content
from indexer.work.leases import WorkLease, work_lease
from indexer.work.progress import SILENT, Progress, track_stage
from search.catalogue import Call, Outcome, ReadingRecord
from search.errors import EndpointError, LibraryError, MemeticaError, ModelUnavailable, UnreadableFile
from search.meme import Meme, Stage, TextKind
from search.workspace import Workspace

# Time that an interrupted run waits for answers in progress.
GRACE_SECONDS = 3.0


def describe_memes(
    workspace: Workspace,
    assignments: Sequence[Assignment],
    *,
    progress: Progress = SILENT,
    options: DescribeOptions | None = None,
    on_progress: Callable[[DescribeStats], None] = lambda stats: None,
    stop: threading.Event | None = None,
) -> DescribeStats:
    """Let models describe the memes that they have not described, newest first, and return the statistics of the run.

    Assignments at one endpoint run one after another; those at several endpoints run at once and share a model's memes.
    Each text is stored as soon as it arrives, so that an interrupted run loses only the calls in progress.
    `on_progress` is called after each meme, from any thread, one call at a time. When `stop` is set, the run ends
    within seconds, and what it had not finished is left for the next.

    Raises LibraryError when the library's folder is gone or, to write sidecars, cannot be written; WrongUse on invalid
    options; ModelUnavailable when every endpoint failed permanently, with the reason of the last one.

    >>> from search.errors import ModelUnavailable
    >>> nobody = Assignment("llava", TextKind.SIMPLE, "http://127.0.0.1:9/v1")
    >>> try:
    ...     describe_memes(workspace, [nobody], options=DescribeOptions(tries=1, limit=1))
    ... except ModelUnavailable as error:
    ...     print(error.message)
    Nothing answers at http://127.0.0.1:9/v1.
    """
    options = validate_options(options or DescribeOptions(), assignments)
    workspace = replace(workspace, settings=replace(workspace.settings, library=library_root(workspace.library)))
    if options.write_sidecars and not os.access(workspace.library, os.W_OK):
        raise LibraryError(f"The folder {workspace.library} cannot be written.", hint="Run without --write-sidecars.")
    prompts = load_prompts(workspace.data, file=options.prompts)
    run = _Run(workspace, options, prompts, progress, on_progress, stop or threading.Event())
    with work_lease(workspace.catalogue, Stage.DESCRIBE) as lease:
        return run.execute(lease, assignments)


class _Run:
    """One run of the stage: its threads, what they share, and its statistics."""

    def __init__(
        self,
        workspace: Workspace,
        options: DescribeOptions,
        prompts: Prompts,
        progress: Progress,
        on_progress: Callable[[DescribeStats], None],
        stop: threading.Event,
    ) -> None:
        self._workspace = workspace
        self._options = options
        self._prompts = prompts
        self._progress = progress
        self._on_progress = on_progress
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._stats = DescribeStats(cost=0.0 if options.price_in is not None or options.price_out is not None else None)
        self._total = 0
        self._worklists: list[Worklist] = []
        self._stop_requested = stop  # by the caller, who may share it between runs
        self._stop = threading.Event()  # of this run alone
        self._abandoned = threading.Event()
        self._errors: list[BaseException] = []

    def execute(self, lease: WorkLease, assignments: Sequence[Assignment]) -> DescribeStats:
        """Work on all assignments and return the statistics."""
        worklists: dict[tuple[str, TextKind], Worklist] = {}
        at: dict[str, list[Worklist]] = {}
        for one in dict.fromkeys(assignments):
            worklist = worklists.get((one.model, one.kind))
            if worklist is None:
                worklist = Worklist(
                    self._workspace.catalogue,
                    lease,
                    one.model,
                    one.kind,
                    limit=self._options.limit,
                    only_undescribed=self._options.only_undescribed,
                    contents=self._options.contents,
                )
                worklists[one.model, one.kind] = worklist
            at.setdefault(one.endpoint, []).append(worklist)
        self._worklists = list(worklists.values())
        self._total = sum(worklist.total for worklist in self._worklists)
        if self._options.write_sidecars:
            for worklist in self._worklists:
                self._write_earlier(worklist)
        endpoints = [
            Endpoint(url, worklists, keys=self._workspace.settings.endpoint_key, options=self._options)
            for url, worklists in at.items()
        ]
        for endpoint in endpoints:
            for worklist in endpoint.worklists:
                self._workspace.catalogue.failures.forget(Stage.DESCRIBE, subject=endpoint.subject(worklist))
        try:
            with track_stage(self._progress, Stage.DESCRIBE, self._total, unit="memes"):
                self._work(endpoints)
        finally:
            for endpoint in endpoints:
                endpoint.client.close()
        if self._errors:
            raise self._errors[0]
        failures = [endpoint.failure for endpoint in endpoints if endpoint.failure is not None]
        if len(failures) == len(endpoints):
            last = next((one for one in failures if one.message in self._stats.stopped[-1:]), failures[-1])
            raise ModelUnavailable(last.message, hint=last.hint) from last
        return self._snapshot()

    def _work(self, endpoints: Sequence[Endpoint]) -> None:
        """Run the workers of each endpoint until they are done; when interrupted, wait at most GRACE_SECONDS."""
        # Not by joining the threads: up to Python 3.12, an interrupted join marks its thread as ended.
        ended = threading.Semaphore(0)
        workers = [endpoint for endpoint in endpoints for _ in range(self._options.workers)]
        for endpoint in workers:
            threading.Thread(target=self._worker, args=(endpoint, ended), name="describe", daemon=True).start()
        left = len(workers)
        try:
            while left and not self._stop_requested.is_set():
                left -= ended.acquire(timeout=0.2)
            if left:
                self._stop_within(left, ended)
        except BaseException:
            self._stop_within(left, ended)
            raise
        finally:
            self._abandoned.set()

    def _stop_within(self, left: int, ended: threading.Semaphore) -> None:
        """Tell the workers to stop and wait for them, at most GRACE_SECONDS."""
        self._stop.set()
        until = time.monotonic() + GRACE_SECONDS
        while left and time.monotonic() < until:
            left -= ended.acquire(timeout=0.1)

    def _worker(self, endpoint: Endpoint, ended: threading.Semaphore) -> None:
        try:
            for worklist in endpoint.worklists:
                while not self._stop.is_set() and endpoint.failure is None:
                    meme = worklist.take()
                    if meme is None:
                        break
                    self._describe(endpoint, worklist, meme)
        except CallStopped:
            pass
        except BaseException as error:  # the catalogue or the library failed: `execute` raises it again
            self._errors.append(error)
            self._stop.set()
        finally:
            ended.release()

    def _describe(self, endpoint: Endpoint, worklist: Worklist, meme: Meme) -> None:
        """Describe one leased meme, and store the text or the failure."""
        try:
            pictures = self._pictures(meme)
        except UnreadableFile as error:
            self._failed(worklist, meme, error)
            return
        category = meme.category if self._options.with_category else None
        prompt = self._prompts.prompt_for(worklist.kind, frames=len(pictures), category=category)
        jpeg = render_frames(pictures, longest_side=self._prompts.longest_side)
        # As late as possible: another program may have written a sidecar in the meantime.
        if any(os.path.lexists(path) for path in self._sidecars(worklist, meme)):
            worklist.requeue(meme, done_elsewhere=True)
            self._count()
            return
        try:
            checked = self._retrying()(self._call, endpoint, worklist, meme, prompt, jpeg)
        except CallStopped:
            worklist.requeue(meme)
            raise
        except CallFailed as error:
            if endpoint.record_failure(error):
                self._workspace.catalogue.failures.record(
                    Stage.DESCRIBE, endpoint.subject(worklist), endpoint.failure or error
                )
                self._count(stopped=error.message)
            if error.scope is FailureScope.ENDPOINT:
                worklist.requeue(meme)  # the meme is not the cause
            else:
                self._failed(worklist, meme, error, transient=error.scope is FailureScope.TRANSIENT)
            return
        endpoint.record_success()
        if not checked.text:
            self._failed(worklist, meme, EndpointError(checked.reason, hint="Try another model."))
            return
        self._write_sidecars(worklist, meme, checked.text)
        self._count(done=1)

    def _pictures(self, meme: Meme) -> tuple[Image.Image, ...]:
        return decode_content(self._workspace.settings, meme).pictures

    def _retrying(self) -> Retrying:
        # Doubling with jitter, so that workers that failed together do not retry together.
        first = self._options.first_pause
        backoff = wait_exponential(first, max=self._options.longest_pause) + wait_random(0, first)

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(backoff(state), error.pause if isinstance(error, CallFailed) else 0.0)

        return Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, CallFailed) and error.scope is FailureScope.TRANSIENT
            ),
            stop=stop_after_attempt(self._options.tries),
            wait=pause,
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )

    def _call(self, endpoint: Endpoint, worklist: Worklist, meme: Meme, prompt: Prompt, jpeg: bytes) -> CheckedAnswer:
        """Make one call and return the checked answer; the log records the call before and after."""
        if self._stop.is_set() or endpoint.failure is not None:
            raise CallStopped
        version = self._prompts.version + "".join(
            f"+{name}"
            for name, asked in (("category", self._options.with_category), ("structured", self._options.structured))
            if asked
        )
        call = Call(worklist.model, endpoint.client.name, worklist.kind, version, meme.content_hash, meme.path)
        id = self._workspace.catalogue.calls.begin(call)
        begun = time.monotonic()
        try:
            answer = endpoint.client.complete(
                worklist.model, prompt.text, jpeg, max_tokens=prompt.max_tokens, stop=self._stop
            )
        except (CallFailed, CallStopped) as error:
            if self._abandoned.is_set():
                raise CallStopped from error
            outcome = Outcome.STOPPED if isinstance(error, CallStopped) else Outcome.ERROR
            self._workspace.catalogue.calls.end(id, outcome, seconds=time.monotonic() - begun, detail=str(error))
            self._count(calls=1)
            raise
        if self._abandoned.is_set():
            raise CallStopped
        checked = check_answer(answer.text, finish=answer.finish, refusal=answer.refusal, thoughts=answer.thoughts)
        self._keep(id, worklist, meme, checked, answer, seconds=time.monotonic() - begun)
        self._count(calls=1, tokens_in=answer.tokens_in or 0, tokens_out=answer.tokens_out or 0)
        return checked

    def _keep(
        self, id: int, worklist: Worklist, meme: Meme, checked: CheckedAnswer, answer: Completion, *, seconds: float
    ) -> None:
        """Store an answer, the log's entry and, for a text, release the lease, in one transaction."""
        with self._workspace.catalogue.transaction():
            self._workspace.catalogue.calls.end(
                id,
                checked.outcome,
                seconds=seconds,
                tokens_in=answer.tokens_in,
                tokens_out=answer.tokens_out,
                detail=checked.reason,
            )
            if checked.text:
                self._workspace.catalogue.readings.put(
                    ReadingRecord(meme.content_hash, worklist.kind, worklist.source, checked.text)
                )
                self._workspace.catalogue.failures.forget(Stage.DESCRIBE, subject=meme.path, source=worklist.label)
                worklist.release(meme)

    def _failed(self, worklist: Worklist, meme: Meme, error: MemeticaError, *, transient: bool = False) -> None:
        with self._workspace.catalogue.transaction():
            self._workspace.catalogue.failures.record(
                Stage.DESCRIBE,
                meme.path,
                error,
                content_hash=meme.content_hash,
                source=worklist.label,
                transient=transient,
            )
            worklist.release(meme)
        self._count(failed=1)

    def _sidecars(self, worklist: Worklist, meme: Meme) -> list[Path]:
        """Return the paths of this text's sidecars for each file with the same content, existing or not."""
        copies = self._workspace.catalogue.memes.with_content(meme.content_hash) or [meme]
        return [
            sidecar_path(self._workspace.settings.library / copy.path, worklist.source, worklist.kind)
            for copy in copies
        ]

    def _write_sidecars(self, worklist: Worklist, meme: Meme, text: str) -> None:
        """Write the sidecars of a text for all copies of its meme, if the options request sidecars."""
        if self._options.write_sidecars:
            for copy in self._workspace.catalogue.memes.with_content(meme.content_hash):
                self._write(worklist, copy, text)

    def _write_earlier(self, worklist: Worklist) -> None:
        """Write the sidecars of texts that earlier runs stored only in the catalogue."""
        for meme, text in self._workspace.catalogue.descriptions.unwritten(worklist.kind, worklist.source):
            self._write(worklist, meme, text)

    def _write(self, worklist: Worklist, meme: Meme, text: str) -> None:
        settings = self._workspace.settings
        try:
            if not settings.follow_links and leaves_library(settings.library, meme.path):
                raise LibraryError(f"{meme.path} is reached by a link that leads out of the library.")
            written = write_sidecar(sidecar_path(settings.library / meme.path, worklist.source, worklist.kind), text)
        except LibraryError as error:
            self._workspace.catalogue.failures.record(
                Stage.DESCRIBE, meme.path, error, content_hash=meme.content_hash, source=worklist.label, transient=True
            )
            self._count(unwritten=1)
            return
        self._workspace.catalogue.failures.forget(Stage.DESCRIBE, subject=meme.path, source=worklist.label)
        self._count(written=int(written))

    def _count(self, *, stopped: str = "", **more: int) -> None:
        """Add to the statistics and call `on_progress`."""
        with self._lock:
            before = self._stats
            added = {name: getattr(before, name) + count for name, count in more.items()}
            self._stats = replace(before, **added, stopped=(*before.stopped, stopped) if stopped else before.stopped)
            if "done" in more or "failed" in more:
                self._progress.advance(failed="failed" in more)
            self._on_progress(self._snapshot())

    def _snapshot(self) -> DescribeStats:
        """Return the statistics with the values derived from them."""
        stats = self._stats
        seconds = time.monotonic() - self._begun
        elsewhere = sum(worklist.elsewhere for worklist in self._worklists)
        tried = stats.done + stats.failed
        to_go = max(0, self._total - tried - elsewhere)
        cost = None
        if stats.cost is not None:
            prices = self._options.price_in or 0.0, self._options.price_out or 0.0
            cost = (stats.tokens_in * prices[0] + stats.tokens_out * prices[1]) / 1e6
        return replace(
            stats,
            elsewhere=elsewhere,
            to_go=to_go,
            seconds=seconds,
            seconds_to_go=seconds / tried * to_go if tried else None,
            cost=cost,
            cost_to_go=cost / tried * to_go if cost is not None and tried else None,
        )
