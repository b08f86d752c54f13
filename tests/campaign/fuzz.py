"""Requests that schemathesis makes from the OpenAPI document, as a visitor and as the curator; none may be a 5xx."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.campaign.library import Folder
from tests.campaign.report import Report
from tests.campaign.scenarios import Base, prepare_base
from tests.campaign.site import Site, serving, sign_in

CASES = 5_000
OPERATIONS = 17  # about; with the coverage phase each has at least 40 cases
COVERAGE = 350  # cases that the document's bounds alone make, at least
# Answers that break the document are faults, and so is what `Error` does not describe.
FAULTS = ("ServerError", "JsonSchemaError", "MalformedJson", "UndefinedStatusCode", "UndefinedContentType")


def run_fuzz(report: Report, *, cases: int = CASES, seed: int = 0) -> None:
    """Send about `cases` requests in all, half of them signed in."""
    if find_spec("schemathesis") is None:
        report.skipped = "schemathesis is not installed: pip install 'memetica[campaign]'"
        return
    examples = max(1, (cases // 2 - COVERAGE) // OPERATIONS)
    with tempfile.TemporaryDirectory(prefix="memetica-fuzz-") as place:
        for role in ("visitor", "curator"):
            folder = Folder(Path(place, role))
            prepare_base(folder, Base.INBOX)
            watched = Report(report.part)
            with serving(folder, watched) as site:
                headers = _headers(site) if role == "curator" else {}
                found = _run(site, Path(place, f"{role}.json"), examples=examples, seed=seed, headers=headers)
            report.faults += [f"{role}: {fault}" for fault in watched.faults]
            report.figures |= {f"{role}: {name}": value for name, value in watched.figures.items()}
            _judge(report, role, found)
            for problem in folder.problems():
                report.fault(role, f"catalogue: {problem}")


def _headers(site: Site) -> dict[str, str]:
    with site.visitor() as client:
        return sign_in(client)


def _run(site: Site, to: Path, *, examples: int, seed: int, headers: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{site.url}/api/openapi.json", "--url", site.url]
    command += ["--max-examples", str(examples), "--seed", str(seed), "--phases", "examples,coverage,fuzzing"]
    command += ["--continue-on-failure", "--no-shrink", "--request-timeout", "30", "--suppress-health-check", "all"]
    command += ["--report", "json", "--report-json-path", str(to), "--warnings", "off"]
    for name, value in headers.items():
        command += ["--header", f"{name}:{value}"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=to.parent, check=False)
    if not to.exists():
        raise RuntimeError(f"schemathesis ended with {ran.returncode}: {ran.stdout[-1500:]} {ran.stderr[-1500:]}")
    return {**json.loads(to.read_text("utf-8")), "said": ran.stdout}


def _judge(report: Report, role: str, found: dict[str, Any]) -> None:
    report.cases += found["test_cases"]["generated"]
    others = []
    for failure in found["failures"]:
        where = ", ".join(failure["operations"])
        if failure["type"] in FAULTS:
            report.fault(role, f"{failure['title']} ({failure['count']}): {where}\n{_detail(found['said'], failure)}")
        else:
            others.append(f"{failure['title']} {failure['count']} ({where})")
    for error in found["errors"]:
        report.fault(role, f"schemathesis: {error}")
    report.figures |= {
        f"{role}: operations": f"{found['operations']['tested']} of {found['operations']['total']}",
        f"{role}: other findings": "; ".join(others) or "none",
    }


def _detail(said: str, failure: dict[str, Any]) -> str:
    """Return what schemathesis says of the first failure of a kind, with the request that shows it."""
    at = said.find(f"- {failure['code']} ")
    return said[at : at + 1500] if at >= 0 else ""
