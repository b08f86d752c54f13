"""Damaged files of index and catalogue: a command tells it and names a way back that works, or answers as before."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from search.index.generations import live_folder
from tests.campaign.commands import Ran, memetica
from tests.campaign.library import Folder
from tests.campaign.report import Report
from tests.campaign.scenarios import done, prepare_base
from tests.support.damage import DAMAGES, catalogue_damages, index_damages

QUERIES = (("search", "dog coffee"), ("search", "robot -toaster"), ("similar", "Cats/monday.png"))
Answer = list[tuple[object, ...]]


def run_damages(report: Report, *, cases: int | None = None, seed: int = 0) -> None:
    """Apply every damage to a copy of a data folder, or `cases` of them, drawn by chance."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="memetica-damages-") as place:
        folder, kept = Folder(Path(place, "work")), Path(place, "kept")
        prepare_base(folder)
        other = _other_generation(folder, Path(place, "other"))
        done("index", folder=folder)
        folder.keep(kept)
        expected = [_answer(memetica(*query, "--json", *folder.places)) for query in QUERIES]
        assert all(expected), "the queries find nothing"
        names = [name for name, _ in _damages(folder, other)]
        chosen = names if cases is None else random.Random(seed).sample(names, min(cases, len(names)))
        for name in chosen:
            report.progress(name)
            folder.bring_back(kept)
            dict(_damages(folder, other))[name]()
            outcomes[_try(folder, name, expected, report)] += 1
    report.figures |= {"outcomes": ", ".join(f"{name} {count}" for name, count in outcomes.most_common())}


def _other_generation(folder: Folder, at: Path) -> Path:
    """Return a copy of the live generation, and let the next run of `index` make another."""
    shutil.copytree(live_folder(folder.data / "index"), at)
    (folder.library / "Dogs/fine.png.txt").write_text("everything is fine today", "utf-8")
    return at


def _damages(folder: Folder, other: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    yield from index_damages(folder.data / "index", other=other)
    yield from catalogue_damages(folder.data)
    for name in ("settings.json", "curator.json"):
        for what, damage in DAMAGES.items():
            yield f"{name} {what}", lambda file=folder.data / name, damage=damage: damage(file)  # type: ignore[misc]


def _answer(ran: Ran) -> Answer:
    return [(row["path"], round(row["score"], 4)) for row in map(json.loads, ran.out.splitlines())]


def _try(folder: Folder, case: str, expected: list[Answer], report: Report) -> str:
    """Check a damaged folder: the answers, what is said of it, and the way back; return what happened."""
    told = False
    for query, right in zip(QUERIES, expected, strict=True):
        ran = memetica(*query, "--json", *folder.places)
        if ran.code == 0:
            if _answer(ran) != right:
                report.fault(case, f"{' '.join(query)} silently answers otherwise")
        else:
            told = True
            check_sentence(ran, case, report)
    checked = memetica("check", *folder.places)
    if "Traceback" in checked.err or checked.code not in (0, 1):
        report.fault(case, f"`memetica check` ends with {checked.code}: {checked.err[-500:]}")
    if told and checked.code == 0:
        report.fault(case, "the commands refuse, and `memetica check` finds nothing")
    for words in (("status",), ("verdict", "list")):
        ran = memetica(*words, *folder.places)
        if ran.code not in (0, 1, 2) or "Traceback" in ran.err:  # 2: a setting that cannot be read
            report.fault(case, f"{words[0]} ends with {ran.code}: {ran.err[-500:]}")
    if _mend(folder, case, report):
        for query, right in zip(QUERIES, expected, strict=True):
            if _answer(memetica(*query, "--json", *folder.places)) != right:
                report.fault(case, f"{' '.join(query)} answers otherwise after the way back")
    return "told" if told else "found by check" if checked.code else "without effect"


def check_sentence(ran: Ran, case: str, report: Report) -> None:
    """Report an error that is no sentence, or that names no way back."""
    if ran.code != 1 and ran.code != 2:
        report.fault(case, f"it ends with {ran.code}: {ran.err[-500:]}")
    if "Traceback" in ran.err or "panicked" in ran.err:
        report.fault(case, f"a traceback: {ran.err[-500:]}")
    elif not any(way in ran.err for way in ("memetica ", "Correct the file or remove it")):
        report.fault(case, f"no way back is named: {ran.err.strip()}")


def _mend(folder: Folder, case: str, report: Report) -> bool:
    """Go the ways back that the messages name, as a person would; report when none works."""
    for name in ("settings.json", "curator.json"):
        if case.startswith(name):
            (folder.data / name).unlink(missing_ok=True)
    ran = memetica("index", *folder.places)
    if ran.code == 0:
        return True
    check_sentence(ran, case, report)
    listed = memetica("restore", "--list", "--json", *folder.places)
    copies = [json.loads(line) for line in listed.out.splitlines()]
    if not copies:
        report.fault(case, f"there is no copy to restore: {ran.err.strip()} {listed.err.strip()}")
        return False
    restored = memetica("restore", str(copies[0]["name"]), "--replace", *folder.places)
    again = memetica("index", *folder.places)
    if restored.code != 0 or again.code != 0:
        report.fault(case, f"the way back fails: {restored.err[-400:]} {again.err[-400:]}")
        return False
    return True
