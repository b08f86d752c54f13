"""The data folder is its owner's alone, whatever the umask, and one that was open is closed when it is opened."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.catalogue import open_catalogue
from search.settings import Settings, save_setting
from search.system.private_folder import make_private
from web.curator.passwords import load_or_create_secret, load_password, set_password
from web.curator.sessions import begin_session

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no permissions by user here")
PASSWORD = "this is fine, said the dog"


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def fill(settings: Settings) -> list[Path]:
    """Write everything private into a data folder; return the files, those of an open catalogue too."""
    set_password(settings.data, PASSWORD)  # may be the first to make the folder
    record = load_password(settings.data)
    assert record is not None
    begin_session(settings.data, generation=record.generation, user_agent="", address="")
    load_or_create_secret(settings.data)
    save_setting(settings.data, "endpoint_key", "secret")
    with open_catalogue(settings) as catalogue:
        catalogue.failures.forget()
        names = ("catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm", "settings.json", "curator.json")
        files = [settings.data / name for name in (*names, "server-secret", "sessions.json")]
        assert [mode(file) for file in files] == ["0o600"] * len(files)
    return [file for file in files if file.exists()]


def test_what_is_made_is_private(tmp_path: Path, umask: int) -> None:
    fill(Settings(data=tmp_path / "data", library=tmp_path / "memes"))
    assert mode(tmp_path / "data") == "0o700"


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", library=tmp_path / "memes")
    files = fill(settings)
    settings.data.chmod(0o755)
    for file in files:
        file.chmod(0o644)
    open_catalogue(settings).close()
    assert mode(settings.data) == "0o700"
    assert {mode(file) for file in files} == {"0o600"}


def test_a_folder_around_the_library_stays_as_it_is_and_its_secrets_are_closed(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", library=tmp_path / "data/memes")
    files = fill(settings)
    settings.data.chmod(0o755)
    files[0].chmod(0o644)
    assert make_private(settings.data, library=settings.library) == []
    assert (mode(settings.data), mode(files[0])) == ("0o755", "0o600")


def test_what_cannot_be_closed_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data=tmp_path / "data", library=tmp_path / "memes")
    fill(settings)
    settings.data.chmod(0o755)

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with caplog.at_level(logging.WARNING):
        open_catalogue(settings).close()
        assert caplog.messages == []
        open_catalogue(settings, migrate=True).close()
    [told] = caplog.messages
    assert str(settings.data) in told and "Operation not permitted" in told and "chmod 700" in told
