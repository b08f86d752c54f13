"""Install Memetica from this clone into a virtual environment; `make install` runs it: `python install.py .venv`.

It says how much comes down before it does. Torch, half of everything, is used once, on the CPU, to export the encoders;
for Linux the registry's own build of it brings gigabytes of CUDA. So it is taken from the first of: a local folder of
wheels (UV_FIND_LINKS, PIP_FIND_LINKS or pip's find-links), torch's index of CPU builds, the registry.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "constraints.txt"
PROBE_SECONDS = 15  # for torch's index of CPU builds: a network that drops packets must not hold the installation up
# Bytes on the disk for a byte of wheels, of Memetica's packages together (Linux, Python 3.11, CPU build of torch).
UNPACKED = 3.0
UNPACKED_CUDA = 1.4  # of CUDA's, with which an installation takes 6.1 GB (Python 3.12, 2026-11-28)
MANY = 2_000_000_000  # bytes to download from which the reason is said
PAUSE_SECONDS = 10  # before as many come, for whoever sits at a terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venv", type=Path, help="the virtual environment, which has uv: .venv")
    parser.add_argument("--extra", action="append", default=[], help="an extra of pyproject.toml, such as test")
    parser.add_argument("--newest", action="store_true", help="the newest versions, not those of constraints.txt")
    parser.add_argument("--dry-run", action="store_true", help="say what would come down, and stop")
    given = parser.parse_args(arguments)
    python = given.venv / "bin/python"
    uv = shutil.which("uv", path=str(given.venv / "bin")) or shutil.which("uv")
    if uv is None or not python.exists():
        print(f"There is no environment with uv in {given.venv}. Run `make install`.", file=sys.stderr)
        return 1
    folders = wheel_folders(python)
    environ = {**os.environ, "UV_FIND_LINKS": " ".join(folders), "VIRTUAL_ENV": str(given.venv.resolve())}
    source, options = choose_torch(uv, python, folders, environ)
    print(f"Looking up packages ({source}) …", flush=True)
    lock = given.venv / "pylock.toml"
    command = [uv, "pip", "compile", "--quiet", "--python", str(python), "--format", "pylock.toml", "-o", str(lock)]
    extras = [word for extra in given.extra for word in ("--extra", extra)]
    limits = [] if given.newest else ["--constraint", str(LOCK)]
    newest = ["--upgrade"] if given.newest else []
    try:
        subprocess.run(
            [*command, *extras, *limits, *newest, *options, "pyproject.toml"], cwd=ROOT, env=environ, check=True
        )
        packages = tomllib.loads(lock.read_text("utf-8")).get("packages", [])
        print(announcement(packages, source), flush=True)
        free = shutil.disk_usage(given.venv).free
        if free < disk_bytes(packages):
            print(f"Only {size(free)} are free in {given.venv.resolve()}; it may not fit.", file=sys.stderr)
        if given.dry_run:
            return 0
        if brings_cuda(packages) and sys.stdin.isatty():
            print(f"It goes on in {PAUSE_SECONDS} seconds.", flush=True)
            time.sleep(PAUSE_SECONDS)
        install = [uv, "pip", "install", "--python", str(python)]
        subprocess.run([*install, "--preview-features", "pylock", "-r", str(lock)], cwd=ROOT, env=environ, check=True)
        subprocess.run([*install, "--quiet", "--no-deps", "-e", "."], cwd=ROOT, env=environ, check=True)
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def wheel_folders(python: Path) -> list[str]:
    """Return the local folders of wheels that uv or pip are told to look into.

    The environment's pip is asked: a system's Python may have none.
    """
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        if os.environ.get(name):
            return os.environ[name].replace(",", " ").split()
    asked = subprocess.run(
        [python, "-m", "pip", "config", "get", "global.find-links"], capture_output=True, text=True, check=False
    )
    return asked.stdout.split()


def choose_torch(uv: str, python: Path, folders: Sequence[str], environ: dict[str, str]) -> tuple[str, list[str]]:
    """Return where torch comes from, in words, and uv's options for that; TORCH_BACKEND overrides."""
    if backend := os.environ.get("TORCH_BACKEND"):
        return f"torch for {backend}", ["--torch-backend", backend]
    if platform.system() != "Linux":
        return "torch of the registry, which is built for the CPU", []
    version = local_torch(folders, python_tag(python), platform.machine())
    if version:
        pin = python.parent.parent / "torch.txt"
        pin.write_text(f"torch=={version}\n", "utf-8")
        return f"the CPU build of torch {version} in a local folder", ["--constraint", str(pin)]
    probe = [uv, "pip", "install", "--dry-run", "--no-deps", "--torch-backend", "cpu", "--python", str(python), "torch"]
    quick = {**environ, "UV_HTTP_TIMEOUT": "5", "UV_HTTP_RETRIES": "0"}
    try:
        answers = (
            subprocess.run(probe, env=quick, capture_output=True, timeout=PROBE_SECONDS, check=False).returncode == 0
        )
    except subprocess.TimeoutExpired:
        answers = False
    if answers:
        return "the CPU build of torch", ["--torch-backend", "cpu"]
    return "torch of the registry: no CPU build can be reached", []


