"""What an exported site is made from, as one digest: while it stays the same, no page needs to be rendered again."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import indexer
import search
import web
from indexer.stages.draw_map import LibraryMap
from search.encoders.quantization import exported_encoder
from search.errors import ModelUnavailable
from search.index.generations import Manifest
from search.workspace import Workspace
from web.static_site.options import SiteOptions

_CODE = (".xz", ".py", ".html", ".js", ".css", ".sql", ".txt", ".svg")


def inputs_digest(
    workspace: Workspace, options: SiteOptions, manifest: Manifest, library_map: LibraryMap | None
) -> str:
    """Return the SHA-256 of the catalogue's contents, the index, the map, the encoder, settings, options and code.

    The memes' files and thumbnails are not in it: their names and the catalogue's hashes tell whether they changed.

    >>> from search.index.generations import live_manifest
    >>> manifest = live_manifest(workspace.index)
    >>> one = inputs_digest(workspace, SiteOptions(), manifest, None)
    >>> one == inputs_digest(workspace, SiteOptions(), manifest, None)
    True
    >>> one == inputs_digest(workspace, SiteOptions(base_url="https://memes.example/"), manifest, None)
    False
    """
    digest = hashlib.sha256(_code_digest())
    for part in (options, workspace.settings, manifest):
        digest.update(repr(part).encode())
    if library_map is not None:
        digest.update(library_map.ids.tobytes() + library_map.points.tobytes())
    digest.update(_encoder_state(workspace, manifest.text_encoder).encode())
    digest.update(workspace.catalogue.contents_digest())
    return digest.hexdigest()


def _encoder_state(workspace: Workspace, name: str) -> str:
    """Return the SHA-256 of a text encoder's exported model, or why there is none."""
    try:
        return exported_encoder(workspace.models, name).model_sha256
    except ModelUnavailable as error:
        return error.message


@cache
def _code_digest() -> bytes:
    """Return the SHA-256 of the code and the templates of all packages."""
    digest = hashlib.sha256()
    for package in (search, indexer, web):
        root = Path(package.__file__ or "").parent
        for file in sorted(root.rglob("*")):
            if file.suffix in _CODE:
                digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.digest()
