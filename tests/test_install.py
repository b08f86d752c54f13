"""The installer says what comes down, and takes the smallest torch that can be reached."""

from __future__ import annotations

import re
import stat
import sys
import tomllib
from pathlib import Path

import pytest

import install
from tests.support.paths import ROOT


def wheel(name: str, version: str, size: int) -> dict[str, object]:
    return {"name": name, "version": version, "wheels": [{"url": f"https://host/{name}.whl", "size": size}]}


def test_the_newest_cpu_build_that_fits_is_taken_from_a_local_folder(tmp_path: Path) -> None:
    for name in (
        "torch-2.9.1+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "torch-2.14.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl",
        "torch-2.14.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "torch-2.14.0+cpu-cp311-cp311-manylinux_2_28_aarch64.whl",
        "torchvision-0.30.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    ):
        (tmp_path / name).touch()
    assert install.local_torch([str(tmp_path)], "cp311", "x86_64") == "2.13.0+cpu"
    assert install.local_torch([str(tmp_path)], "cp313", "x86_64") == ""


def test_the_environments_pip_is_asked_for_folders_of_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    python = Path(fake_uv(tmp_path, "test \"$*\" = '-m pip config get global.find-links' && echo /opt/one /opt/two"))
    assert install.wheel_folders(python) == ["/opt/one", "/opt/two"]
    monkeypatch.setenv("UV_FIND_LINKS", "/opt/three")
    assert install.wheel_folders(python) == ["/opt/three"]


def fake_uv(folder: Path, script: str) -> str:
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


@pytest.mark.parametrize(
    ("script", "words", "options"),
    [
        ("exit 0", "the CPU build of torch", ["--torch-backend", "cpu"]),
        ("exit 1", "no CPU build can be reached", []),
        ("exec sleep 60", "no CPU build can be reached", []),
    ],
    ids=["answers", "refuses", "hangs"],
)
def test_an_index_that_does_not_answer_is_given_up(
    script: str, words: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "PROBE_SECONDS", 0.5 if "sleep" in script else 15)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.delenv("TORCH_BACKEND", raising=False)
    source, given = install.choose_torch(fake_uv(tmp_path, script), Path(sys.executable), [], {})
    assert words in source and given == options


def test_gigabytes_are_said_before_they_come_with_the_way_around_them() -> None:
    small = [wheel("torch", "2.13.0+cpu", 190_000_000), wheel("numpy", "2.4", 20_000_000)]
    assert install.announcement(small, "x").startswith("2 packages: 210 MB to download, about 630 MB on the disk (x).")
    assert "CUDA" not in install.announcement(small, "x")
    large = [*small, wheel("nvidia-cublas", "13", 2_500_000_000), wheel("triton", "3", 200_000_000)]
    said = install.announcement(large, "x")
    assert "2.9 GB to download" in said and "2.7 GB of it is CUDA" in said and "PIP_FIND_LINKS=FOLDER" in said
    assert "about 4.4 GB on the disk" in said  # 630 MB, and 1.4 times 2.7 GB: CUDA's wheels are hardly packed


def test_the_lock_has_a_version_of_every_dependency_and_names_no_host() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[^\w.-]", one, maxsplit=1)[0].lower().replace("_", "-") for one in wanted}
    assert names <= pinned
    assert not [line for line in lines if "://" in line or line.startswith("-")]
