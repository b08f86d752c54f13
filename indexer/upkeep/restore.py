"""Restore a backup, or an automatic copy of the catalogue, into a data folder."""

from __future__ import annotations

import secrets
import shutil
import zipfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from indexer.upkeep.archive import CATALOGUE, FILES, FOLDERS, OnFile, verify
from indexer.work.locks import lock
from search.catalogue import Catalogue, open_catalogue
from search.catalogue.copies import (
    FOLDER,
    catalogue_copies,
    copy_catalogue,
    keep_copy,
    problems_of,
    take_over_computed,
    version_of,
)
from search.catalogue.replacement import Move, OnStep, finish_replacement, replace_files
from search.catalogue.schema import newest_version
from search.encoders.clip_models import spec_of
from search.errors import DataFolderError, MemeticaError, NotFound, WrongUse
from search.index.generations import CURRENT, live_image_encoder, live_text_encoder, next_name
from search.index.writer import build_generation
from search.settings import Settings, stored_setting
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER

STAGING = "restoring-"  # folders with the files of a restore that is being prepared
_WORK = ("curating", "scanning", "building")
# What a data folder has besides its catalogue: one of these makes a folder one.
_OWN = ("settings.json", "curator.json", "index", "keypoints", "models", "thumbnails", "inbox", "trash", FOLDER)
_TRY_AGAIN = "Free some space or check the data folder's permissions, then run the same command again."
_ANOTHER = "Name an empty folder, a new one or the data folder: `--data FOLDER`."


@dataclass(frozen=True)
class RestoreReport:
    """What was restored: the file, the number of memes, verdicts and uploads, and whether anything has to be computed.

    `kept` is the copy of the catalogue that was replaced, None where there was none.
    """

    source: Path
    memes: int
    verdicts: int
    uploads: int
    complete: bool  # False: `memetica index` has to decode and embed again
    kept: Path | None


def find_source(data: Path, name: str) -> Path:
    """Return the file of a backup, by its path, or of an automatic copy, by its name; raise NotFound."""
    for copy in catalogue_copies(data):
        if name in (copy.name, copy.path.name):
            return copy.path
    file = Path(name).expanduser().absolute()
    if not file.is_file():
        raise NotFound(f"There is no backup {name}.", hint="`memetica restore --list` lists the automatic copies.")
    return file


