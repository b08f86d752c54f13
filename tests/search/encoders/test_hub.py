"""Downloads from a model hub: resumed, compared with their digests, and each bad day told for what it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx2
import pytest
from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache
from huggingface_hub.utils import close_session

from search.encoders import hub_download as hub_module
from search.encoders import hub_errors
from search.encoders.export_process import ExportFailed, run_exporter
from search.encoders.hub import (
    DOWNLOADS,
    Download,
    HubFile,
    are_cached,
    check_reachable,
    current_download,
    hub_cache,
    remove_download,
)
from search.encoders.hub_download import download, list_repository
from search.encoders.hub_errors import hub_address, seconds_to_wait
from search.errors import DataFolderError, ModelUnavailable
from tests.support.fake_hub import COMMIT, FakeHub, serving
from tests.support.waiting import PATIENCE, until

WEIGHTS = Random(5).randbytes(300_000)
FILES = (
    HubFile("org/clip", ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")),
    HubFile("org/tokenizer", ("tokenizer.json",), required=False),
    HubFile("org/tokenizer", ("vocab.txt",), required=False),
)
NAME = "org/clip/open_clip_model.safetensors"
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN", *PROXIES):
        monkeypatch.delenv(name, raising=False)
    close_session()  # the client reads the proxies once
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub_module, "BUSY_SECONDS", 1.0)
    monkeypatch.setattr(hub_module, "READ_SECONDS", PATIENCE)
    monkeypatch.setattr(hub_module, "HUB_SECONDS", PATIENCE)
    with serving({NAME: WEIGHTS, "org/tokenizer/tokenizer.json": b'{"a": 1}'}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served
    close_session()


def placed(folder: Path, repository: str, name: str) -> Path:
    return folder / f"models--{repository.replace('/', '--')}" / "snapshots" / COMMIT / name


def deliveries(hub: FakeHub) -> list[str]:
    """Return the ranges of the requests that deliver the weights."""
    return [asked for method, path, asked in hub.requests if method == "GET" and path.startswith("/cdn/")]


def test_files_are_laid_out_as_the_hubs_own_cache_and_optional_ones_may_be_missing(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Download] = []
    folder = download(tmp_path, "clip", FILES, on_download=told.append)
    assert placed(folder, "org/clip", "open_clip_model.safetensors").read_bytes() == WEIGHTS
    assert placed(folder, "org/tokenizer", "tokenizer.json").read_bytes() == b'{"a": 1}'
    assert (folder / "models--org--clip" / "refs" / "main").read_text() == COMMIT
    # Else loaders would ask the hub whether there is one, and fail where they must not.
    assert try_to_load_from_cache("org/tokenizer", "vocab.txt", cache_dir=folder) is _CACHED_NO_EXIST
    assert told[-1].received == told[-1].total == len(WEIGHTS) + 8
    assert not are_cached(FILES)  # nothing is put into the cache that other programs share
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    assert are_cached(FILES)
    asked = len(deliveries(hub))
    download(tmp_path, "clip", FILES)
    assert len(deliveries(hub)) == asked == 1  # what is there is not received again
    remove_download(tmp_path)
    assert not (tmp_path / DOWNLOADS).exists()


def test_a_download_that_is_cut_again_and_again_goes_on_where_it_was(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut_after = 100_000
    folder = download(tmp_path, "clip", FILES[:1])
    assert placed(folder, "org/clip", "open_clip_model.safetensors").read_bytes() == WEIGHTS
    assert deliveries(hub) == ["bytes=0-", "bytes=100000-", "bytes=200000-"]


def test_a_download_whose_process_was_killed_goes_on_where_it_was(hub: FakeHub, tmp_path: Path) -> None:
    part = tmp_path / DOWNLOADS / f"{hub.etag(NAME)}.part"
    part.parent.mkdir()
    part.write_bytes(WEIGHTS[:123_456])
    folder = download(tmp_path, "clip", FILES[:1])
    assert deliveries(hub) == ["bytes=123456-"]
    assert placed(folder, "org/clip", "open_clip_model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", [NAME, "org/tokenizer/tokenizer.json"])
def test_bytes_that_are_not_what_was_announced_are_refused_and_not_kept(
    hub: FakeHub, tmp_path: Path, name: str
) -> None:
    hub.delivered = {name: hub.files[name][:2] + b"\0\0" + hub.files[name][4:]}
    with pytest.raises(ModelUnavailable, match="arrived damaged") as raised:
        download(tmp_path, "clip", FILES)
    assert "anew" in raised.value.hint and not list((tmp_path / DOWNLOADS).glob("*.part"))
    hub.delivered = {}
    download(tmp_path, "clip", FILES)


@pytest.mark.parametrize(
    ("statuses", "says", "hint"),
    [
        ([401], r"does not know who asks for org/clip \(401\)", "HF_TOKEN"),
        ([403], r"does not let you have org/clip \(403\)", "Agree to its terms at http"),
        ([404, 404], "has no org/clip/open_clip_model.safetensors", "name"),
        ([429] * 9, r"is busy or broken \(429\)", "goes on where it was"),
        ([503] * 9, r"is busy or broken \(503\)", "goes on where it was"),
        ([418], r"refuses the request \(418\)", "goes on where it was"),
    ],
)
def test_a_hub_that_refuses_is_quoted_within_seconds(
    hub: FakeHub, tmp_path: Path, statuses: list[int], says: str, hint: str
) -> None:
    hub.statuses = statuses
    begun = time.monotonic()
    with pytest.raises(ModelUnavailable, match=says) as raised:
        download(tmp_path, "clip", FILES)
    assert hint in raised.value.hint and time.monotonic() - begun < PATIENCE
    assert current_download(tmp_path) is None


def test_a_busy_hub_is_asked_again_when_it_says_and_that_is_told(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "BUSY_SECONDS", 60.0)
    waited: list[float] = []
    monkeypatch.setattr(hub_module.time, "sleep", waited.append)
    hub.statuses, hub.retry_after = [503, 429], "7"
    told: list[str] = []
    download(tmp_path, "clip", FILES, on_download=lambda progress: told.append(progress.message))
    assert waited == [7.0, 7.0]
    assert any("busy (503); trying again at" in one for one in told) and told[-1] == ""


def test_a_full_disk_is_called_full_before_anything_is_received(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda folder: usage._replace(free=500_000))
    with pytest.raises(DataFolderError, match=r"needs 1 MB in .* 0 MB are free|needs .* MB are free") as raised:
        download(tmp_path, "clip", FILES)
    assert "--data" in raised.value.hint and deliveries(hub) == []


def test_a_hub_that_is_away_and_one_that_is_none_are_told_apart(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_reachable()
    hub.commit = ""
    with pytest.raises(ModelUnavailable, match="does not answer as a model hub does") as raised:
        download(tmp_path, "clip", FILES)
    assert "HF_ENDPOINT" in raised.value.hint
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for ask in (check_reachable, lambda: download(tmp_path, "clip", FILES)):
        with pytest.raises(ModelUnavailable, match=r"hub http://127.0.0.1:9 does not answer"):
            ask()


def test_the_token_is_not_sent_to_who_delivers_the_files(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    download(tmp_path, "clip", FILES[:1])
    assert hub.delivery_tokens == [""] and "Bearer hf_secret" in hub.tokens


def test_the_progress_of_another_process_is_seen_while_it_is_fresh(tmp_path: Path) -> None:
    file = tmp_path / DOWNLOADS / "download.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"model": "clip", "received": 100, "total": 300, "rate": 50.0, "message": ""}))
    found = current_download(tmp_path)
    assert found == Download("clip", 100, 300, 50.0) and found.seconds_left == 4
    os.utime(file, (time.time() - 600, time.time() - 600))
    assert current_download(tmp_path) is None
    file.write_text("{")
    assert current_download(tmp_path) is None


def test_an_exporter_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    exporter = tmp_path / "slow_exporter.py"
    exporter.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from search.system.processes import end_with_parent\n"
        "end_with_parent()\n"
        "Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "time.sleep(1000)\n"
    )
    code = (
        "import sys\n"
        "from search.encoders.export_process import run_exporter\n"
        "run_exporter('slow_exporter', sys.argv[1], what='it', seconds=60)\n"
    )
    root = str(Path(__file__).parents[3])
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), root))}
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "pid")], env=environ)
    until(lambda: (tmp_path / "pid").is_file() and bool((tmp_path / "pid").read_text()))
    child = int((tmp_path / "pid").read_text())
    parent.terminate()
    parent.wait()
    until(lambda: not runs(child))


def test_an_exporter_that_fails_is_told_by_its_status_and_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_exporter.py").write_text(
        "import sys\nprint('a warning', 'no model here', '', sep='\\n', file=sys.stderr)\nsys.exit(int(sys.argv[1]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for status in (2, 5):
        with pytest.raises(ExportFailed, match=r"^no model here$") as raised:
            run_exporter("failing_exporter", str(status), what="it", seconds=60)
        assert raised.value.status == status


def runs(pid: int) -> bool:
    """Return whether a process runs: one that ended and waits for a parent that is gone does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("wrong", ["../../outside", "abc", "0" * 41])
