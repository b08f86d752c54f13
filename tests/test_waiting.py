"""Tests wait for what happens, not for a span of time: on a busy machine any span is too short for something."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.waiting import PATIENCE

TESTS = Path(__file__).parent
SLEEPS = {"sleep", "wait_for_timeout"}
BOUNDED = {"wait", "join", "settimeout", "communicate"}  # calls whose first argument is the longest wait in seconds

# Spans in which nothing may happen, which a slow machine only makes longer, and the time that a server takes.
ALLOWED = {
    "e2e/test_site_browser.py": "what a page loads when it has nothing else to do",
    "e2e/test_static_phrases_browser.py": "a browser's events, which come while one waits",
    "e2e/test_touch_browser.py": "a finger that rests, and a picture that must not begin to move",
    "e2e/walk.py": "pictures of pages at rest",
    "indexer/inbox/test_hostile.py": "no address is asked",
    "indexer/media/test_decode_limits.py": "turns of a thread while another one draws",
    "indexer/ocr/test_engines.py": "a moment in which another thread must not come",
    "indexer/work/test_process_pool.py": "how long all processes are stopped",
    "search/system/test_telemetry.py": "how long a server is watched, and an address that nobody has",
    "support/pooled_tasks.py": "tasks without end",
    "support/vision_server.py": "an endpoint's own pauses",
    "support/waiting.py": "how one waits for what happens",
    "web/curator/test_categories.py": "a process that must not end",
}


def spans(code: ast.AST) -> list[str]:
    """Return the calls that wait for a span of time, or no longer than one that a busy machine may need."""
    found = []
    for node in ast.walk(code):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        limits = [word.value for word in node.keywords if word.arg == "timeout"]
        limits += node.args[:1] if name in BOUNDED else []
        numbers = [one.value for one in limits if isinstance(one, ast.Constant) and isinstance(one.value, int | float)]
        unit = 1000 if "expect" in ast.unparse(node.func) else 1  # Playwright's are milliseconds
        if name in SLEEPS or any(0 < number < PATIENCE * unit for number in numbers):
            found.append(f"line {node.lineno}: {ast.unparse(node)[:80]}")
    return found


def test_no_test_waits_for_a_span_of_time_that_may_be_too_short() -> None:
    files = [file for file in TESTS.rglob("*.py") if file.relative_to(TESTS).parts[0] != "campaign"]
    found = {file.relative_to(TESTS).as_posix(): spans(ast.parse(file.read_text("utf-8"))) for file in files}
    found = {file: calls for file, calls in found.items() if calls}
    assert {file: calls for file, calls in found.items() if file not in ALLOWED} == {}
    assert set(ALLOWED) <= set(found), "these files wait for no span any more"


def test_spans_are_seen() -> None:
    code = "time.sleep(1); page.wait_for_timeout(5); thread.join(5); got.wait(timeout=9); expect(x).to_be(timeout=900)"
    assert len(spans(ast.parse(code))) == 5
    assert spans(ast.parse("thread.join(300); until(done); ' '.join(x); expect(x).to_be(timeout=300_000)")) == []
