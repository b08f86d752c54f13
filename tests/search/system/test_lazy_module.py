"""Modules that are imported when they are first needed."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from search.system.lazy_module import LazyModule


def test_a_package_that_is_imported_late_is_whole_for_each_of_the_threads_that_need_it(tmp_path, monkeypatch) -> None:
    (tmp_path / "slow_package.py").write_text("import time\nimported = [1]\ntime.sleep(0.2)\nlast = 2\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = LazyModule("slow_package")
    assert "slow_package" not in sys.modules
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: package.last, range(4))) == [2] * 4
    assert package.imported is sys.modules["slow_package"].imported
    with pytest.raises(AttributeError, match="other"):
        _ = package.other
