"""The prompts' file: ours, the curator's, and one that makes no sense."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from indexer.describe.prompts import KINDS, load_prompts
from search.errors import WrongUse
from search.meme import TextKind

OURS = (resources.files("indexer.describe") / "prompts.toml").read_text("utf-8")


def test_a_category_and_frames_are_named_only_where_they_are_given(tmp_path: Path) -> None:
    prompts = load_prompts(tmp_path)
    plain = prompts.prompt_for(TextKind.SIMPLE).text
    assert "Star Trek" not in plain
    assert "frames" not in plain
    assert "“TV - {Star} Trek”" in prompts.prompt_for(TextKind.SIMPLE, category="TV - {Star} Trek").text
    assert "5 frames" in prompts.prompt_for(TextKind.DETAILED, frames=5).text
    assert all(prompts.prompt_for(kind).text.startswith(("Describe", "Analyse")) for kind in KINDS)


def test_the_detailed_prompt_asks_for_the_librarys_headings(tmp_path: Path) -> None:
    text = load_prompts(tmp_path).prompt_for(TextKind.DETAILED).text
    for heading in ("Visual Description", "Critical Theory", "Marxist Conflict Theory", "Postmodernism"):
        assert f"## {heading}\n" in text


def test_the_curators_own_file_counts_and_a_named_one_before_it(tmp_path: Path) -> None:
    (tmp_path / "prompts.toml").write_text(OURS.replace('version = "1"', 'version = "mine"'), "utf-8")
    named = tmp_path / "other.toml"
    named.write_text(OURS.replace('version = "1"', 'version = "other"'), "utf-8")
    assert load_prompts(tmp_path / "nothing").version == "1"
    assert load_prompts(tmp_path).version == "mine"
    assert load_prompts(tmp_path, file=named).version == "other"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = ", "cannot be read"),
        ("", "'version'"),
        (OURS.replace("longest_side = 1280", "longest_side = 3"), "at least 64"),
        (OURS.replace("[detailed-analysis]", "[other]"), "detailed-analysis"),
        (OURS.replace("max_tokens = 1000", 'max_tokens = "many"'), "max_tokens"),
        (OURS.replace("under “{category}”", "somewhere"), "category"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_what_it_lacks(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prompts.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(WrongUse, match=said) as refused:
        load_prompts(tmp_path)
    assert str(file) in refused.value.message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="No such file"):
        load_prompts(tmp_path, file=tmp_path / "none.toml")
