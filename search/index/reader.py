"""Read the files of a generation: verify their checksums, and open its picture embeddings alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from search.errors import IndexUnusable
from search.index.checksums import damaged_files
from search.index.generations import FORMAT, PICTURES, Manifest, read_live
from search.index.parts import pictures_part
from search.index.vectors.dense import DenseIndex
from search.index.verified import VERIFIED, VerifiedFiles

REBUILD_HINT = "`memetica index` builds it again; `memetica check` lists what else is damaged."


@dataclass(frozen=True)
class PictureVectors:
    """The embeddings of a library's pictures: the image encoder's name, and a row for each frame of each meme."""

    encoder: str
    pictures: DenseIndex


def open_picture_vectors(index: Path) -> PictureVectors | None:
    """Return the picture embeddings of the live generation in an index folder, or None."""
    try:
        folder, manifest = read_live(index)
        verify_files(folder, manifest, part=PICTURES, to_search=True)
        pictures = open_pictures(folder, manifest)
    except IndexUnusable:
        return None
    return None if pictures is None else PictureVectors(manifest.image_encoder, pictures)


def verify_files(folder: Path, manifest: Manifest, *, part: str = "", to_search: bool = False) -> None:
    """Raise IndexUnusable unless the files of a generation, or of one of its folders, are as they were written.

    `to_search` leaves out those that were verified within a day and have not changed since. A generation of a format
    without checksums is not verified.
    """
    expected = {path: sha for path, sha in manifest.files.items() if not part or path.startswith(f"{part}/")}
    found = damaged_files(folder, expected, verified=VerifiedFiles(folder.parent / VERIFIED) if to_search else None)
    if found:
        raise damaged_index(folder, found)


def verified_manifest(index: Path) -> Manifest | None:
    """Return the live generation's manifest; None when it has an earlier format, or any of its files is damaged.

    >>> verified_manifest(workspace.index).memes
    9
    """
    try:
        folder, manifest = read_live(index)
        verify_files(folder, manifest)
    except IndexUnusable:
        return None
    return manifest if manifest.format == FORMAT else None


def damaged_index(folder: Path, paths: list[str]) -> IndexUnusable:
    """Return the error about damaged files of a generation, given by their paths."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return IndexUnusable(f"The index in {folder} is damaged: {paths[0]}{more}.", hint=REBUILD_HINT)


def open_pictures(folder: Path, manifest: Manifest) -> DenseIndex | None:
    """Return the embeddings of a generation's pictures, opened; None for one without an image encoder."""
    if not manifest.image_encoder:
        return None
    return pictures_part(manifest.encoders.get(manifest.image_encoder, 0)).open(folder)
