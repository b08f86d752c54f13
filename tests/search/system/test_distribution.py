"""A missing extra is named with the command that installs it; an installed command has the user's own data folder."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from search.errors import DataFolderError, MissingExtra
from search.index.stores import open_store
from search.searcher import Searcher
from search.settings import Settings, load_settings
from search.system import distribution
from search.system.distribution import default_data_folder, install_command, require_extra
from search.workspace import Workspace
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.mark.parametrize(
    ("blocked", "command", "extra"),
    [
        ("ir_measures", ["evaluate"], "evaluate"),
        ("matplotlib", ["evaluate", "--chart", "chart.svg"], "evaluate"),
        ("mcp", ["mcp"], "mcp"),
        ("pyarrow", ["export", "--parquet", "out"], "parquet"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    blocked: str, command: list[str], extra: str, tiny_indexed: object, tiny_settings: Settings
) -> None:
    code = f"import sys; sys.modules[{blocked!r}] = None; from web.cli.main import main; main()"
    words = [sys.executable, "-c", code, *command, "--data", str(tiny_settings.data)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tiny_settings.data.parent, check=False)
    assert done.returncode == 1, done.stderr
    assert f"need {blocked}, which is not installed" in done.stderr and "Traceback" not in done.stderr
    said = " ".join(done.stderr.split())
    assert f"Install the extra `{extra}`:" in said and "install" in said.rpartition(":")[2]


def test_an_engine_without_its_package_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, tiny_settings: Settings
) -> None:
    monkeypatch.setattr(distribution, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="Indexes on Qdrant need qdrant_client, which is not installed") as lacking:
        open_store(tiny_settings, engine="qdrant:http://127.0.0.1:9")
    assert "`qdrant`" in lacking.value.hint


def test_the_command_names_the_packages_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["click>=8", 'mcp>=2.3; extra == "mcp"', 'uvicorn>=0.31; extra == "mcp"', "pyarrow; extra == 'parquet'"]
    monkeypatch.setattr(distribution, "requires", lambda name: listed)
    assert install_command("mcp").endswith(" 'mcp>=2.3' 'uvicorn>=0.31'") and sys.executable in install_command("mcp")
    assert install_command("parquet").endswith(" pyarrow")


def test_every_extra_that_the_code_asks_for_exists() -> None:
    files = [file for package in ("search", "indexer", "web") for file in (ROOT / package).rglob("*.py")]
    asked = {one for file in files for one in re.findall(r'require_extra\("(\w+)"', file.read_text("utf-8"))}
    assert asked == {"evaluate", "parquet", "mcp", "qdrant"} and asked <= set(PROJECT["optional-dependencies"])


def test_what_is_installed_is_no_error() -> None:
    require_extra("evaluate", ["json"], purpose="Nothing")
    with pytest.raises(MissingExtra, match="no_such_module"):
        require_extra("evaluate", ["json", "no_such_module"], purpose="Nothing")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed Memetica in an empty working folder; returns the user's own data folder, which is not made."""
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setattr(distribution, "_SOURCE", tmp_path / "site-packages")
    monkeypatch.setattr(distribution, "user_data_path", lambda name, appauthor: tmp_path / "home" / name)
    return tmp_path / "home" / "memetica"


def test_a_clone_keeps_its_data_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}).data == tmp_path / ".memetica"


def test_an_installed_command_has_one_data_folder_from_everywhere(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(environ={}).data == installed
    Path(".memetica").write_text("a file is no data folder")
    assert load_settings(environ={}).data == installed
    with Workspace.open(create=True) as workspace:
        assert workspace.data == installed and (installed / "catalogue.sqlite").exists()
    monkeypatch.chdir(tmp_path)
    with Workspace.open() as again:
        assert again.data == installed


def test_a_working_folder_with_dot_memetica_comes_before_the_users_own(installed: Path, tmp_path: Path) -> None:
    Path(".memetica").mkdir()
    assert default_data_folder() == Path(".memetica")
    assert load_settings(environ={}).data == tmp_path / "working/.memetica"
    with pytest.raises(DataFolderError, match=re.escape(str(tmp_path / "working/.memetica"))):
        Searcher.open()
    assert not installed.exists()


def test_a_named_data_folder_comes_before_both(installed: Path, tmp_path: Path) -> None:
    Path(".memetica").mkdir()
    environ = {"MEMETICA_DATA": str(tmp_path / "environment")}
    assert load_settings(environ=environ).data == tmp_path / "environment"
    assert load_settings({"data": tmp_path / "given"}, environ=environ).data == tmp_path / "given"


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of Linux")
def test_the_users_own_folder_is_that_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(distribution, "_SOURCE", tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert default_data_folder() == tmp_path / "xdg/memetica"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_data_folder() == tmp_path / "home/.local/share/memetica"