def restore(
    settings: Settings,
    source: Path,
    *,
    overwrite: bool = False,
    on_file: OnFile = lambda path: None,
    on_step: OnStep = lambda step: None,
) -> RestoreReport:
    """Restore a backup, or a copy of the catalogue, into the data folder of these settings.

    Everything is read and verified, brought to this version, and the index built from it beside the old files, before
    one step decides; a kill before it leaves the old state, after it the new one. The replaced catalogue is kept in
    `backups`. A process that has the data folder open goes on with the restored catalogue. Raises WrongUse when the
    data folder has something and `overwrite` is not given, or is a folder of other things; DataFolderError when the
    source is damaged, was made by a newer Memetica, or the data folder cannot be written, or when another process is
    working on it.

    >>> from indexer.upkeep.backup import back_up
    >>> kept = back_up(workspace.settings, folder / "kept.zip").path
    >>> report = restore(Settings(data=folder / "other"), kept)
    >>> report.memes, report.complete
    (9, False)
    """
    data = settings.data
    _refuse_foreign(data, settings.library)
    with ExitStack() as held:
        for work in _WORK:
            held.enter_context(lock(data, work, seconds=0.5))
        finish_replacement(data)
        if not overwrite and _has_something(data, archive=zipfile.is_zipfile(source)):
            raise WrongUse(
                f"The data folder {data} has something already, so nothing was restored.",
                hint="`--replace` replaces it; its catalogue is kept in `backups`. Or name another: `--data FOLDER`.",
            )
        for leftover in data.glob(f"{STAGING}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        staging = data / f"{STAGING}{secrets.token_hex(4)}"
        try:
            staging.mkdir(parents=True)
            _stage(source, staging, on_file)
            complete = take_over_computed(staging / CATALOGUE, data / CATALOGUE) or _is_complete(staging)
            try:
                report = _build(settings, source, staging, complete=complete)
            except MemeticaError as error:  # the index cannot be written; its advice is for `memetica index`
                raise DataFolderError(f"Nothing was restored: {error.message}", hint=_TRY_AGAIN) from error
            kept = _keep(data, staging)
            moves = _moves(data, staging)
            replace_files(data, staging, before=moves[0], after=moves[1], on_step=on_step)
        except OSError as error:
            raise DataFolderError(
                f"Nothing was restored: {error.filename or data}: {error.strerror or error}.",
                hint=_TRY_AGAIN,
            ) from error
        finally:
            if not (data / "restore.json").exists():
                shutil.rmtree(staging, ignore_errors=True)
    return replace(report, kept=kept)


def _refuse_foreign(data: Path, library: Path) -> None:
    """Raise WrongUse for a folder of other things, which a restore would be strewn among."""
    if data == library:
        raise WrongUse(f"{data} is the library, so nothing was restored.", hint=_ANOTHER)
    if not data.is_dir() or any((data / name).exists() for name in (CATALOGUE, *_OWN)):
        return
    foreign = [one.name for one in data.iterdir() if one.name != "lost+found" and one.suffix != ".lock"]
    if foreign:
        raise WrongUse(
            f"{data} is not empty and no data folder ({min(foreign)} is in it), so nothing was restored.", hint=_ANOTHER
        )


def _has_something(data: Path, *, archive: bool) -> bool:
    """Return whether a data folder has what a copy of the catalogue, or an archive of all files, would replace."""
    replaced = (CATALOGUE, "curator.json") if archive else (CATALOGUE,)
    if any((data / name).exists() and (data / name).stat().st_size for name in replaced):
        return True
    return archive and any(file.is_file() for folder in FOLDERS for file in (data / folder).rglob("*"))


def _stage(source: Path, staging: Path, on_file: OnFile) -> None:
    """Write the files of a backup, verified, into a new folder, with the catalogue in this Memetica's version."""
    if zipfile.is_zipfile(source):
        verify(source, to=staging, on_file=on_file)
    else:
        on_file(CATALOGUE)
        copy_catalogue(source, staging / CATALOGUE)
    catalogue = staging / CATALOGUE
    version = version_of(catalogue)
    if version > newest_version():
        raise DataFolderError(
            f"{source} was made by a newer Memetica: its catalogue has version {version}, this Memetica reads version "
            f"{newest_version()}.",
            hint="Update Memetica.",
        )
    problems = problems_of(catalogue)
    if problems:
        raise DataFolderError(f"{source} cannot be restored. {problems[0]}", hint="Choose another backup.")
    open_catalogue(Settings(data=staging), create=False, migrate=True).close()


def _text_encoder(settings: Settings, staging: Path, catalogue: Catalogue) -> str:
    """Return the name of the text encoder to build the index with: the chosen one's embeddings, or the index's."""
    wanted = stored_setting(staging, "text_encoder") or settings.text_encoder
    live = live_text_encoder(settings.data / "index")
    known = catalogue.embeddings.encoders()
    return next((name for name in known if spec_of(name) == wanted), live if live in known else wanted)


def _is_complete(staging: Path) -> bool:
    with open_catalogue(Settings(data=staging), create=False) as catalogue:
        return not catalogue.memes.count() or bool(catalogue.pictures.count())


def _build(settings: Settings, source: Path, staging: Path, *, complete: bool) -> RestoreReport:
    """Build the index of the staged catalogue, and return what is in it."""
    with open_catalogue(Settings(data=staging), create=False) as catalogue:
        image_encoder = live_image_encoder(settings.data / "index")
        if image_encoder and not catalogue.embeddings.count_pictures(image_encoder):
            image_encoder = ""
        build_generation(
            staging / "index",
            catalogue,
            text_encoder=_text_encoder(settings, staging, catalogue),
            image_encoder=image_encoder,
            splitter=SPLITTER,
            least_weight=LEAST_WEIGHT,
        )
        return _report(source, catalogue, complete=complete)


def _report(source: Path, catalogue: Catalogue, *, complete: bool) -> RestoreReport:
    waiting, _ = catalogue.uploads.load()
    return RestoreReport(source, catalogue.memes.count(), catalogue.verdicts.count(), waiting, complete, None)


def _keep(data: Path, staging: Path) -> Path | None:
    """Copy what will be replaced into `backups`; return the copy of the catalogue."""
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}"
    for name in FILES:
        if name != CATALOGUE and (staging / name).exists() and (data / name).exists():
            (data / FOLDER).mkdir(exist_ok=True)
            shutil.copy2(data / name, data / FOLDER / f"{stamp}-{name}")
            (data / FOLDER / f"{stamp}-{name}").chmod(0o600)  # a key may be in it
    catalogue = data / CATALOGUE
    if not catalogue.exists() or not catalogue.stat().st_size:
        return None
    if not problems_of(catalogue):
        return keep_copy(data, "before-restore", computed=False)
    (data / FOLDER).mkdir(exist_ok=True)
    for ending in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copy2(f"{catalogue}{ending}", data / FOLDER / f"damaged-{stamp}.sqlite.bad{ending}")
    return data / FOLDER / f"damaged-{stamp}.sqlite.bad"


def _moves(data: Path, staging: Path) -> tuple[list[Move], list[Move]]:
    """Return the moves from the staging folder before and after the catalogue is replaced."""
    before: list[Move] = []
    after: list[Move] = []
    for file in sorted(staging.rglob("*")):
        path = file.relative_to(staging)
        moved = path.parts[0] in FOLDERS or (path.as_posix() in FILES and path.as_posix() != CATALOGUE)
        if moved and (file.is_symlink() or file.is_file()):
            before.append((f"{staging.name}/{path.as_posix()}", path.as_posix()))
    name = next_name(data / "index")
    built, checksum = (staging / "index" / CURRENT).read_text("ascii").split()
    (staging / "index" / CURRENT).write_text(f"{name} {checksum}\n", "ascii")
    after.append((f"{staging.name}/index/{built}", f"index/{name}"))
    after.append((f"{staging.name}/index/{CURRENT}", f"index/{CURRENT}"))
    return before, after
