"""Turn off the telemetry of the libraries that Memetica runs on, before any of them is imported.

OpenVINO reports its import to www.google-analytics.com and writes a client id into the home folder; ONNX Runtime (1.32)
collects events with a device id for Microsoft; huggingface_hub adds telemetry to its requests. `search/__init__.py`
calls this module, because every process of ours, child processes and notebooks included, imports `search` first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

# What the environment says already is the user's choice, and stays.
OPT_OUTS = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, transformers, sentence-transformers, open_clip
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",  # huggingface_hub asks PyPI for its newest version
    "DO_NOT_TRACK": "1",  # https://donottrack.sh, for any other library
}
# OpenVINO has no variable for it. It uses a stub that sends nothing if this package cannot be imported.
_OPENVINO_SENDER = "openvino_telemetry"


def disable_telemetry(environ: MutableMapping[str, str] | None = None) -> None:
    """Turn off the libraries' telemetry in this process and, through the environment, in its children.

    Variables that are set already are left as they are. It has no effect on libraries that are imported already.

    >>> environ = {"DO_NOT_TRACK": "0"}
    >>> disable_telemetry(environ)
    >>> environ["ORT_DISABLE_TELEMETRY"], environ["DO_NOT_TRACK"]
    ('1', '0')
    """
    environ = os.environ if environ is None else environ
    for name, value in OPT_OUTS.items():
        environ.setdefault(name, value)
    # None makes an import fail. A notebook that has imported it before `search` keeps its own.
    sys.modules.setdefault(_OPENVINO_SENDER, None)  # type: ignore[arg-type]