def python_tag(python: Path) -> str:
    """Return the tag of a Python in the names of wheels: cp311."""
    code = "import sys; print(f'cp{sys.version_info[0]}{sys.version_info[1]}')"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def local_torch(folders: Sequence[str], tag: str, machine: str) -> str:
    """Return the version of the newest CPU build of torch in the folders that fits; "" when there is none."""
    found = []
    for folder in folders:
        for file in Path(folder).glob("torch-*.whl"):
            match = re.fullmatch(rf"torch-([0-9.]+\+cpu)-{tag}-{tag}-\w*linux\w*_{machine}\.whl", file.name)
            if match:
                found.append((tuple(int(part) for part in match[1].removesuffix("+cpu").split(".")), match[1]))
    return max(found)[1] if found else ""


def announcement(packages: Sequence[dict], source: str) -> str:
    """Return what will come down, in a sentence or two."""
    total = download_bytes(packages)
    disk = size(disk_bytes(packages))
    text = f"{len(packages)} packages: {size(total)} to download, about {disk} on the disk ({source})."
    cuda = [one for one in packages if is_cuda(one)]
    if brings_cuda(packages):
        text += (
            f"\n{size(download_bytes(cuda))} of it is CUDA, which Memetica does not use and torch's build for Linux"
            " wants. To do without: Ctrl+C now, and run it where torch's index of CPU builds can be reached, or with"
            " PIP_FIND_LINKS=FOLDER, a folder with the CPU build's wheel for this Python, or with the Python that such"
            " a wheel is for: make PYTHON=python3.11."
        )
    return text


def brings_cuda(packages: Sequence[dict]) -> bool:
    """Return whether gigabytes are to come, and CUDA is part of them."""
    return download_bytes(packages) > MANY and any(map(is_cuda, packages))


def download_bytes(packages: Sequence[dict]) -> int:
    """Return the bytes of the packages' files, whether or not they are in uv's cache."""
    return sum(
        _bytes((one.get("wheels") or [one["sdist"]])[0]) for one in packages if "wheels" in one or "sdist" in one
    )


def disk_bytes(packages: Sequence[dict]) -> float:
    """Return about how many bytes the packages take on the disk."""
    return sum(download_bytes([one]) * (UNPACKED_CUDA if is_cuda(one) else UNPACKED) for one in packages)


def is_cuda(package: dict) -> bool:
    """Return whether a package is a part of CUDA."""
    return re.match(r"nvidia-|cuda-|triton$", package["name"]) is not None


def _bytes(file: dict) -> int:
    place = file.get("path") or file.get("url", "").removeprefix("file://")
    return int(file.get("size") or (Path(place).stat().st_size if Path(place).is_file() else 0))


def size(count: float) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
