"""Text encoders to choose from: how a setting names one, and the known ones with size, licence and languages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from search.encoders.clip_models import AUTO, BUILT_IN, CONFIG_FILE, DEFAULT_NAME, KNOWN_MODELS, NONE, SMALL
from search.encoders.minilm import NAME
from search.errors import WrongUse

MODULES_FILE = "modules.json"  # in each folder of a sentence-transformers model
ENGLISH = ("en",)
_NAME = re.compile(r"[\w.-]*\w[\w.-]*/[\w.-]*\w[\w.-]*")  # OWNER/NAME, as the hub has them
_MODEL_SUFFIXES = {".safetensors", ".bin", ".json", ".txt", ".model"}
_IMAGE_WORDS = frozenset({"", AUTO, DEFAULT_NAME, BUILT_IN, NONE, SMALL})  # words of the setting `image_encoder`


@dataclass(frozen=True)
class TextModelSource:
    """The source of a text encoder: the packaged model, a model of the hub (`repository`), or a folder."""

    spec: str
    repository: str = ""
    folder: Path | None = None

    @property
    def is_packaged(self) -> bool:
        """Whether it is the model that comes with Memetica."""
        return self.spec == NAME


def parse_text_spec(spec: str) -> TextModelSource:
    """Return the source that a specification names; raise WrongUse for one that names no model.

    >>> parse_text_spec("intfloat/multilingual-e5-small").repository
    'intfloat/multilingual-e5-small'
    >>> parse_text_spec("all-MiniLM-L6-v2").is_packaged
    True
    """
    spec = spec.strip()
    if spec in (NAME, f"sentence-transformers/{NAME}"):
        return TextModelSource(NAME)
    folder = Path(spec).expanduser()
    if (folder / MODULES_FILE).is_file():
        return TextModelSource(str(folder.absolute()), folder=folder.absolute())
    if _NAME.fullmatch(spec) and not folder.exists():
        return TextModelSource(spec, repository=spec)
    raise WrongUse(
        f"{spec!r} is not a text encoder.",
        hint=f"Name `{NAME}`, a sentence-transformers model of the hub as OWNER/NAME, such as `{MULTILINGUAL_TEXT}`, "
        f"or a folder with {MODULES_FILE}.",
    )


def is_text_spec(spec: str) -> bool:
    """Return whether a specification names a text encoder; else it is one of an image encoder, or of nothing.

    >>> is_text_spec("intfloat/multilingual-e5-small"), is_text_spec("ViT-B-32/laion2b_s34b_b79k")
    (True, False)
    """
    spec = spec.strip()
    if spec in _IMAGE_WORDS or "@" in spec:
        return False
    folder = Path(spec).expanduser()
    if folder.exists():
        return (folder / MODULES_FILE).is_file() and not (folder / CONFIG_FILE).is_file()
    is_name = _NAME.fullmatch(spec) is not None
    return spec == NAME or (is_name and spec.partition("/")[0] not in _image_architectures())


def local_model_files(source: TextModelSource) -> dict[str, float]:
    """Return the files of a model in a folder, each with its modification time in seconds; empty for other sources."""
    if source.folder is None:
        return {}
    files = sorted(file for file in source.folder.rglob("*") if file.suffix in _MODEL_SUFFIXES)
    return {str(file): file.stat().st_mtime for file in files}


@cache
def _image_architectures() -> frozenset[str]:
    """Return the names of open_clip's architectures, without importing it and with it torch."""
    known = {one.spec.partition("/")[0] for one in KNOWN_MODELS}
    found = find_spec("open_clip")
    for place in (found.submodule_search_locations or []) if found else []:
        known.update(file.stem for file in (Path(place) / "model_configs").glob("*.json"))
    return frozenset(known)


@dataclass(frozen=True)
class KnownTextModel:
    """A text encoder to choose: its specification, its millions of parameters, its licence, languages and length.

    `codes` are the languages if they are few. `query` and `passage` are put before texts if the model's own files have
    no prompts.
    """

    spec: str
    parameters: float
    license: str
    languages: str
    tokens: int
    known_for: str
    codes: tuple[str, ...] = ()
    query: str = ""
    passage: str = ""

    @property
    def megabytes(self) -> int:
        """The size of its weights in single precision, as they are downloaded."""
        return round(4 * self.parameters)


MULTILINGUAL_TEXT = "intfloat/multilingual-e5-small"
KNOWN_TEXT_MODELS = (
    KnownTextModel(NAME, 22.7, "Apache-2.0", "English", 256, "fast; comes with Memetica", codes=ENGLISH),
    KnownTextModel(
        MULTILINGUAL_TEXT,
        117.7,
        "MIT",
        "a hundred languages",
        512,
        "recommended for memes or queries that are not in English",
        query="query: ",
        passage="passage: ",
    ),
    KnownTextModel(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        117.7,
        "Apache-2.0",
        "50 languages",
        128,
        "sentences that mean the same, in 50 languages",
    ),
    KnownTextModel(
        "sentence-transformers/static-similarity-mrl-multilingual-v1",
        108.4,
        "Apache-2.0",
        "50 languages",
        0,
        "the fastest: words without their order",
    ),
    KnownTextModel(
        "BAAI/bge-small-en-v1.5",
        33.4,
        "MIT",
        "English",
        512,
        "made for retrieval; twice as slow",
        codes=ENGLISH,
        query="Represent this sentence for searching relevant passages: ",
    ),
    KnownTextModel("thenlper/gte-small", 33.4, "MIT", "English", 512, "made for retrieval", codes=ENGLISH),
)


def known_text_model(spec: str) -> KnownTextModel | None:
    """Return the known model of a specification, or None.

    >>> known_text_model("intfloat/multilingual-e5-small").query
    'query: '
    """
    return next((one for one in KNOWN_TEXT_MODELS if one.spec == spec), None)
