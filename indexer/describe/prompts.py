"""The prompts for models that describe memes: a file with a version, which the curator may replace."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from search.errors import WrongUse
from search.meme import TextKind

KINDS = (TextKind.SIMPLE, TextKind.DETAILED)
PROMPTS_FILE = "prompts.toml"


@dataclass(frozen=True)
class Prompt:
    """The text of a prompt, and the token limit of the answer."""

    text: str
    max_tokens: int


@dataclass(frozen=True)
class Prompts:
    """A version of the prompts; `longest_side` of the pictures sent with them is in pixels."""

    version: str
    longest_side: int
    frames: str
    category: str
    of_kind: Mapping[TextKind, Prompt]

    def prompt_for(self, kind: TextKind, *, frames: int = 1, category: str | None = None) -> Prompt:
        """Return the prompt for a kind of text about a meme with this many frames; it names the category only if given.

        >>> load_prompts(folder).prompt_for(TextKind.SIMPLE, category="Cats").max_tokens
        1000
        """
        prompt = self.of_kind[kind]
        parts = [prompt.text.strip()]
        if frames > 1:
            parts.append(self.frames.replace("{frames}", str(frames)))
        if category is not None:
            parts.append(self.category.replace("{category}", category))
        return Prompt("\n\n".join(parts), prompt.max_tokens)


def load_prompts(data: Path, *, file: Path | None = None) -> Prompts:
    """Return the prompts of a file, or of the data folder, or the defaults; raise WrongUse when they are invalid.

    >>> sorted(load_prompts(folder).of_kind)
    [<TextKind.DETAILED: 'detailed-analysis'>, <TextKind.SIMPLE: 'simple-description'>]
    """
    own = data / PROMPTS_FILE
    try:
        if file is not None or own.exists():
            chosen = file or own
            return _prompts(tomllib.loads(chosen.read_text("utf-8")))
        return _prompts(tomllib.loads((resources.files("indexer.describe") / PROMPTS_FILE).read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WrongUse(f"The prompts in {file or own} cannot be read: {reason}.", hint="Correct the file.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WrongUse(
            f"The prompts in {file or own} are incomplete: {error}.",
            hint="Give version, longest_side, frames, category, and for each kind of text a prompt and max_tokens.",
        ) from error


def _prompts(raw: Mapping[str, Any]) -> Prompts:
    prompts = Prompts(
        version=str(raw["version"]),
        longest_side=_count(raw, "longest_side", least=64),
        frames=_words(raw, "frames"),
        category=_words(raw, "category"),
        of_kind={
            kind: Prompt(_words(raw[kind.value], "prompt"), _count(raw[kind.value], "max_tokens", least=1))
            for kind in KINDS
        },
    )
    if "{category}" not in prompts.category:
        raise ValueError("{category} in category")
    return prompts


def _words(raw: Mapping[str, Any], name: str) -> str:
    if not isinstance(raw[name], str) or not raw[name].strip():
        raise ValueError(f"{name} must be a text")
    return str(raw[name])


def _count(raw: Mapping[str, Any], name: str, *, least: int) -> int:
    if not isinstance(raw[name], int) or raw[name] < least:
        raise ValueError(f"{name} must be a number of at least {least}")
    return int(raw[name])
