"""Write the site, or only its search, as plain files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import render_template

from indexer.media.thumbnail_sizes import SMALL_SIDE, small_thumbnail, thumbnail_as_jpeg
from indexer.media.thumbnails import still_path, thumbnail_path
from indexer.stages.draw_map import LibraryMap, draw_map, read_map
from search.encoders.base import TextEncoder
from search.errors import DataFolderError, LibraryError, MemeticaError, ModelUnavailable, NotFound, WrongUse
from search.index.contents import Contents
from search.index.lexical.writer import documents_of
from search.index.local import LocalIndex
from search.index.text_encoder import text_encoder_in_use
from search.meme import Field, Meme
from search.ranking.relevance import relevance_rule
from search.texts.agreement import LEAST_WEIGHT
from search.workspace import Workspace
from web.site import feeds, files, install, library_map, listing, pages
from web.site.cards import cards_of_memes
from web.site.previews import shows_own_file
from web.static_site.addresses import SiteAddresses
from web.static_site.app import SiteRenderer, site_assets
from web.static_site.encoder_files import encoder_files
from web.static_site.inputs import inputs_digest
from web.static_site.meaning_index import build_meaning_index
from web.static_site.options import COPY, LINK, OFF, SiteOptions
from web.static_site.output import Order, SiteFolder, SiteReport, open_site_folder
from web.static_site.search_index import build_search_index, card_files, marks_of
from web.static_site.sitemap import sitemaps

ONLY_SEARCH = "memetica"  # the folder that holds everything of an export of the search alone
_CARDS_AT_ONCE = 400
_BY_MEANING = ("encoder.js", "encoder_worker.js", "meaning.js")  # fetched when a visitor first searches

Advance = Callable[[], object]


@dataclass(frozen=True)
class SiteExport:
    """A finished export: the report of its folder, memes whose files are missing, and copies made in place of links.

    `meaning_bytes` is what a browser fetches once to search by meaning, 0 without it; `without_meaning` says why.
    """

    report: SiteReport
    memes: int
    missing: tuple[str, ...] = ()
    copied: int = 0
    meaning_bytes: int = 0
    without_meaning: str = ""


def export_site(
    workspace: Workspace,
    out: Path,
    options: SiteOptions | None = None,
    *,
    text_encoder: TextEncoder | None = None,
    on_start: Callable[[int], object] = lambda steps: None,
    on_step: Advance = lambda: None,
) -> SiteExport:
    """Write the site of a workspace into a folder, and return what was done; a second run writes what changed.

    Until everything is written, the site that was in the folder stays as it was. Without `text_encoder` that of the
    settings is loaded. `on_start` gets the number of steps, one or two for each meme; `on_step` is called after each.
    Raises WrongUse for a folder inside the library or the data folder, IndexUnusable without an index, WrongState when
    the folder has files in the way that Memetica did not write.

    >>> from web.static_site.export import SiteOptions, export_site
    >>> export_site(workspace, folder / "site", SiteOptions(media="link"), text_encoder=encoder).memes
    9
    >>> (folder / "site" / "memes" / "Dogs" / "fine.png.html").exists()
    True
    """
    options = (options or SiteOptions()).checked()
    out = out.expanduser().absolute()
    # A generator's output may have the library in it, as `memes/`: the search is a folder beside that.
    _check_place(out, out / ONLY_SEARCH if options.only_search else out, workspace)
    memes = sorted(workspace.catalogue.memes.everything(), key=lambda meme: meme.id)
    if not memes:
        raise NotFound("There are no memes to export.", hint="Run `memetica index FOLDER` first.")
    if options.media in (COPY, LINK) and not options.only_search and not workspace.library.is_dir():
        raise LibraryError(
            f"The library {workspace.library} is missing, and with it the memes' files.",
            hint="Check that its disk is mounted, or name the place of the files by `--media URL`.",
        )
    categories = [name for name, _, _ in workspace.catalogue.memes.categories()]
    addresses = SiteAddresses(
        memes,
        categories,
        media="" if options.media in (COPY, LINK) else options.media,
        exact=options.exact_names,
        own=f"{ONLY_SEARCH}/" if options.only_search else "",
    )
    drawn = None if options.only_search else _library_map(workspace, memes)
    renderer = SiteRenderer(workspace, addresses, options=options, text_encoder=text_encoder, library_map=drawn)
    try:
        with open_site_folder(out) as folder:
            export = _Export(workspace, folder, renderer, options, memes, categories, drawn, on_step)
            on_start(export.steps())
            return export.run()
    finally:
        renderer.site.close()


def _library_map(workspace: Workspace, memes: Sequence[Meme]) -> LibraryMap | None:
    """Return the map of the library, drawn where there is none that fits; None where nothing can be drawn."""
    found = read_map(workspace)
    if found is None or not found.fits([meme.id for meme in memes if meme.has_thumbnail]):
        with suppress(DataFolderError):  # a data folder that may only be read: an older map still shows most memes
            found = draw_map(workspace, encoder=text_encoder_in_use(workspace.settings))
    return found if found is not None and len(found.ids) else None


def _check_place(out: Path, written: Path, workspace: Workspace) -> None:
    place = written.resolve()
    for folder, name in ((workspace.library, "the library"), (workspace.data, "the data folder")):
        other = folder.resolve()
        if place == other or place in other.parents or other in place.parents:
            raise WrongUse(
                f"{written} and {name} {folder} lie in one another.", hint="Choose another folder for the site."
            )
    if out.exists() and not out.is_dir():
        raise WrongUse(f"{out} is not a folder.", hint="Choose another folder for the site.")


@dataclass
class _Export:
    workspace: Workspace
    folder: SiteFolder
    renderer: SiteRenderer
    options: SiteOptions
    memes: list[Meme]
    categories: list[str]
    library_map: LibraryMap | None
    on_step: Advance

    def steps(self) -> int:
        return len(self.memes) * (1 if self.options.only_search else 2)

    def run(self) -> SiteExport:
        self.renderer.site.searcher()  # IndexUnusable comes before anything is written
        # The files have the postings and vectors, wherever the site searches.
        index = LocalIndex.open(self.renderer.site.workspace.index)
        inputs = inputs_digest(self.workspace, self.options, index.manifest, self.library_map)
        missing, copied = self._files()
        if self.folder.made.get("inputs") == inputs and self.folder.keep_rest():
            for _ in range(self.steps() - len(self.memes)):
                self.on_step()
            report = self.folder.switch(made=self.folder.made)
            return SiteExport(report, len(self.memes), tuple(missing), copied, *self.folder.made["meaning"])
        own = self.renderer.addresses.own
        version, found = site_assets()
        for name, raw in found.items():
            if name != "sw.js":
                self.folder.put(f"{own}static/{version}/{name}", raw, Order.DATA)
        meaning_bytes, without_meaning = self._search_index(index)
        self._put("/search.html", lambda: render_template("static_search.html"), Order.ENTRY)
        if self.options.only_search:
            snippet = self.renderer.render("/search.html", lambda: render_template("static_snippet.html"))
            self.folder.put(f"{own}snippet.html", snippet, Order.ENTRY)
        else:
            self._pages()
        report = self.folder.switch(made={"inputs": inputs, "meaning": [meaning_bytes, without_meaning]})
        return SiteExport(report, len(self.memes), tuple(missing), copied, meaning_bytes, without_meaning)

    def _put(self, address: str, view: Callable[[], object], order: Order, *, at: str = "") -> None:
        path = at or self.renderer.addresses.file_of(address)
        self.folder.put(path, self.renderer.render(address, view, at=path), order)  # type: ignore[arg-type]

    # --- pages ---

    def _pages(self) -> None:
        catalogue = self.workspace.catalogue.memes
        for meme in self.memes:
            at = self.renderer.addresses.pages[meme.path]
            self._put(f"/memes/{quote(meme.path)}.html", partial(pages.meme_page, meme), Order.PAGE, at=at)
            self.on_step()
        for category in self.categories:
            view = partial(listing.category_page, category)
            address = f"/memes/{quote(category, safe='')}/index.html"
            for number in _page_numbers(catalogue.count(category=category)):
                self._put(address + (f"?page={number}" if number > 1 else ""), view, Order.PAGE)
            if self.options.base_url:
                self._put(f"/feed.atom?category={quote(category, safe='')}", feeds.feed, Order.PAGE)
        for number in _page_numbers(len(self.memes)):
            if number == 1:
                # The pages of the list are at /pages/<n>/index.html from the first on, which is the home page, too.
                self._put("/", listing.home, Order.PAGE, at="pages/1/index.html")
                self._put("/", listing.home, Order.ENTRY)
            else:
                self._put(f"/?page={number}", listing.home, Order.PAGE)
        self._put("/categories", listing.categories, Order.PAGE)
        self._put("/about", pages.about, Order.PAGE)
        self._put("/favorites", lambda: render_template("static_favorites.html"), Order.PAGE)
        if self.renderer.has_map:
            self._put("/map.json", library_map.data, Order.DATA)
            self._put("/map", library_map.page, Order.PAGE)
        self.folder.put("404.html", self._not_found(), Order.PAGE)
        self.folder.put("manifest.webmanifest", self._manifest(), Order.ENTRY)
        self.folder.put("robots.txt", self._robots(), Order.ENTRY)
        self.folder.put(".nojekyll", b"", Order.DATA)  # GitHub Pages: every file is published as it is
        self.folder.put("sw.js", self._service_worker(), Order.ENTRY)
        if self.options.base_url:
            self._put("/feed.atom", feeds.feed, Order.ENTRY)
            for name, raw in sitemaps(self.memes, self.categories, self.renderer.addresses, self.options.base_url):
                self.folder.put(name, raw, Order.ENTRY)

    def _not_found(self) -> bytes:
        # Hosts show it at any address, so its links start from the root that the site will have.
        root = self.renderer.site_path()
        return self.renderer.render("/", lambda: render_template("static_not_found.html", root=root), at="404.html")

    def _manifest(self) -> bytes:
        def text() -> str:
            found = install.app_manifest(lambda file: f"static/{site_assets()[0]}/{file}")
            return json.dumps(found | {"id": "./", "start_url": "./", "scope": "./"}, indent=1)

        return self.renderer.render("/", text)

    def _robots(self) -> bytes:
        lines = ["User-agent: *", "Disallow:"]
        if self.options.base_url:
            lines.append(f"Sitemap: {self.options.base_url}sitemap.xml")
        return ("\n".join(lines) + "\n").encode()

    def _service_worker(self) -> bytes:
        version, found = site_assets()
        scripts = [name for name in found if name.endswith((".js", ".css")) and name not in ("sw.js", *_BY_MEANING)]
        shell = [
            "index.html",
            "search.html",
            "favorites/index.html",
            "search/index.json",
            *(f"static/{version}/{name}" for name in scripts),
        ]
        head = f"const VERSION = {json.dumps(version)};\nconst SHELL = {json.dumps(shell)};\n"
        return head.encode() + found["sw.js"]

    # --- search ---

    def _search_index(self, local: LocalIndex) -> tuple[int, str]:
        """Write the indexes; return the bytes that meaning needs once, 0 without it, and why there is none."""
        own = self.renderer.addresses.own
        meaning, reason = self._meaning(local)
        contents = Contents(self.workspace.catalogue, LEAST_WEIGHT)
        documents = documents_of(contents.texts(), paths={meme.id: meme.path for meme in contents.memes})
        index = build_search_index(
            local.lexical,
            self.memes,
            documents,
            marks=marks_of(local, self.workspace.catalogue.tags.ids()),
            meaning=meaning,
        )
        for name, raw in index.parts.items():
            self.folder.put(f"{own}search/{name}", raw, Order.DATA)
        for name, raw in card_files(self._cards()):
            # New cards may be of pages that are not there yet: nothing finds them before the table is.
            self.folder.put(f"{own}search/{name}", raw, Order.DATA)
        self.folder.put(f"{own}search/index.json", index.table, Order.ENTRY)
        return (meaning["bytes"] if meaning is not None else 0), reason

    def _meaning(self, index: LocalIndex) -> tuple[dict[str, Any] | None, str]:
        """Write the vectors and the text encoder; return what names them, or None and why there are none."""
        if self.options.meaning == OFF:
            return None, ""
        settings = self.workspace.settings
        try:
            encoder = encoder_files(self.workspace, index.manifest.text_encoder)
        except ModelUnavailable as error:
            return None, error.message
        rule = relevance_rule(settings, self.renderer.site.encoder())
        built = build_meaning_index(index, settings, rule, words_of=self._ocr)
        if built is None:
            return None, "No text of the library has been embedded."
        table = built.packed_table(encoder.table)
        name = f"vectors/{hashlib.sha256(table).hexdigest()[:16]}.dat"
        files = {f"encoder/{file}": raw for file, raw in encoder.files.items()} | dict(built.parts) | {name: table}
        for path, raw in files.items():
            self.folder.put(f"{self.renderer.addresses.own}search/{path}", raw, Order.DATA)
        return {"table": name, "bytes": encoder.bytes}, ""

    def _ocr(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the text in the pictures of memes."""
        found: dict[int, list[str]] = {}
        for row in self.workspace.catalogue.texts.passages_of(ids, fields=[Field.OCR]):
            found.setdefault(row.meme_id, []).append(row.passage.body)
        return {id: "\n".join(bodies) for id, bodies in found.items()}

    def _cards(self) -> Iterator[tuple[int, str]]:
        for at in range(0, len(self.memes), _CARDS_AT_ONCE):
            some = self.memes[at : at + _CARDS_AT_ONCE]

            def rendered(some: list[Meme] = some) -> str:
                one = self.renderer.app.jinja_env.get_template("_cards.html").module.one  # type: ignore[attr-defined]
                cards = cards_of_memes(some)
                return "\0".join(str(one(card, 100, "")) for card in cards)

            whole = self.renderer.render("/search.html", rendered).decode()
            yield from ((meme.id, " ".join(html.split())) for meme, html in zip(some, whole.split("\0"), strict=True))

    # --- files ---

    def _files(self) -> tuple[list[str], int]:
        """Write thumbnails and the memes' files; return the paths of missing ones, and how many links became copies."""
        done: set[str] = set()
        missing: list[str] = []
        copied = 0
        for meme in self.memes:
            if meme.has_thumbnail and meme.content_hash not in done:
                done.add(meme.content_hash)
                self._thumbnails(meme)
            if self.options.media in (COPY, LINK) and not self.options.only_search and meme.has_thumbnail:
                try:
                    copied += not self._media(meme)
                except MemeticaError:
                    missing.append(meme.path)
                    self.folder.keep(self.renderer.addresses.files[meme.path])
            self.on_step()
        return missing, copied

    def _thumbnails(self, meme: Meme) -> None:
        data, content = self.workspace.data, meme.content_hash
        stem = f"{self.renderer.addresses.own}thumbnails/{content}"
        makers: list[tuple[str, Callable[[], bytes]]] = [
            (f"{stem}-{SMALL_SIDE}.webp", lambda: small_thumbnail(data, content)),
        ]
        makers.append((f"{stem}.webp", lambda: thumbnail_path(data, content).read_bytes()))
        if not self.options.only_search:
            if self.options.base_url and not shows_own_file(meme):
                makers.append((f"{stem}.jpg", lambda: thumbnail_as_jpeg(data, content)))
            if not meme.plays_in_browsers:
                number = 0
                while (still := still_path(data, content, number)).is_file():
                    makers.append((f"{stem}.{number}.webp", still.read_bytes))
                    number += 1
        for path, make in makers:
            # Named by the content of the meme's file, they never change.
            if not self.folder.has(path, content):
                try:
                    raw = make()
                except (OSError, ValueError, SyntaxError):  # Pillow, of a damaged file: the page shows the other size
                    continue
                self.folder.put(path, raw, Order.DATA, source=content)

    def _media(self, meme: Meme) -> bool:
        """Write a meme's file; return False when it is copied because it could not be linked."""
        path = self.renderer.addresses.files[meme.path]
        is_svg = (meme.content_type or "").startswith("image/svg")
        source = f"{'safe ' if is_svg else ''}{meme.content_hash}"
        if self.folder.has(path, source):
            return True
        with self.renderer.app.app_context(), files.open_decoded(meme) as opened:
            if is_svg:  # without scripts, as the served site sends it: the page of a host is no place for them
                self.folder.put(path, files.sanitized_svg(opened.read()), Order.DATA, source=source)
                return True
            link = self.workspace.library / meme.path if self.options.media == LINK else None
            return self.folder.put_copy(path, opened, source=source, link=link)


def _page_numbers(memes: int) -> range:
    return range(1, max(1, math.ceil(memes / listing.PAGE_SIZE)) + 1)
