"""Describing one meme at somebody's request, also one that the model has described before."""

from __future__ import annotations

import threading

from indexer.describe.options import Assignment, DescribeOptions
from indexer.describe.run import describe_memes
from indexer.library.sidecars import safe_name
from search.catalogue import ReadingRecord
from search.catalogue.descriptions import work_label
from search.errors import EndpointError, WrongState
from search.meme import Meme, Stage
from search.workspace import Workspace


def describe_meme(
    workspace: Workspace, meme: Meme, assignment: Assignment, *, stop: threading.Event | None = None
) -> ReadingRecord | None:
    """Let a model describe a meme, in place of its earlier text about it; return the new text, None when stopped.

    Raises EndpointError with the reason when the model gives no usable text, WrongState when the library has its text
    in a file, ModelUnavailable when the endpoint does not answer, LibraryError when the file cannot be read.

    >>> from search.errors import ModelUnavailable
    >>> from search.meme import TextKind
    >>> nobody = Assignment("llava", TextKind.SIMPLE, "http://127.0.0.1:9/v1")
    >>> try:
    ...     describe_meme(workspace, workspace.catalogue.memes.at("Dogs/fine.png"), nobody)
    ... except ModelUnavailable as error:
    ...     print(error.message)
    Nothing answers at http://127.0.0.1:9/v1.
    """
    stats = describe_memes(
        workspace, [assignment], options=DescribeOptions(contents=frozenset({meme.content_hash})), stop=stop
    )
    source = safe_name(assignment.model)
    if stats.done:
        return workspace.catalogue.readings.get(meme.content_hash, assignment.kind, source)
    if stats.failed:
        copies = {copy.path for copy in workspace.catalogue.memes.with_content(meme.content_hash)}
        for failure in workspace.catalogue.failures.all():
            if (failure.stage, failure.source) == (Stage.DESCRIBE, work_label(source, assignment.kind)) and (
                failure.subject in copies
            ):
                raise EndpointError(failure.reason, hint=failure.hint)
    if stop is not None and stop.is_set():
        return None
    raise WrongState(
        f"{meme.path} was not described: a file beside it has a text of {assignment.model}, or another run is busy "
        "with it.",
        hint="Remove that file to have it described again.",
    )
