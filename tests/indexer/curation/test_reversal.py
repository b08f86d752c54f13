"""One undo for every decision, by its line in the ledger."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from indexer.curation.duplicates import record_verdict
from indexer.curation.reversal import undo
from indexer.inbox.acceptance import accept
from indexer.inbox.reception import inbox_path, receive
from indexer.inbox.workers import ExaminerCache, examine_waiting
from search.catalogue import UploadState, VerdictKind, open_catalogue
from search.errors import NotFound, WrongUse
from search.settings import Settings
from search.workspace import Workspace
from tests.support.uploading import drawn, files_of


@pytest.fixture
def own(uploads_settings: Settings) -> Iterator[Workspace]:
    with open_catalogue(uploads_settings) as catalogue:
        yield Workspace(uploads_settings, catalogue)


def test_an_accepted_upload_is_undone_by_its_line(own: Workspace) -> None:
    before, body = files_of(own.library), drawn()
    id = receive(own, io.BytesIO(body), name="zeppelin.png", received_by="test").id
    examine_waiting(own.catalogue, examiners=ExaminerCache(own))
    accepted = accept(own, id, category="Robots")
    [line] = own.catalogue.verdicts.standing()
    assert (line.kind, line.paths, line.uid) == (VerdictKind.ADDED, ("Robots/zeppelin.png",), accepted.verdict)
    undone = undo(own, line.uid, note="not funny")
    assert (undone.kind, undone.undoes, undone.note) == (VerdictKind.UNDONE, line.uid, "not funny")
    assert files_of(own.library) == before and own.catalogue.verdicts.standing() == []
    upload = own.catalogue.uploads.get(id)
    assert upload.state is UploadState.EXAMINED and upload.verdict is None
    assert inbox_path(own.data, upload.content_hash).read_bytes() == body
    with pytest.raises(WrongUse, match="undone already"):
        undo(own, line.uid)


def test_a_verdict_that_changed_no_file_is_marked_as_undone(own: Workspace) -> None:
    before = files_of(own.library)
    line = record_verdict(own.catalogue, VerdictKind.DISTINCT, own.catalogue.memes.freshest(2))
    assert own.catalogue.verdicts.settled()
    undo(own, line.uid)
    assert not own.catalogue.verdicts.settled() and files_of(own.library) == before
    with pytest.raises(WrongUse, match="undone already"):
        undo(own, line.uid)
    with pytest.raises(NotFound):
        undo(own, "f" * 16)
