"""Trace what a Python process and its children ask the network and which files they make in the home folder.

Two independent ways: an audit hook in every Python process, installed by a `sitecustomize` on PYTHONPATH, which works
on every system but does not see native code; and strace, where it is installed and may trace.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.paths import ROOT

_HOOK = """
import os, sys

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")

def _hook(event, arguments):
    if event in _LOOKUPS:
        what = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):  # a path is a Unix socket
        what = arguments[1][0]
    else:
        return
    if what is None or what in ("", "localhost", "::1") or str(what).startswith("127."):
        return
    descriptor = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{{event}} {{what}}\\n".encode())
    os.close(descriptor)

sys.addaudithook(_hook)
"""
_INTERNET = re.compile(r"AF_INET6?\b")
_LOCAL = re.compile(r'"127\.\d+\.\d+\.\d+"|"::1"')
_LOOKUP = re.compile(r"htons\(53\)")  # the resolver may be on this machine, and ask another one


@dataclass(frozen=True)
class Trace:
    """The exit status of the process, its output, what it asked of the network, and the files that it left at home."""

    status: int
    output: str
    network: list[str]
    home_files: list[str]


@cache
def strace_works() -> bool:
    """Return whether strace is installed and allowed to trace."""
    command = shutil.which("strace")
    if command is None:
        return False
    return (
        subprocess.run(
            [command, "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False
        ).returncode
        == 0
    )


class Tracer:
    """Runs Python under both kinds of tracing, with an empty home folder; `folder` gets the logs."""

    def __init__(self, folder: Path, *, strace: bool) -> None:
        self.home = folder / "home"
        self._hook_log = folder / "audit.log"
        self._strace_log = folder / "strace.log"
        self._strace = strace
        hooks = folder / "hooks"
        self.home.mkdir(parents=True)
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(_HOOK.format(log=str(self._hook_log)), "utf-8")
        # Libraries keep still in continuous integration, and where the person who runs the tests has opted out.
        quiet = ("CI", "DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if name not in quiet and not name.startswith(("HF_", "XDG_", "MEMETICA_"))
        }
        self.environ |= {"HOME": str(self.home), "USERPROFILE": str(self.home)}
        self.environ |= {"PYTHONPATH": os.pathsep.join((str(hooks), str(ROOT)))}

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs Python with these arguments under the tracers."""
        python = [sys.executable, *arguments]
        if not self._strace:
            return python
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        return ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "200", "-e", calls, "-o", str(self._strace_log), *python]

    def trace(self, status: int = 0, output: str = "") -> Trace:
        """Return what was traced so far."""
        asked = self._hook_log.read_text("utf-8").splitlines() if self._hook_log.exists() else []
        if self._strace_log.exists():
            for line in self._strace_log.read_text("utf-8", "replace").splitlines():
                if _INTERNET.search(line) and (_LOOKUP.search(line) or not _LOCAL.search(line)):
                    asked.append(line)
        files = sorted(str(file.relative_to(self.home)) for file in self.home.rglob("*") if not file.is_dir())
        return Trace(status, output, asked, files)

    def run(self, *arguments: str, cwd: Path | None = None, seconds: float = 900) -> Trace:
        """Run Python with these arguments to its end and return the trace."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environ,
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return self.trace(done.returncode, done.stdout + done.stderr)
