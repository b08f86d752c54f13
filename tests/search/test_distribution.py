"""A command that needs an extra which is not installed ends with the command that installs it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from search import distribution
from search.distribution import install_command, require_extra
from search.errors import MissingExtra
from search.settings import Settings
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


def test_the_command_names_the_packages_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["click>=8", 'mcp>=2.3; extra == "mcp"', 'uvicorn>=0.31; extra == "mcp"', "pyarrow; extra == 'parquet'"]
    monkeypatch.setattr(distribution, "requires", lambda name: listed)
    assert install_command("mcp").endswith(" 'mcp>=2.3' 'uvicorn>=0.31'") and sys.executable in install_command("mcp")
    assert install_command("parquet").endswith(" pyarrow")


def test_every_extra_that_the_code_asks_for_exists() -> None:
    files = [file for package in ("search", "indexer", "web") for file in (ROOT / package).rglob("*.py")]
    asked = {one for file in files for one in re.findall(r'require_extra\("(\w+)"', file.read_text("utf-8"))}
    assert asked == {"evaluate", "parquet", "mcp"} and asked <= set(PROJECT["optional-dependencies"])


def test_what_is_installed_is_no_error() -> None:
    require_extra("evaluate", ["json"], purpose="Nothing")
    with pytest.raises(MissingExtra, match="no_such_module"):
        require_extra("evaluate", ["json", "no_such_module"], purpose="Nothing")
