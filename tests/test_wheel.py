"""The wheel has every file of the packages, so that an installed command finds its templates, scripts and models."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT

PACKAGES = ("search", "indexer", "web", "demo")
LEFT_OUT = "demo/small_clip/"  # trains a model whose result is in the wheel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel that is built of a copy of the clone."""
    # Not imported here: that fails where another test has imported the standard library's distutils before.
    with suppress(PackageNotFoundError):
        if int(version("setuptools").partition(".")[0]) >= 77:
            return _built(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built"))
    pytest.skip("builds with setuptools 77 or later")


def _built(source: Path, built: Path) -> set[str]:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md"):
        shutil.copy(ROOT / name, source)
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, built], cwd=source, check=True, capture_output=True, timeout=900)
    [file] = built.glob("*.whl")
    with ZipFile(file) as archive:
        return set(archive.namelist())


def test_every_file_of_the_packages_is_in_the_wheel(wheel: set[str]) -> None:
    files = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in files - wheel if not name.startswith(LEFT_OUT)} == set()
    assert not [name for name in wheel if name.startswith(LEFT_OUT)]
    kinds = {"web/templates/", "web/static/", "web/static_site/vendor/", "search/models/", "demo/bank/"}
    assert all(any(name.startswith(kind) for name in wheel) for kind in kinds)
    assert {"search/py.typed", "indexer/py.typed", "web/py.typed", "search/catalogue/schema.sql"} <= wheel


def test_the_wheel_brings_the_licences_the_command_and_nothing_beside_the_packages(wheel: set[str]) -> None:
    beside = {
        name.partition(".dist-info/")[2] for name in wheel if not name.startswith(tuple(f"{one}/" for one in PACKAGES))
    }
    assert {"licenses/LICENSE", "licenses/THIRD_PARTY_NOTICES.md", "entry_points.txt"} <= beside
    assert "" not in beside  # a folder of tests or benchmarks would be a package of everybody's environment
