"""Image encoders to choose from: how a setting names one, and the known models with their size and quality."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from search.errors import WrongUse

# Words of the setting `image_encoder` that name no model.
AUTO, DEFAULT_NAME, NONE = "auto", "default", "none"
SMALL = "small-clip"
BUILT_IN = "built-in"  # is installed with Memetica and needs no hub
BUILT_IN_RECIPE = "built-in-1"  # how it is exported; a new name makes every export outdated
SMALL_RECIPE = "small-clip-1"  # its weights; other weights get a new name, because where they lie says nothing
SHIPPED = Path(__file__).parents[1] / "models" / "small_clip"
CONFIG_FILE = "open_clip_config.json"


@dataclass(frozen=True)
class ModelSource:
    """The source of a model: an open_clip architecture with a tag or a checkpoint, a folder with both, or a recipe.

    The recipe names the version of an export or of weights that are ours; it is empty for open_clip's models.
    """

    spec: str
    model: str = ""
    tag: str = ""
    file: Path | None = None
    folder: Path | None = None
    recipe: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the specification names what is on this machine."""
        return self.file is not None or self.folder is not None or bool(self.recipe)


def spec_of(name: str) -> str:
    """Return the specification in a model's name: `spec_of("ViT-B-32/x#0123")` is `ViT-B-32/x`."""
    return name.rpartition("#")[0] or name


def parse_model_spec(spec: str) -> ModelSource:
    """Return the source that a specification names; raise WrongUse when it has none of the forms.

    >>> source = parse_model_spec("ViT-B-32/laion2b_s34b_b79k")
    >>> source.model, source.tag, source.is_local
    ('ViT-B-32', 'laion2b_s34b_b79k', False)
    """
    spec = spec.strip()
    if spec == BUILT_IN:
        return ModelSource(spec, recipe=BUILT_IN_RECIPE)
    if spec == SMALL:
        return ModelSource(spec, folder=SHIPPED, recipe=SMALL_RECIPE)
    folder = Path(spec).expanduser()
    if (folder / CONFIG_FILE).is_file():
        return ModelSource(spec, folder=folder.absolute())
    model, at, file = spec.partition("@")
    if at and model:
        path = Path(file).expanduser().absolute()
        if not path.is_file():
            raise WrongUse(f"There is no checkpoint {path}.", hint="Give the file: `ViT-B-32@/path/to/file.pt`.")
        return ModelSource(spec, model=model, file=path)
    model, slash, tag = spec.partition("/")
    if slash and model and tag and "/" not in tag:
        return ModelSource(spec, model=model, tag=tag)
    raise WrongUse(
        f"{spec!r} is not an image encoder.",
        hint=f"Name an open_clip model and its weights, `ViT-B-32/laion2b_s34b_b79k`; a checkpoint, "
        f"`ViT-B-32@/path/to/weights.safetensors`; or a folder with {CONFIG_FILE}.",
    )


def local_weights(source: ModelSource) -> dict[str, float]:
    """Return the model files that a source names on this machine, each with its modification time in seconds.

    None for a model that is installed with Memetica: an upgrade or another folder gives the same weights another time.
    """
    if source.recipe:
        return {}
    if source.file is not None:
        return {str(source.file): source.file.stat().st_mtime}
    files = sorted(source.folder.iterdir()) if source.folder is not None else []
    return {str(file): file.stat().st_mtime for file in files if file.suffix in _MODEL_SUFFIXES}


_MODEL_SUFFIXES = {".safetensors", ".bin", ".pt", ".pth", ".json"}


def display_name(spec: str) -> str:
    """Return a model's name for visitors: of a local path, only the last part.

    >>> display_name("ViT-B-32@/home/me/weights.pt")
    'ViT-B-32, weights.pt'
    """
    model, at, file = spec.partition("@")
    if at:
        return f"{model}, {Path(file).name}"
    return Path(spec).name if Path(spec).is_absolute() else spec


@dataclass(frozen=True)
class KnownModel:
    """A model to choose: its specification, its millions of parameters, its licence and its published quality.

    `recall` is text-to-image recall@1 on COCO's 5,000 test pictures, None if that is meaningless; `source` is the
    publication.
    """

    spec: str
    parameters: float
    license: str
    recall: float | None
    known_for: str
    source: str = ""

    @property
    def megabytes(self) -> int:
        """The size of its weights in single precision, as they are downloaded."""
        return round(4 * self.parameters)


_OPEN_CLIP = "open_clip, docs/openclip_retrieval_results.csv"
_SIGLIP2 = "Tschannen et al., SigLIP 2, arXiv 2502.14786, table 1"
DEFAULT = "ViT-B-32/laion2b_s34b_b79k"
MULTILINGUAL = "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k"
KNOWN_MODELS = (
    KnownModel(DEFAULT, 151.3, "MIT", 0.393, "fast, English; recommended to start with", _OPEN_CLIP),
    KnownModel("ViT-B-32-SigLIP2-256/webli", 376.9, "Apache-2.0", 0.472, "better, in many languages", _SIGLIP2),
    KnownModel(
        "ViT-B-16-SigLIP2-256/webli", 375.2, "Apache-2.0", 0.532, "the best listed, four times as slow", _SIGLIP2
    ),
    KnownModel(MULTILINGUAL, 366.1, "MIT", 0.378, "queries in a hundred languages", _OPEN_CLIP),
    KnownModel(
        BUILT_IN,
        4.7,
        "Apache-2.0",
        None,
        "pictures that look alike, and a thousand kinds of things; comes with Memetica",
    ),
    KnownModel(SMALL, 3.4, "MIT", None, "drawn scenes only: for the demo and the tests, not for photographs"),
)


def known_model(spec: str) -> KnownModel:
    """Return the known model of a specification; raise KeyError for another.

    >>> known_model("built-in").license
    'Apache-2.0'
    """
    return {one.spec: one for one in KNOWN_MODELS}[spec]
