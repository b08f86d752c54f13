"""The list of mutants fits the code: a constant that was moved or renamed is noticed before the mutants are run."""

from __future__ import annotations

from tests.quality.mutants import MUTANTS, ROOT


def test_each_mutant_changes_one_line_that_is_there_and_names_tests_that_are() -> None:
    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text("utf-8").count(mutant.old) == 1, mutant.name
        assert all((ROOT / test).is_file() for test in mutant.tests), mutant.name
