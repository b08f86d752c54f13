"""`python -m tests.campaign` runs the campaign, or some of its parts, and prints a table of figures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from time import monotonic

import click

from benchmarks.harness import machine, machine_line
from tests.campaign.report import Report

# Part: the module and its function, which takes the report, and `cases` and `seed` where they are given.
PARTS = {
    "kills": "tests.campaign.kills:run_kills",
    "server-kills": "tests.campaign.server_kills:run_server_kills",
    "damages": "tests.campaign.damages:run_damages",
    "hostile": "tests.campaign.hostile:run_hostile",
    "fuzz": "tests.campaign.fuzz:run_fuzz",
    "load": "tests.campaign.load:run_load",
    "access": "tests.campaign.access:run_access",
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--cases", type=click.IntRange(1), metavar="N", help="Number of cases of each part.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Chooses the cases; the same seed, the same.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object for each part to stdout.")
def campaign(parts: tuple[str, ...], cases: int | None, seed: int, as_json: bool) -> None:
    """Try to break Memetica: PARTS, or all. The exit code is 1 when a fault was found.

    \b
    kills    commands, killed at system calls
    server-kills  the server, killed while it is asked and while it works
    damages  files of the index and the catalogue, damaged
    hostile  pictures that mean harm, sent to a server and indexed
    fuzz     requests made from the OpenAPI document
    load     200 clients while the index is switched
    access   every address without the password
    """
    facts = machine()
    _say(json.dumps(facts) if as_json else machine_line(facts), as_json=as_json)
    found = [run_part(part, cases=cases, seed=seed) for part in parts or PARTS]
    for report, seconds in found:
        if as_json:
            _say(json.dumps({**vars(report), "seconds": round(seconds, 1)}), as_json=True)
        else:
            _say(_table(report, seconds), as_json=False)
    sys.exit(1 if any(report.faults for report, _ in found) else 0)


def run_part(part: str, *, cases: int | None, seed: int) -> tuple[Report, float]:
    """Run a part and return its report and its seconds."""
    module, _, name = PARTS[part].partition(":")
    run: Callable[..., None] = getattr(import_module(module), name)
    report = Report(part)
    begun = monotonic()
    run(report, seed=seed, **({} if cases is None else {"cases": cases}))
    return report, monotonic() - begun


def _table(report: Report, seconds: float) -> str:
    head = report.skipped and f"skipped: {report.skipped}"
    head = head or f"{report.cases:,} cases, {len(report.faults):,} faults, {seconds / 60:.1f} min"
    rows = [f"  {name}: {value}" for name, value in report.figures.items()]
    return "\n".join([f"\n{report.part}: {head}", *rows, *(f"  FAULT {fault}" for fault in report.faults)])


def _say(line: str, *, as_json: bool) -> None:
    click.echo(line, err=False)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    campaign()
