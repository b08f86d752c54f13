"""What `make test-fast` leaves out is there: a file that was moved would be run by it again."""

from __future__ import annotations

import pytest

from tests.conftest import SLOW, SLOW_ON_ANY_PYTHON, TESTS


@pytest.mark.parametrize("entry", [*SLOW, *SLOW_ON_ANY_PYTHON])
def test_each_slow_file_folder_and_test_exists(entry: str) -> None:
    path, _, name = entry.partition("::")
    assert (TESTS / path).exists()
    assert not name or f"def {name}(" in (TESTS / path).read_text("utf-8")
