"""`python -m tests.campaign.memetica …` is the `memetica` command with the readable text encoder of the tests."""

from __future__ import annotations

import os

from search.encoders import registry
from tests.support.fakes import HashingTextEncoder
from web.background import image_encoder
from web.cli import eyes
from web.cli.main import main


def use_readable_encoder() -> None:
    """Let this process load the hashing encoder by its name, without a model on the disk; no OCR engine is loaded."""
    registry.NAME = HashingTextEncoder.name
    registry.open_minilm = lambda models, **use: HashingTextEncoder()  # type: ignore
    registry.export_minilm = lambda models, *, threads=0: False  # type: ignore[assignment]
    # What `auto` stands for where no image encoder is exported: nothing, because an export takes half a minute.
    eyes.BUILT_IN = image_encoder.BUILT_IN = ""  # type: ignore[attr-defined]
    os.environ.pop("MEMETICA_IMAGE_ENCODER", None)
    os.environ |= {"MEMETICA_TEXT_ENCODER": HashingTextEncoder.name, "MEMETICA_OCR_ENGINE": "none"}


if __name__ == "__main__":
    use_readable_encoder()
    main(prog_name="memetica")
