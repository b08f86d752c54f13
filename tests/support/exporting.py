"""Exporters of models run in the tests' process: each of its own imports torch, which takes longer than to export."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from typing import Any

import pytest

from search.encoders.export_process import ExportFailed


def run_here(module: str, *arguments: str, **more: Any) -> str:
    """Stand for `run_exporter`: run a module as a command, but in this process."""
    import torch

    threads, fast_path = torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled()
    said, complaints = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complaints),
    ):
        patch.setattr("search.system.processes.end_with_parent", lambda: None)
        patch.setattr(sys, "argv", [module, *arguments])
        patch.delitem(sys.modules, module, raising=False)  # else runpy warns that it runs a second time
        try:
            runpy.run_module(module, run_name="__main__")
        except SystemExit as ended:
            raise ExportFailed(int(ended.code or 0), complaints.getvalue().strip().splitlines()[-1]) from ended
        finally:
            torch.set_num_threads(threads)
            torch.backends.mha.set_fastpath_enabled(fast_path)
    return said.getvalue()
