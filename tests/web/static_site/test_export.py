"""The exported site: every page and link, names that hosts cannot hold, what a second run changes, kills."""

from __future__ import annotations

import gzip
import html.parser
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from PIL import Image

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import Catalogue
from search.errors import WrongState, WrongUse
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from web.static_site import export, output
from web.static_site.app import SiteRenderer
from web.static_site.export import SiteExport
from web.static_site.options import LINK, SiteOptions

ROOT = "https://memes.example/sub/"
ODD = 'Dogs/it\'s "good" #1?.png'


def export_site(workspace: Workspace, out: Path, options: SiteOptions | None = None) -> SiteExport:
    return export.export_site(workspace, out, options, text_encoder=HashingTextEncoder())


@pytest.fixture(scope="module")
def exported(served_settings: Settings, served: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the library that all tests read, exported once."""
    out = tmp_path_factory.mktemp("exported") / "site"
    export_site(Workspace(served_settings, served), out, SiteOptions(base_url=ROOT))
    return out


class _Links(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.base = ""
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if tag == "base":
                self.base = value or ""
            elif name in ("href", "src", "poster", "action", "data-src", "data-page", "data-pause"):
                self.found.add(value or "")
            elif name == "srcset":
                self.found.update(one.split()[0] for one in (value or "").split(", "))


def links_of(site: Path, page: Path) -> Iterator[str]:
    """Yield the path in the site's folder of each link of a page; links out of the site as they are."""
    links = _Links(page.read_text("utf-8"))
    here = page.relative_to(site).as_posix()
    base = urljoin(f"http://x/{here}", links.base)
    for link in links.found:
        whole = urljoin(base, link)
        yield unquote(urlsplit(whole).path[1:]) if whole.startswith("http://x/") else whole


def broken_links(site: Path, pages: Iterator[Path] | list[Path]) -> list[tuple[str, str]]:
    return [
        (page.relative_to(site).as_posix(), link)
        for page in pages
        for link in links_of(site, page)
        if not link.startswith(ROOT) and not (site / link).is_file()
    ]


def reachable(site: Path) -> list[Path]:
    """Return the pages that links from the first page on lead to."""
    found = {"index.html"}
    waiting = ["index.html"]
    while waiting:
        for link in links_of(site, site / waiting.pop()):
            if link.endswith(".html") and (site / link).is_file() and link not in found:
                found.add(link)
                waiting.append(link)
    return [site / one for one in sorted(found)]


def test_every_page_is_reached_and_every_link_leads_to_a_file(exported: Path) -> None:
    pages = reachable(exported)
    every = {page for page in exported.rglob("*.html")}
    assert {page.relative_to(exported).as_posix() for page in every - set(pages)} == {"404.html", "pages/1/index.html"}
    assert broken_links(exported, pages) == []


def test_pages_are_at_the_addresses_of_the_library(exported: Path) -> None:
    for path in ("memes/Cats/monday.png.html", "memes/Cats/index.html", "memes/Cats/monday.png", "pages/1/index.html"):
        assert (exported / path).is_file()
    page = (exported / "memes/Dogs/fine.png.html").read_text("utf-8")
    assert "“this is fine”" in page and "A dog drinks coffee in a burning room." in page
    assert "Similar subject" in page or "Similar words" in page or "Looks similar" in page


def test_nothing_that_needs_a_server_is_offered(exported: Path) -> None:
    for page in reachable(exported):
        text = page.read_text("utf-8")
        for part in ("/sign-in", "/upload", "/api/", "/appearance", "data-choose", "?download", "opensearch"):
            assert part not in text, (page, part)


def test_names_that_hosts_cannot_hold_are_replaced_in_files_and_links(exported: Path) -> None:
    names = [file.name for file in exported.rglob("*") if ".memetica" not in file.as_posix()]
    assert not [name for name in names if set('<>:"|?*#%\\') & set(name)]
    assert len(list((exported / "memes/Dogs").glob("it's _good_ _1_-*.png.html"))) == 1


def test_whole_addresses_are_in_previews_feeds_and_the_sitemap(exported: Path) -> None:
    page = (exported / "memes/Dogs/fine.png.html").read_text("utf-8")
    assert f'<meta property="og:url" content="{ROOT}memes/Dogs/fine.png.html">' in page
    assert f'<meta property="og:image" content="{ROOT}memes/Dogs/fine.png">' in page
    sitemap = (exported / "sitemap.xml").read_text("utf-8")
    assert sitemap.count("<loc>") == 9 + 5 + 2
    assert f"<loc>{ROOT}memes/Cats%20-%20Kittens/small.png.html</loc>" in sitemap
    assert f"Sitemap: {ROOT}sitemap.xml" in (exported / "robots.txt").read_text("utf-8")
    feed = (exported / "memes/Dogs/feed.atom").read_text("utf-8")
    assert f'href="{ROOT}memes/Dogs/fine.png.html"' in feed and f"<id>{ROOT}memes/Dogs/feed.atom</id>" in feed


def test_pages_say_dates_and_no_ages(exported: Path) -> None:
    text = (exported / "memes/Cats/monday.png.html").read_text("utf-8")
    assert "1 March 2024</time>" in text and " ago" not in text


def test_a_second_run_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    first = export_site(workspace, tmp_path / "site")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "site").rglob("*.html")}
    second = export_site(workspace, tmp_path / "site")
    assert (second.report.written, second.report.removed) == (0, 0)
    assert second.report.unchanged == first.report.written
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "site").rglob("*.html")} == before


