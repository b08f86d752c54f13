"""Names and addresses of exported files: no two are one, on any host."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from web.static_site.addresses import SiteAddresses
from web.static_site.names import MAX_BYTES, Names, safe_name


@dataclass(frozen=True)
class FakeMeme:
    id: int
    path: str


NFD = unicodedata.normalize("NFD", "Café")
CLASHES = (
    "Cats/a.png",
    "Cats/A.PNG",
    "Cats/a.png.html/b.png",  # a folder called as the page of a meme
    "Cats/a.png.html.png",
    "Cats/index.html/c.png",  # as the page of a category
    "Cats/INDEX.HTML/d.png",
    "Cats/index.html.png",
    "Cats/pages/1/index.html/e.png",
    "Cats/pages/2/index.html/e.png",
    "Cats/feed.atom/f.png",
    "cats/a.png",
    "CATS/g.png",
    f"{NFD}/h.png",
    "Café/h.png",
    "Cats./a.png",
    "Cats /a.png",
    "CON/a.png",
    "con/A.png",
    "Cats/what?.png",
    "Cats/what_.png",
    "Cats/50%.png",
    "Cats/50%25.png",
    "Cats/#1.png",
    "Cats/.hidden.png",
    "Cats/a\\b.png",
    f"Cats/{'x' * 247}.png",
    f"Cats/{'x' * 248}.png",
    f"Cats/{'é' * 120}.png",
    f"Cats/{'é' * 121}.png",
    "index.html/a.png",
    "categories/a.png",
    "pages/a.png",
    "static/a.png",
)


@pytest.mark.parametrize("exact", [False, True])
def test_no_two_files_have_one_path_where_case_and_unicode_forms_do_not_count(exact: bool) -> None:
    memes = [FakeMeme(number, path) for number, path in enumerate(CLASHES)]
    categories = sorted({path.split("/")[0] for path in CLASHES})
    addresses = SiteAddresses(memes, categories, exact=exact)  # type: ignore[arg-type]
    pages = {name: addresses.file_of(f"/memes/{quote(name, safe='')}/index.html") for name in categories}
    further = [addresses.file_of(f"/memes/{quote(name, safe='')}/index.html?page=2") for name in categories]
    feeds = [addresses.file_of(f"/feed.atom?category={quote(name, safe='')}") for name in categories]
    every = [*addresses.files.values(), *addresses.pages.values(), *pages.values(), *further, *feeds]
    every += ["index.html", "pages/1/index.html", "categories/index.html", "about/index.html", "sitemap.xml", "sw.js"]
    keys = [unicodedata.normalize("NFC", path).casefold() for path in every]
    assert len(set(keys)) == len(keys)
    folders = {key[:at] for key in keys for at, letter in enumerate(key) if letter == "/"}
    assert not folders & set(keys), "a path is a file and a folder"
    assert all(len(part.encode()) <= 255 for path in every for part in path.split("/"))
    if not exact:
        assert not [path for path in every if set('<>:"|?*#%\\') & set(path)]
        assert all(len(part.encode()) <= MAX_BYTES for path in every for part in path.split("/"))
        assert all(part == part.rstrip(". ") and not part.startswith(".") for path in every for part in path.split("/"))


def test_an_address_leads_to_the_page_and_the_file_that_it_had_on_the_served_site() -> None:
    memes = [FakeMeme(number, path) for number, path in enumerate(CLASHES)]
    addresses = SiteAddresses(memes, sorted({path.split("/")[0] for path in CLASHES}))  # type: ignore[arg-type]
    for path in CLASHES:
        assert addresses.file_of(f"/memes/{quote(path)}") == addresses.files[path], path
        assert addresses.file_of(f"/memes/{quote(path)}.html") == addresses.pages[path], path


def test_what_is_added_later_takes_no_name_from_what_is_there() -> None:
    before = SiteAddresses([FakeMeme(1, "Cats/a.png")], ["Cats"])  # type: ignore[arg-type]
    after = SiteAddresses([FakeMeme(1, "Cats/a.png"), FakeMeme(2, "Cats/A.png")], ["Cats"])  # type: ignore[arg-type]
    assert after.files["Cats/a.png"] == before.files["Cats/a.png"] == "memes/Cats/a.png"
    assert after.files["Cats/A.png"] != "memes/Cats/A.png"


def test_a_safe_name_stays_as_it_is_and_others_differ_from_all_others() -> None:
    assert safe_name("it's “fine” & 100 € [1].png") == "it's “fine” & 100 € [1].png"
    names = [safe_name(name) for name in ("a?.png", "a*.png", "a_.png", "a_.png.", "a_.png ")]
    assert len(set(names)) == len(names)


def test_a_folder_takes_a_name_that_no_file_has() -> None:
    names = Names()
    names.take("memes/Cats")
    assert names.take_folder("memes/cats") != "memes/cats"
    assert names.take("memes/cats/a.png").startswith("memes/cats-")
