"""Migrations of the catalogue, with an invented next version: who makes them, what is kept, what a failure leaves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from search.catalogue import VerdictKind, open_catalogue
from search.catalogue import schema as schema_module
from search.catalogue.copies import catalogue_copies, version_of
from search.catalogue.schema import FIRST_VERSION, newest_version
from search.errors import DataFolderError
from search.settings import Settings

SCHEMA = (resources.files("search.catalogue") / "schema.sql").read_text("utf-8")
NEW_TABLE = "CREATE TABLE shelves (\n    name TEXT PRIMARY KEY\n) STRICT;\n"
NEXT = NEW_TABLE + "UPDATE revision SET number = number + 1;\n"


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    """A data folder with a catalogue of today's version and a verdict in it."""
    settings = Settings(data=tmp_path / "data")
    with open_catalogue(settings) as catalogue:
        catalogue.verdicts.add(VerdictKind.DISTINCT, ["a", "b"], paths=["Cats/a.png", "Cats/b.png"])
    return settings


def with_next_version(monkeypatch: pytest.MonkeyPatch, statements: str = NEXT) -> None:
    """Let this be a Memetica whose catalogue has one version more."""
    monkeypatch.setattr(schema_module, "MIGRATIONS", {**schema_module.MIGRATIONS, newest_version(): statements})


def tables(file: Path) -> dict[str, str]:
    with closing(sqlite3.connect(file)) as opened:
        return dict(opened.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_the_version_is_the_number_of_migrations_since_the_first(old: Settings) -> None:
    assert version_of(old.data / "catalogue.sqlite") == FIRST_VERSION + len(schema_module.MIGRATIONS)
    assert sorted(schema_module.MIGRATIONS) == list(range(FIRST_VERSION, newest_version()))


def test_only_who_is_told_to_migrates(old: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    version = newest_version()
    with_next_version(monkeypatch)
    for create in (False, True):
        with pytest.raises(DataFolderError, match="made by an earlier Memetica") as caught:
            open_catalogue(old, create=create)
        assert "memetica index" in caught.value.hint
    assert version_of(old.data / "catalogue.sqlite") == version
    with open_catalogue(old, migrate=True) as catalogue:
        assert catalogue.verdicts.count() == 1 and catalogue.revision() == 1
    with open_catalogue(old, create=False):
        pass  # migrated already
    assert version_of(old.data / "catalogue.sqlite") == newest_version()


def test_the_catalogue_is_copied_before_it_is_migrated(old: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    version = newest_version()
    with_next_version(monkeypatch)
    open_catalogue(old, migrate=True).close()
    [copy] = catalogue_copies(old.data)
    assert (copy.reason, version_of(copy.path)) == (f"before-version-{version + 1}", version)
    assert "shelves" not in tables(copy.path) and "shelves" in tables(old.data / "catalogue.sqlite")


def test_a_new_catalogue_and_a_migrated_one_are_the_same(
    old: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_next_version(monkeypatch)
    open_catalogue(old, migrate=True).close()
    new = tmp_path / "new.sqlite"
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        schema_module.create_schema(connection, script=SCHEMA + NEW_TABLE)
    assert tables(new) == tables(old.data / "catalogue.sqlite")
    assert version_of(new) == newest_version()


PICTURES_10 = """
CREATE TABLE pictures (
    content_hash  TEXT PRIMARY KEY,
    width         INTEGER NOT NULL,         -- pixels, as shown
    height        INTEGER NOT NULL,
    frames        INTEGER NOT NULL,
    seconds       REAL,
    type          TEXT NOT NULL CHECK (type IN ('image', 'gif', 'video')),
    placeholder   TEXT NOT NULL,
    decoded_by    TEXT NOT NULL             -- name and version of the decoder
) STRICT;
"""


def without_batches(file: Path) -> None:
    """Make a catalogue of today one of version 12: no batches, no trash, with a merge and what the kept meme got."""
    operations = SCHEMA[SCHEMA.index("CREATE TABLE operations") : SCHEMA.index("-- Readings of a removed meme")]
    inherited = SCHEMA[SCHEMA.index("CREATE TABLE inherited_texts") : SCHEMA.index("-- Uploads, from their arrival")]
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "DROP TABLE batch_items; DROP TABLE batches; DROP INDEX verdicts_of_tags;"
            "DROP TABLE inherited_texts; DROP TABLE operations;"
            + operations.replace(", 'trash'", "")
            + inherited
            + "PRAGMA user_version = 12;"
        )
        connection.execute(
            "INSERT INTO operations VALUES ('uid', 'merge', 'done', '{\"kept_content\": \"a\"}', '[]', '', '2026', 0)"
        )
        connection.execute("INSERT INTO inherited_texts VALUES ('uid', 'a', 'simple-description', 'model')")
        connection.commit()


def test_a_catalogue_of_version_12_keeps_its_operations_and_becomes_like_a_new_one(old: Settings) -> None:
    file = old.data / "catalogue.sqlite"
    expected = tables(file)
    without_batches(file)
    assert tables(file) != expected
    open_catalogue(old, migrate=True).close()
    assert tables(file) == expected
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT uid, kind, state FROM operations").fetchall() == [("uid", "merge", "done")]
        assert connection.execute("SELECT operation, source FROM inherited_texts").fetchall() == [("uid", "model")]


def test_a_catalogue_of_version_10_keeps_its_pictures_and_becomes_like_a_new_one(tmp_path: Path) -> None:
    settings, new = Settings(data=tmp_path / "data"), tmp_path / "new.sqlite"
    open_catalogue(settings).close()
    file = settings.data / "catalogue.sqlite"
    without_batches(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "DROP INDEX memes_vanished; DROP TABLE pictures;" + PICTURES_10 + "PRAGMA user_version = 10;"
        )
        connection.execute("INSERT INTO pictures VALUES ('c0ffee', 4, 3, 1, NULL, 'image', 'data:,', 'media-3')")
        connection.commit()
    open_catalogue(settings, migrate=True).close()
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        schema_module.create_schema(connection)
    assert tables(file) == tables(new)
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        [row] = connection.execute("SELECT * FROM pictures")
    assert (row["width"], row["decoded_by"], row["share_decoded"], row["damage"]) == (4, "media-3", 1.0, "")


@pytest.mark.parametrize(
    "broken",
    [
        NEW_TABLE + "INSERT INTO nothing VALUES (1);\n",
        "INSERT INTO disputed (meme_id) VALUES (99);\n",  # refers to a meme that is not there
    ],
)
def test_a_migration_that_fails_leaves_the_catalogue_as_it_was(
    old: Settings, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    before = tables(old.data / "catalogue.sqlite")
    with monkeypatch.context() as patch:
        with_next_version(patch, broken)
        with pytest.raises(DataFolderError):
            open_catalogue(old, migrate=True)
    assert tables(old.data / "catalogue.sqlite") == before
    with open_catalogue(old, create=False) as catalogue:
        assert catalogue.verdicts.count() == 1


def test_a_catalogue_of_a_later_version_is_refused(old: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        with_next_version(patch)
        open_catalogue(old, migrate=True).close()
    with pytest.raises(DataFolderError, match="made by a newer Memetica"):
        open_catalogue(old, migrate=True)
