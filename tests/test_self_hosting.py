"""The files for self-hosting name commands, settings and folders that exist, and grant no more than is needed."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest

from search.settings import Settings
from tests.support.paths import ROOT
from web.cli.main import main

UNITS = sorted((ROOT / "deploy").glob("*.service"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text("utf-8"))
    return parser


def settings_in(text: str) -> set[str]:
    return {name.lower() for name in re.findall(r"MEMETICA_([A-Z_]+)", text)}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_exists_as_its_own_user(path: Path) -> None:
    service = unit(path)["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program == "/opt/memetica/bin/memetica"
    context = click.Context(main, info_name="memetica")
    [name] = [word for word in words if not word.startswith("-")]
    command = main.get_command(context, name)
    assert command is not None
    options = {option for one in (*main.params, *command.params) for option in one.opts}
    assert {word for word in words if word.startswith("-")} <= options
    assert service["User"] == "memetica" and service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "memetica" and "MEMETICA_DATA=/var/lib/memetica" in service["Environment"]


def test_every_setting_that_they_name_exists() -> None:
    texts = [DOCKERFILE, (ROOT / "compose.yaml").read_text("utf-8"), *(one.read_text("utf-8") for one in UNITS)]
    named = set().union(*map(settings_in, texts))
    assert named and named <= set(Settings.__dataclass_fields__)


def test_the_timer_starts_the_unit_of_its_name() -> None:
    timer = ROOT / "deploy/memetica-index.timer"
    assert unit(timer)["Timer"]["OnCalendar"] and timer.with_suffix(".service") in UNITS


def test_the_image_runs_as_a_user_and_tells_its_health() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER memetica$", last, re.MULTILINE) and "/healthz" in last and "VOLUME /data" in last
    copied = re.findall(r"^COPY (?!--from)(.+) /src", DOCKERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {"search", "indexer", "web", "demo"} <= set(copied)


def test_compose_mounts_the_library_read_only_and_listens_on_this_machine_alone() -> None:
    yaml = pytest.importorskip("yaml")
    service = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["memetica"]
    assert any(volume.endswith(":/memes:ro") for volume in service["volumes"]) and "data:/data" in service["volumes"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
