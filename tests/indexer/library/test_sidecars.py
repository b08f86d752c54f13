"""Texts beside memes: named as the library names them, whole, never over another."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from indexer.library.format import MemeFile, scan
from indexer.library.sidecars import kind_of, read_sidecar, safe_name, sidecar_path, write_sidecar
from search.errors import LibraryError, WrongUse
from search.meme import TextKind


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("qwen3.5:4b-q8_0", "qwen3.5_4b-q8_0"),
        ("qwen3.6:35b-a3b-q8_0", "qwen3.6_35b-a3b-q8_0"),
        ("hf.co/unsloth/gemma-3-4b-it-GGUF:Q4_K_M", "hf.co_unsloth_gemma-3-4b-it-GGUF_Q4_K_M"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\model", "C__model"),
        (" модель v1 ", "_______v1"),
        ("reader.png", "reader_png"),
        (".hidden.", "hidden"),
    ],
)
def test_a_models_name_is_made_safe_as_the_library_does(model: str, name: str) -> None:
    assert safe_name(model) == name


@pytest.mark.parametrize("model", ["", "  ", "...", "::", "/"])
def test_a_name_without_a_letter_is_refused(model: str) -> None:
    with pytest.raises(WrongUse, match="is not a model"):
        safe_name(model)


@pytest.mark.parametrize("model", ["qwen3.5:4b-q8_0", "reader.png", "a.b.c", "x.txt", "first-seen"])
@pytest.mark.parametrize("kind", [TextKind.SIMPLE, TextKind.DETAILED])
def test_what_is_written_the_library_reads_as_that_models_text(tmp_path: Path, model: str, kind: TextKind) -> None:
    (tmp_path / "Cats").mkdir()
    meme = tmp_path / "Cats" / "a b.png.jpg"
    meme.write_bytes(b"x")
    assert write_sidecar(sidecar_path(meme, safe_name(model), kind), "A cat. 猫\n")
    [found] = scan(tmp_path)
    assert isinstance(found, MemeFile)
    [sidecar] = found.sidecars
    assert kind_of(sidecar.label) == (kind, safe_name(model))
    assert read_sidecar(tmp_path, sidecar).body == "A cat. 猫"


@pytest.mark.parametrize("there", ["file", "empty file", "broken link", "folder"])
def test_nothing_that_is_there_is_ever_replaced(tmp_path: Path, there: str) -> None:
    path = tmp_path / "a.png.m.simple-description.txt"
    match there:
        case "file":
            path.write_text("the curator's")
        case "empty file":
            path.touch()
        case "broken link":
            path.symlink_to(tmp_path / "nowhere")
        case "folder":
            path.mkdir()
    before = os.lstat(path)
    assert not write_sidecar(path, "ours")
    assert os.lstat(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_of_many_writers_one_wins_and_its_text_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.png.m.simple-description.txt"
    texts = [f"{number} " * 5000 for number in range(12)]
    written: list[str] = []
    threads = [
        threading.Thread(target=lambda text=text: written.append(text) if write_sidecar(path, text) else None)
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 1
    assert path.read_text() == written[0].rstrip() + "\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_file_system_without_hard_links_is_written_to_as_safely(tmp_path: Path, monkeypatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    path = tmp_path / "a.png.m.simple-description.txt"
    assert write_sidecar(path, "first")
    assert not write_sidecar(path, "second")
    assert path.read_text() == "first\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_name_too_long_for_a_file_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    meme = tmp_path / ("x" * 240 + ".png")
    with pytest.raises(LibraryError, match="cannot be written"):
        write_sidecar(sidecar_path(meme, "model", TextKind.SIMPLE), "text")
    assert list(tmp_path.iterdir()) == []
