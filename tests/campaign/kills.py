"""Commands killed at every kind of system call that writes; nothing may be lost, and each must be able to go on."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.commands import Ran, Run, memetica
from tests.campaign.library import Folder, State, mixed
from tests.campaign.report import Report
from tests.campaign.scenarios import SCENARIOS, Base, Scenario, Words, painter, prepare_base
from tests.campaign.tracing import Point, choose_points, killed_at, points_in, recorded, shares, strace

CASES = 330


@dataclass(frozen=True)
class Ready:
    """A scenario whose uninterrupted run is known: the folder before it, the states, and where it can be killed."""

    scenario: Scenario
    words: Words  # the whole command line: sent again it names the same, which may be done by then
    kept: Path
    old: State
    new: State
    contents: Counter[str]
    points: dict[str, list[Point]]


def run_kills(report: Report, *, cases: int = CASES, seed: int = 0, only: Sequence[str] = ()) -> None:
    """Kill commands at `cases` points, spread over the scenarios and their system calls."""
    if strace() is None:
        report.skipped = "strace is not installed, or may not trace"
        return
    chosen = [one for one in SCENARIOS if not only or one.name in only]
    draw = random.Random(seed)
    killed: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="memetica-kills-") as place, painter() as endpoint:
        folder = Folder(Path(place, "work"))
        bases = {base: _base(folder, Path(place), base) for base in {one.base for one in chosen}}
        for scenario, share in zip(chosen, shares(cases, len(chosen)), strict=True):
            if not share:
                continue
            ready = _ready(scenario, folder, bases[scenario.base], Path(place), endpoint.url)
            for point in choose_points(ready.points, share, draw):
                case = f"{scenario.name} killed at {point}"
                report.progress(case)
                before = len(report.faults)
                outcome = _try(ready, folder, point, report, case)
                if outcome != "lived":
                    killed[scenario.name] += 1
                    calls[point.call] += 1
                outcomes[outcome if len(report.faults) == before else "faulty"] += 1
    report.figures |= {
        "killed": f"{sum(killed.values())} of {report.cases}, in {len(chosen)} commands",
        "by system call": ", ".join(f"{call} {count}" for call, count in calls.most_common()),
        "by command": ", ".join(f"{name} {count}" for name, count in killed.items()),
        "state after recovery": ", ".join(f"{name} {count}" for name, count in outcomes.most_common()),
    }


def _base(folder: Folder, place: Path, base: Base) -> Path:
    kept = place / f"base {base}"
    prepare_base(folder, base)
    folder.path.rename(kept)
    return kept


def _ready(scenario: Scenario, folder: Folder, base: Path, place: Path, endpoint: str) -> Ready:
    """Prepare a scenario, run its command to its end, and return what it wrote where."""
    folder.bring_back(base)
    scenario.prepare(folder)
    kept = place / f"ready for {scenario.name}"
    folder.keep(kept)
    old, contents = folder.state(), folder.contents()
    log = place / "strace.log"
    words = scenario.run_arguments(folder, endpoint)
    with recorded(log) as tracer:
        ran = Run(*words, stdin=scenario.stdin, on_start=tracer.attach).wait()
    if ran.code != 0:
        raise RuntimeError(f"{scenario.name} ended with {ran.code}: {ran.err}")
    points = points_in(log, folder.path)
    _index(folder)
    return Ready(scenario, words, kept, old, folder.state(), contents, points)


def _index(folder: Folder) -> Ran:
    return memetica("index", *folder.places)


def _try(ready: Ready, folder: Folder, point: Point, report: Report, case: str) -> str:
    """Kill the command at a point and check everything; return which state was found: old, new, parts or lived."""
    scenario = ready.scenario
    folder.bring_back(ready.kept)
    with killed_at(point) as tracer:
        ran = Run(*ready.words, stdin=scenario.stdin, on_start=tracer.attach).wait()
    if not ran.was_killed and ran.code not in (0, 1):
        report.fault(case, f"it ended with {ran.code}: {ran.err[-400:]}")
    check_catalogue(folder, report, case)
    folder.age_parts()
    # Where a child process was killed too or instead, such as a decoder, its work has failed and is told so.
    child_was_killed = folder.row("SELECT count(*) FROM failures WHERE reason LIKE '%stopped the decoder%'") != "0"
    recovered = memetica("retry", *folder.places) if child_was_killed or not ran.was_killed else _index(folder)
    if recovered.code != 0 or "Traceback" in recovered.err:
        report.fault(case, f"`memetica index` ends with {recovered.code} afterwards: {recovered.err[-600:]}")
        return "faulty"
    check_whole(folder, report, case, contents=ready.contents)
    checked = memetica("check", "--read-data", *folder.places)
    if checked.code != 0:
        report.fault(case, f"`memetica check` ends with {checked.code}: {checked.out[-400:]} {checked.err[-400:]}")
    found = folder.state()
    wrong = mixed(found, old=ready.old, new=ready.new)
    if wrong:
        report.fault(case, "; ".join(wrong[:3]))
    outcome = "new" if found == ready.new else "old" if not mixed(found, old=ready.old, new=ready.old) else "parts"
    if outcome == "parts" and not scenario.in_parts and not _is_index(scenario):
        different = sorted(name for name in {*found, *ready.new} if found.get(name) != ready.new.get(name))
        report.fault(case, f"some is old and some is new: {different[:4]} are old")
    again = Run(*ready.words, stdin=scenario.stdin).wait()
    refused = again.code in (1, 2) and scenario.may_refuse_again and outcome != "old"
    if (again.code != 0 and not refused) or "Traceback" in again.err:
        report.fault(case, f"the command again ends with {again.code}: {again.err[-600:]}")
    _index(folder)
    missing = mixed(folder.state(), old=ready.new, new=ready.new)
    if scenario.is_appended and outcome == "new":
        missing = [what for what in missing if not what.startswith("verdicts: ")]
    if missing and scenario.completes:
        report.fault(case, f"the command again does not complete it: {'; '.join(missing[:3])}")
    check_whole(folder, report, case + ", again", contents=ready.contents)
    return outcome if ran.was_killed else "lived"


def _is_index(scenario: Scenario) -> bool:
    """Whether the recovery is the command itself."""
    return scenario.name.startswith("index")


def check_catalogue(folder: Folder, report: Report, case: str) -> None:
    """Report what SQLite finds wrong with the catalogue."""
    for problem in folder.problems():
        report.fault(case, f"catalogue: {problem}")


def check_whole(folder: Folder, report: Report, case: str, *, contents: Counter[str]) -> None:
    """Report a damaged catalogue, lost contents, unfinished operations and files left behind."""
    check_catalogue(folder, report, case)
    lost = contents.keys() - folder.contents().keys()
    if lost:
        report.fault(case, f"{len(lost)} contents are in neither library, trash nor inbox: {sorted(lost)[0]}")
    for unfinished in folder.unfinished():
        report.fault(case, f"an operation is left unfinished: {unfinished}")
    folder.age_parts()
    if folder.parts():
        report.fault(case, f"left behind: {', '.join(folder.parts())}")