def test_pages_are_rendered_anew_only_where_something_that_they_are_made_from_changed(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    rendered: list[str] = []
    render = SiteRenderer.render

    def noted(self: SiteRenderer, address: str, view: Callable[[], object], *, at: str = "") -> bytes:
        rendered.append(address)
        return render(self, address, view, at=at)  # type: ignore[arg-type]

    monkeypatch.setattr(SiteRenderer, "render", noted)
    reasons: set[str] = set()

    def renders(options: SiteOptions | None = None) -> bool:
        rendered.clear()
        reasons.add(export_site(workspace, out, options).without_meaning)
        return bool(rendered)

    assert renders() and not renders()
    (out / "about" / "index.html").unlink()
    assert renders() and (out / "about" / "index.html").exists() and not renders()
    workspace.catalogue.tags.add(workspace.catalogue.memes.everything()[:1], "work")
    assert renders() and not renders()
    assert renders(SiteOptions(base_url=ROOT)) and renders() and not renders()
    facts = json.loads((out / "search" / "index.json").read_text("utf-8"))["facts"]
    assert json.loads(gzip.decompress((out / "search" / facts).read_bytes()))["tags"] == {"work": [1]}
    (out / "robots.txt").write_text("mine")
    assert renders() and renders(), "a file that somebody else has changed"
    assert reasons == {"The text encoder hashing-words-1 has no exported model."}


def test_what_is_gone_is_removed_and_what_others_wrote_stays(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "site"
    (out / "memes" / "Cats").mkdir(parents=True)
    (out / "CNAME").write_text("memes.example")
    (out / "memes" / "Cats" / "notes.txt").write_text("mine")
    export_site(workspace, out)
    (out / "robots.txt").write_text("User-agent: *\nDisallow: /\n")
    for file in workspace.library.glob("Cats/*"):
        file.unlink()
    shutil.rmtree(workspace.library / "Собаки")
    index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder(), gone=True)
    done = export_site(workspace, out, SiteOptions(base_url=ROOT))
    assert done.memes == 6
    assert not (out / "memes" / "Собаки").exists()
    assert [file.name for file in (out / "memes" / "Cats").iterdir()] == ["notes.txt"]
    assert (out / "CNAME").read_text() == "memes.example"
    assert (out / "robots.txt").read_text() == "User-agent: *\nDisallow: /\n"
    assert done.report.kept == ("robots.txt",)
    assert broken_links(out, reachable(out)) == []


def test_files_of_others_in_the_way_stop_the_export_and_nothing_changes(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "site"
    out.mkdir()
    (out / "index.html").write_text("mine")
    (out / "memes").symlink_to(workspace.library, target_is_directory=True)
    with pytest.raises(WrongState, match=r"index\.html"):
        export_site(workspace, out)
    assert (out / "index.html").read_text() == "mine"
    assert sorted(file.name for file in out.iterdir()) == [".memetica-site", "index.html", "memes"]


@pytest.mark.parametrize("place", ["memes/Cats/site", "data/site", "."])
def test_a_site_lies_neither_in_the_library_nor_around_it(workspace: Workspace, place: str) -> None:
    with pytest.raises(WrongUse, match="lie in one another"):
        export_site(workspace, workspace.library.parent / place)


def test_media_are_linked_or_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    done = export_site(workspace, tmp_path / "linked", SiteOptions(media=LINK))
    assert done.copied == 0
    assert (tmp_path / "linked/memes/Cats/monday.png").samefile(workspace.library / "Cats/monday.png")
    export_site(workspace, tmp_path / "elsewhere", SiteOptions(media="https://cdn.example/all"))
    page = (tmp_path / "elsewhere/memes/Cats/monday.png.html").read_text("utf-8")
    assert 'src="https://cdn.example/all/Cats/monday.png"' in page and "data: https://cdn.example;" in page
    assert not (tmp_path / "elsewhere/memes/Cats/monday.png").exists()


def test_a_file_that_changed_since_it_was_indexed_is_reported_and_not_published(
    workspace: Workspace, tmp_path: Path
) -> None:
    export_site(workspace, tmp_path / "site")
    before = (tmp_path / "site/memes/Cats/monday.png").read_bytes()
    shutil.rmtree(tmp_path / "site" / ".memetica-site")
    shutil.rmtree(tmp_path / "site")
    Image.new("RGB", (9, 9)).save(workspace.library / "Cats" / "monday.png")
    done = export_site(workspace, tmp_path / "site")
    assert done.missing == ("Cats/monday.png",)
    assert before and not (tmp_path / "site/memes/Cats/monday.png").exists()


def test_exact_names_keep_those_of_the_library(workspace: Workspace, tmp_path: Path) -> None:
    export_site(workspace, tmp_path / "site", SiteOptions(exact_names=True))
    assert (tmp_path / "site/memes" / f"{ODD}.html").is_file()
    assert broken_links(tmp_path / "site", reachable(tmp_path / "site")) == []


def test_only_the_search_is_one_folder_whose_cards_lead_to_the_librarys_addresses(
    workspace: Workspace, tmp_path: Path
) -> None:
    export_site(workspace, tmp_path / "site", SiteOptions(only_search=True, base_url=ROOT))
    assert {file.name for file in (tmp_path / "site").iterdir()} == {".memetica-site", "memetica"}
    assert 'action="/sub/memetica/search.html"' in (tmp_path / "site/memetica/snippet.html").read_text("utf-8")
    assert '<base href="../">' in (tmp_path / "site/memetica/search.html").read_text("utf-8")
    beside = workspace.library.parent  # a generator may write its pages into the library
    export_site(workspace, beside, SiteOptions(only_search=True))
    assert (beside / "memetica" / "search.html").is_file()
    with pytest.raises(WrongUse, match="lie in one another"):
        export_site(workspace, workspace.library / "Cats", SiteOptions(only_search=True))


class Killed(BaseException):
    """Stands for a kill: nothing that runs afterwards may be needed."""


def test_a_site_whose_export_is_killed_at_any_step_of_the_switch_has_no_broken_link(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    export_site(workspace, out)
    (workspace.library / "Dogs" / "fine.png").rename(workspace.library / "Robots" / "fine now.png")
    (workspace.library / "Cats" / "keyboard cat.jpg").unlink()
    index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder(), gone=True)
    finish = output._finish_switch

    def unfinished(root: Path) -> None:
        if (root / output.STATE / "switch.json").exists():
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(output, "_finish_switch", unfinished)
        with pytest.raises(Killed):
            export_site(workspace, out)
    staged = out / output.STATE
    journal = json.loads((staged / "switch.json").read_text("utf-8"))
    assert len(journal["steps"]) > 10
    assert not (out / "memes/Robots/fine now.png.html").exists()
    shutil.copytree(out, tmp_path / "at step 0")
    for done, (action, name, path) in enumerate(
        journal["steps"], 1
    ):  # each step by itself, as a killed process leaves it
        if action == "put":
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / "new" / name).replace(out / path)
        else:
            (out / path).unlink()
        assert broken_links(out, reachable(out)) == [], f"after step {done}, {action} {path}"
    assert (out / "memes/Robots/fine now.png.html").is_file()
    finish(tmp_path / "at step 0")
    pages = lambda root: {file.relative_to(root): file.read_bytes() for file in root.rglob("*.html")}  # noqa: E731
    assert pages(tmp_path / "at step 0") == pages(out)


def test_an_interrupted_switch_is_finished_by_the_next_export(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    replace_file: Callable[..., Path] = Path.replace
    puts = 0

    def killed_later(self: Path, target: Path) -> Path:
        nonlocal puts
        if self.parent.name == "new":
            puts += 1
            if puts == 20:
                raise Killed
        return replace_file(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed_later)
        # A process that is killed removes nothing.
        patch.setattr(output.shutil, "rmtree", lambda *args, **more: None)
        with pytest.raises(Killed):
            export_site(workspace, out)
    done = export_site(workspace, out)
    assert (done.report.written, done.report.kept) == (0, ())
    assert broken_links(out, reachable(out)) == []


def test_two_names_equal_in_case_and_folders_named_like_ours_are_kept_apart(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    for number, path in enumerate(
        (
            *(
                "pages/a.png",
                "pages/A.png",
                "static/b.png",
                "search/index.png",
                "Cats/CON.png",
                f"Cats/{'x' * 180}.png",
            ),
            *(
                "map/100%25 #1 & more?.png",
                "favorites/index.html.png",
                "한국어/고양이 밈.png",
                "Cafe\u0301/e\u0301 😂.png",
            ),
        )
    ):
        file = tiny_settings.library / path
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (60 + number, 40 + number), (40 * number, 99, 10)).save(file)
    Image.new("RGB", (77, 77), "navy").save(tiny_settings.library / "Cats" / "monday.png.html", "PNG")
    (tiny_settings.library / "static" / "broken.png").write_bytes(b"no picture")  # it has no thumbnail
    settings = replace(tiny_settings, site_name="Odd names")
    with Workspace.open(settings.data, create=True, library=settings.library, ocr_engine="none") as opened:
        workspace = replace(opened, settings=settings)
        index_library(workspace, progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
        done = export_site(workspace, tmp_path / "site", SiteOptions(base_url=ROOT))
        again = export_site(workspace, tmp_path / "site", SiteOptions(base_url=ROOT)).report
    assert done.memes >= 20
    assert (again.written, again.removed, again.kept) == (0, 0, ())
    files = [file.relative_to(tmp_path / "site").as_posix() for file in (tmp_path / "site").rglob("*")]
    assert len({name.casefold() for name in files}) == len(files)
    assert broken_links(tmp_path / "site", reachable(tmp_path / "site")) == []
