"""The two towers: open_clip's ResNet for pictures, and a projection of the packaged MiniLM's rows for texts.

`search.encoders.clip` reads the trained model like any other open_clip folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from search.encoders.minilm_export import declare_torchvision_operators

CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SIDE = 96  # pixels of a picture's side as the tower sees it
TEXT_ROW = 384

MODEL: dict[str, Any] = {
    "embed_dim": 256,
    "vision_cfg": {"layers": [1, 1, 2, 1], "width": 24, "head_width": 64, "image_size": SIDE},
    # The text tower is the packaged MiniLM, unchanged: only its projection is in the weights.
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
    # A meme's subject may be at its edge: nothing is cropped.
    "resize_mode": "squash",
}


class SmallClip(torch.nn.Module):
    """A model that maps pictures and MiniLM's rows of texts into one space of 256 dimensions."""

    def __init__(self) -> None:
        super().__init__()
        # Importing open_clip looks up torchvision's operators, so it must come after their declaration.
        declare_torchvision_operators()
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
        """Return a row of length 1 for each picture; `pictures` is float [n, 3, SIDE, SIDE], normalized."""
        return torch.nn.functional.normalize(self.visual(pictures).float(), dim=-1)

    def text_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Return a row of length 1 for each of MiniLM's rows, [n, 384]."""
        return torch.nn.functional.normalize(self.projection(rows).float(), dim=-1)


def normalized(pixels: torch.Tensor) -> torch.Tensor:
    """Return the tower's input, [n, 3, h, w] float, from pictures, [n, h, w, 3] uint8."""
    floats = pixels.permute(0, 3, 1, 2).float() / 255
    return (floats - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def save_small_clip(model: SmallClip, folder: Path) -> None:
    """Write a model as an open_clip folder, its weights in half precision, without the text tower."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"projection.weight": "text.proj.weight"}
    state = {
        names.get(name, name): (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(state, folder / WEIGHTS_FILE)
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESSING}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