def test_what_a_hub_announces_names_no_file_unless_it_is_a_digest(hub: FakeHub, tmp_path: Path, wrong: str) -> None:
    hub.commit = wrong
    with pytest.raises(ModelUnavailable, match="does not answer as a model hub does"):
        download(tmp_path / "models", "org/clip", FILES)
    assert not list(tmp_path.glob("**/*outside*"))


def test_an_address_that_has_expired_is_asked_for_again(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut_after, hub.expired = 200_000, 1
    folder = download(tmp_path, "clip", FILES[:1])
    assert placed(folder, "org/clip", "open_clip_model.safetensors").read_bytes() == WEIGHTS
    assert deliveries(hub) == ["bytes=0-", "bytes=0-", "bytes=200000-"]
    hub.expired = 2
    with pytest.raises(ModelUnavailable, match=r"does not let you have org/clip \(403\)"):
        download(tmp_path / "other", "clip", FILES[:1])


def test_a_delivery_without_an_end_is_not_received_for_ever(hub: FakeHub, tmp_path: Path) -> None:
    hub.endless = True
    received: list[int] = []
    with pytest.raises(ModelUnavailable, match="arrived damaged"):
        download(tmp_path, "clip", FILES[:1], on_download=lambda progress: received.append(progress.received))
    assert received[-1] < 2 * len(WEIGHTS)


def test_the_hub_is_asked_through_the_proxy_of_the_environment_with_its_password(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.proxy_user = "ann:secret"
    proxy = hub.url.removeprefix("http://")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}")
    for ask in (check_reachable, lambda: list_repository(tmp_path, "org/clip"), lambda: download(tmp_path, "c", FILES)):
        with pytest.raises(ModelUnavailable, match="wants a user name and a password") as raised:
            ask()
        assert "HTTP_PROXY" in raised.value.hint
    monkeypatch.setenv("HTTP_PROXY", f"http://ann:secret@{proxy}")
    close_session()
    check_reachable()
    folder = download(tmp_path, "clip", FILES[:1])
    assert placed(folder, "org/clip", "open_clip_model.safetensors").read_bytes() == WEIGHTS
    assert "hub.example" in hub.hosts


@pytest.mark.parametrize(
    ("environ", "says", "hint"),
    [
        ({"HTTP_PROXY": "http://ann:secret@127.0.0.1:9"}, "does not answer", r"the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY"),
        ({"ALL_PROXY": "socks5://127.0.0.1:9"}, "names a SOCKS proxy", "pip install socksio"),
        ({"HTTP_PROXY": "ftp://127.0.0.1:9"}, "settings in the environment cannot be used", "http://proxy:3128"),
        ({"SSL_CERT_FILE": "/no/such/file"}, "settings in the environment cannot be used", "SSL_CERT_FILE"),
        ({"HF_TOKEN": "hf_\xfc"}, "characters that no token has", "Copy the token again"),
        ({"HF_ENDPOINT": "http://[::"}, "does not answer", "HF_ENDPOINT"),
        ({"HF_ENDPOINT": "hub.example"}, "missing an 'http", "HF_ENDPOINT"),
    ],
)
def test_settings_of_the_network_that_are_wrong_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], says: str, hint: str
) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    close_session()
    with pytest.raises(ModelUnavailable, match=says) as raised:
        download(tmp_path, "clip", FILES[:1])
    assert re.search(hint, raised.value.hint) and "secret" not in raised.value.message + raised.value.hint
    close_session()


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, "")
    assert hub_address() == "https://huggingface.co"
    assert hub_cache() == Path.home() / ".cache" / "huggingface" / "hub"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"RateLimit": '"api";r=3;t=55'}, 0.0),
    ],
)
def test_what_a_busy_hub_asks_to_wait(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], seconds: float) -> None:
    monkeypatch.setattr(hub_errors.time, "time", lambda: 1792567680.0)  # 2026-10-21 07:28:00 UTC
    answer = httpx2.Response(429, headers=headers)
    error = httpx2.HTTPStatusError("busy", request=httpx2.Request("GET", "http://hub.example"), response=answer)
    assert seconds_to_wait(error) == seconds


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_that_fills_up_meanwhile_is_called_full_and_what_came_is_kept(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / DOWNLOADS / f"{hub.etag(NAME)}.part"
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    with pytest.raises(DataFolderError, match="No space left on device") as raised:
        download(tmp_path, "clip", FILES[:1])
    assert "goes on where it was" in raised.value.hint
