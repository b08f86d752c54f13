"""An endpoint of a run: which key it gets, and when it is given up."""

from __future__ import annotations

import pytest

from indexer.describe.endpoint import FAILURES_IN_A_ROW, Endpoint, key_for
from indexer.describe.failures import CallFailed, FailureScope
from indexer.describe.options import DescribeOptions

URL = "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    ("url", "keys", "key"),
    [
        (URL, "", ""),
        (URL, "sk-abc", "sk-abc"),
        (URL, "c2VjcmV0==", "c2VjcmV0=="),
        ("https://api.example/v1", "api.example=sk-1 other.example=sk-2", "sk-1"),
        ("https://OTHER.example:8443/v1", "api.example=sk-1 other.example=sk-2==", "sk-2=="),
        (URL, "api.example=sk-1 other.example=sk-2", ""),
        (URL, "api.example=sk-1", ""),
        (URL, "two words", ""),
    ],
)
def test_a_key_goes_to_the_host_that_it_is_for_and_to_no_other(url: str, keys: str, key: str) -> None:
    assert key_for(url, keys) == key


def failed(scope: FailureScope) -> CallFailed:
    return CallFailed("failed", scope=scope)


def test_one_error_of_every_call_or_several_in_a_row_make_an_end_once() -> None:
    line = Endpoint(URL, [], keys="", options=DescribeOptions(seconds=1))
    for _ in range(FAILURES_IN_A_ROW - 1):
        assert not line.record_failure(failed(FailureScope.MEME))
    line.record_success()
    for _ in range(FAILURES_IN_A_ROW - 1):
        assert not line.record_failure(failed(FailureScope.TRANSIENT))
    assert line.failure is None
    assert line.record_failure(failed(FailureScope.TRANSIENT))
    assert not line.record_failure(failed(FailureScope.ENDPOINT)), "it is told once"
    other = Endpoint(URL, [], keys="", options=DescribeOptions(seconds=1))
    assert other.record_failure(failed(FailureScope.ENDPOINT))
