"""The two towers: open_clip's ResNet for pictures, and a projection of the packaged MiniLM's rows for texts.

The one module of the indexer that imports torch and open_clip.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SIDE = 96  # pixels of a picture's side as the tower sees it
TEXT_ROW = 384

MODEL: dict[str, Any] = {
    "embed_dim": 256,
    "vision_cfg": {"layers": [1, 1, 2, 1], "width": 24, "head_width": 64, "image_size": SIDE},
    # The tower behind these names is the packaged one, untouched: only its projection is in the weights.
    "text_cfg": {
        "hf_model_name": "sentence-transformers/all-MiniLM-L6-v2",
        "hf_tokenizer_name": "sentence-transformers/all-MiniLM-L6-v2",
        "hf_pooler_type": "mean_pooler",
        "hf_proj_type": "linear",
    },
}
PREPROCESSING = {
    "size": [SIDE, SIDE],
    "mode": "RGB",
    "mean": list(MEAN),
    "std": list(STD),
    "interpolation": "bicubic",
    # A meme's subject may stand at its edge: nothing is cut off.
    "resize_mode": "squash",
}


class SmallClip(torch.nn.Module):
    """Pictures and MiniLM's rows of texts, brought into one space of 256 numbers."""

    def __init__(self) -> None:
        super().__init__()
        _declare_vision_operators()
        from open_clip.modified_resnet import ModifiedResNet

        vision = MODEL["vision_cfg"]
        self.visual = ModifiedResNet(
            layers=tuple(vision["layers"]),
            output_dim=MODEL["embed_dim"],
            heads=vision["width"] * 32 // vision["head_width"],
            image_size=vision["image_size"],
            width=vision["width"],
        )
        self.projection = torch.nn.Linear(TEXT_ROW, MODEL["embed_dim"], bias=False)
        self.logit_scale = torch.nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def picture_rows(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return a row of length 1 for each picture; `pictures` is float [n, 3, SIDE, SIDE], normalised."""
        return torch.nn.functional.normalize(self.visual(pictures).float(), dim=-1)

    def text_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Return a row of length 1 for each of MiniLM's rows, [n, 384]."""
        return torch.nn.functional.normalize(self.projection(rows).float(), dim=-1)

    @torch.no_grad()
    def encode_pictures(self, pictures: list[Image.Image], *, batch: int = 64) -> NDArray[np.float32]:
        """Return a row of length 1 for each RGB picture of any size, [n, 256]."""
        found = []
        for first in range(0, len(pictures), batch):
            pixels = np.stack(
                [
                    np.asarray(one.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
                    for one in pictures[first : first + batch]
                ]
            )
            found.append(self.picture_rows(normalised(torch.from_numpy(pixels))).numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def encode_rows(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a row of length 1 for each of MiniLM's rows, [n, 256]."""
        return np.asarray(self.text_rows(torch.from_numpy(rows)).numpy(), dtype=np.float32)


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Return pictures as the tower takes them, [n, 3, h, w] float, from [n, h, w, 3] bytes."""
    floats = pixels.permute(0, 3, 1, 2).float() / 255
    return (floats - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def save_small_clip(model: SmallClip, folder: Path) -> None:
    """Write a model as an open_clip folder, its numbers in half precision; the text tower itself is not in it."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"projection.weight": "text.proj.weight"}
    state = {
        names.get(name, name): (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(state, folder / WEIGHTS_FILE)
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESSING}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def load_small_clip(folder: Path) -> SmallClip:
    """Return the model of a folder that `save_small_clip` wrote, ready to encode."""
    state = load_file(folder / WEIGHTS_FILE)
    state["projection.weight"] = state.pop("text.proj.weight")
    model = SmallClip()
    model.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    )
    return model.eval()


_DECLARED: list[torch.library.Library] = []  # a declaration lasts as long as its library is kept


def _declare_vision_operators() -> None:
    """Declare the operators that torchvision misses beside a torch it was not built for; nothing here calls them."""
    try:
        torch.ops.torchvision.nms  # noqa: B018
    except (AttributeError, RuntimeError):
        if not _DECLARED:
            library = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _DECLARED.append(library)
