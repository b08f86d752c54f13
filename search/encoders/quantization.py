"""Weights of 8 bits for models that are downloaded often: a quarter of the size, for a small loss."""

from __future__ import annotations

import logging
from pathlib import Path

from search.errors import ModelUnavailable


def quantize(source: Path, target: Path) -> None:
    """Write a model in ONNX with weights of 8 bits, a scale for each channel; activations are rounded as it runs.

    Raises ModelUnavailable for a model that cannot be converted.

    >>> quantize(folder / "missing.onnx", folder / "small.onnx")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    search.errors.ModelUnavailable: The model could not be converted to 8 bits: ...
    """
    # Imported here: it takes a second, and an export that finds the converted model does not need it.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises a preparation that gains nothing here
    try:
        # With one scale for each matrix, MiniLM's cosine to the original falls from .99 to .96.
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
    except Exception as error:  # of protobuf, onnx and the disk: none of them public
        raise ModelUnavailable(f"The model could not be converted to 8 bits: {error}") from error
    finally:
        logging.disable(disabled)
