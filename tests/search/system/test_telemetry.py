"""Nothing leaves the machine unasked: no library that we import reports its use, and a server asks nobody."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from search.system.telemetry import OPT_OUTS, disable_telemetry
from tests.support.network_trace import Tracer, strace_works
from tests.support.paths import ROOT
from tests.support.tiny import draw_tiny_library

pytestmark = pytest.mark.slow

# Tracing native code takes minutes where processors are busy. Without it, files in the home folder tell of telemetry.
TRACERS = [
    False,
    pytest.param(
        True,
        marks=[
            pytest.mark.campaign,
            pytest.mark.skipif(not strace_works(), reason="strace is not installed, or may not trace"),
        ],
    ),
]
SERVED_SECONDS = 60  # of a server that is traced natively


@pytest.mark.parametrize("package", ["search", "indexer.pipeline", "web.cli.main", "demo", "search.encoders.runtimes"])
def test_telemetry_is_off_in_a_process_that_imports_anything_of_ours(package: str) -> None:
    code = (
        f"import {package}, json, os, sys; "
        "print(json.dumps([dict(os.environ), sys.modules.get('openvino_telemetry', 'not blocked')]))"
    )
    clean = {name: value for name, value in os.environ.items() if name not in OPT_OUTS}
    said = subprocess.run([sys.executable, "-c", code], env=clean, cwd=ROOT, capture_output=True, text=True, check=True)
    environ, sender = json.loads(said.stdout)
    assert {name: environ.get(name) for name in OPT_OUTS} == dict(OPT_OUTS)
    assert sender is None


def test_what_the_environment_says_already_stays() -> None:
    environ = {"ORT_DISABLE_TELEMETRY": "0", "HF_HUB_DISABLE_TELEMETRY": ""}
    disable_telemetry(environ)
    assert environ == {**OPT_OUTS, "ORT_DISABLE_TELEMETRY": "0", "HF_HUB_DISABLE_TELEMETRY": ""}


def test_a_sender_that_was_imported_before_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino_telemetry", sys)
    disable_telemetry({})
    assert sys.modules["openvino_telemetry"] is sys


def test_the_trace_sees_a_lookup_a_connection_and_a_file_also_of_a_child(tmp_path: Path) -> None:
    child = "import socket; socket.getaddrinfo('name.invalid', 80)"
    code = f"""
import contextlib, pathlib, socket, subprocess, sys
pathlib.Path.home().joinpath("client-id").write_text("1")
with contextlib.suppress(OSError):
    socket.create_connection(("192.0.2.1", 9), timeout=0.1)
socket.getaddrinfo("127.0.0.1", 80)
subprocess.run([sys.executable, "-c", {child!r}], stderr=subprocess.DEVNULL)
"""
    found = Tracer(tmp_path, strace=False).run("-c", code)
    assert sorted(found.network) == [
        "socket.connect 192.0.2.1",
        "socket.getaddrinfo 192.0.2.1",
        "socket.getaddrinfo name.invalid",
    ]
    assert found.home_files == ["client-id"]


@pytest.mark.skipif(not strace_works(), reason="strace is not installed, or may not trace")
def test_the_trace_sees_native_code_with_strace(tmp_path: Path) -> None:
    code = (
        "import ctypes, socket, struct; libc = ctypes.CDLL(None); s = libc.socket(2, 2, 0); "
        "a = struct.pack('=HH4s8x', 2, socket.htons(9), socket.inet_aton('192.0.2.1')); libc.connect(s, a, 16)"
    )
    [line] = Tracer(tmp_path, strace=True).run("-c", code).network
    assert "192.0.2.1" in line


@pytest.mark.parametrize("strace", TRACERS)
@pytest.mark.real_models
def test_importing_and_starting_every_runtime_asks_nobody(tmp_path: Path, strace: bool) -> None:
    code = """
from search.encoders.minilm_export import declare_torchvision_operators
declare_torchvision_operators()
import onnxruntime, rapidocr, tokenizers, faiss, tantivy, cv2, av, httpx2, sklearn
import transformers, sentence_transformers, open_clip, huggingface_hub
from search.encoders.runtimes import has_openvino
if has_openvino():
    import openvino, openvino.tools.ovc
import indexer.ocr.engines as engines, numpy as np
from PIL import Image
engines.RapidOcr().read(Image.new("RGB", (320, 64), "white"))
engines.RapidOcr(runtime="onnxruntime").read(Image.new("RGB", (320, 64), "white"))
"""
    found = Tracer(tmp_path, strace=strace).run("-c", code)
    assert found.status == 0, found.output
    assert (found.network, found.home_files) == ([], [])


@pytest.mark.parametrize("strace", TRACERS)
@pytest.mark.real_models
def test_indexing_and_serving_ask_nobody_and_write_to_the_data_folder_alone(
    tmp_path: Path, strace: bool, minilm_models: Path
) -> None:
    library = draw_tiny_library(tmp_path / "memes")
    data = tmp_path / "data"
    if not strace:  # with it, the export of the text encoder is traced too
        shutil.copytree(minilm_models, data / "models")
    tracer = Tracer(tmp_path / "trace", strace=strace)
    done = tracer.run("-m", "web.cli", "index", str(library), "--data", str(data))
    assert done.status == 0, done.output
    command = tracer.command("-m", "web.cli", "serve", "--port", "0", "--json", "--data", str(data))
    with subprocess.Popen(
        command, env=tracer.environ, cwd=tracer.home, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["url"]
            for page in ("", "api/search?q=dog", "about", "memes/Dogs/fine.png", "healthz"):
                with urllib.request.urlopen(address + page, timeout=60) as answer:
                    assert answer.status == 200
            time.sleep(SERVED_SECONDS if strace else 0)
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # strace itself does not pass it on
    found = tracer.trace()
    assert (found.network, found.home_files) == ([], [])
