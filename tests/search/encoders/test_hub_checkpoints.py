"""open_clip's models whose tokenizers come from the hub too: downloaded, exported by processes of their own, used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.encoders.clip import load_clip
from search.encoders.clip_prepare import find_prepared, prepare_clip
from search.encoders.hub import DOWNLOADS
from tests.support.clip_checkpoints import SIDE, SIGLIP2, XLM, hub_files, tiny_open_clip
from tests.support.fake_hub import serving

ROOT = str(Path(__file__).parents[3])


@pytest.mark.real_models
@pytest.mark.campaign
@pytest.mark.parametrize(
    ("spec", "dimensions", "side"),
    [(SIGLIP2, 96, SIDE), (XLM, 32, 64)],
    ids=["SigLIP 2", "xlm-roberta"],
)
def test_a_model_whose_tokenizer_comes_from_the_hub_is_exported_from_one_download_and_agrees_with_open_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, dimensions: int, side: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tiny_open_clip(tmp_path / "path")), ROOT)))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    files = hub_files(spec, tmp_path, dict(os.environ))
    with serving(files) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        manifest = prepare_clip(tmp_path / "models", spec, threads=2)
        received = [
            path.removeprefix("/cdn/").replace("/resolve/main/", "/").lstrip("/")
            for method, path, _ in hub.requests
            if method == "GET"
        ]
    # Each file once, by our download: the exporter asks the hub for nothing.
    assert sorted(received) == sorted(files)
    assert min(manifest.agreement.values()) > 0.999 and (manifest.bias is not None) == (spec == SIGLIP2)
    assert not (tmp_path / "models" / DOWNLOADS).exists()
    assert find_prepared(tmp_path / "models", spec) == manifest
    encoder = load_clip(tmp_path / "models", manifest.name, threads=1)
    assert (encoder.side, encoder.dimensions) == (side, dimensions)
    rows = encoder.encode_text(["cat", "кот", "cat"])
    assert np.allclose(rows[0], rows[2], atol=1e-5) and not np.allclose(rows[0], rows[1], atol=1e-2)
    assert encoder.encode_images([Image.new("RGB", (300, 200), "red")]).shape == (1, dimensions)
