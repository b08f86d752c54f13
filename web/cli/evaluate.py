"""`memetica evaluate`: how well the ranking finds what it should, and weights that find it better."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from search.errors import WrongUse
from search.ranking.retrievers import PICTURE
from search.settings import WEIGHTS
from search.workspace import Workspace
from web.cli.command import Session, verb

if TYPE_CHECKING:
    from search.catalogue import Catalogue
    from search.evaluation.metrics import Comparison, Judged, Metric
    from search.evaluation.tuning import Fit, Sheet
    from search.index.reader import Index
    from search.settings import Settings

FUSED = "fused"
# The look answers pictures, not words.
ALONE = tuple(name for name in WEIGHTS if name.startswith(("words.", "meaning.")) or name == PICTURE)
PICTURES = {".svg", ".png", ".pdf"}


@click.command()
@click.argument("judged_file", metavar="[QRELS]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--qrels", type=click.Path(path_type=Path), metavar="FILE", help="What answers each query: TREC's or JSON."
)
@click.option("--queries", type=click.Path(path_type=Path), metavar="FILE", help="The queries that --qrels judges.")
@click.option("--sample", default=300, show_default=True, type=click.IntRange(1), help="Memes to make queries of.")
@click.option("--fit", "fitting", is_flag=True, help="Fit the weights to one half; keep them if the other half gains.")
@click.option(
    "--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw the results: .svg, .png or .pdf."
)
@verb
def evaluate(
    session: Session,
    judged_file: Path | None,
    qrels: Path | None,
    queries: Path | None,
    sample: int,
    fitting: bool,
    picture: Path | None,
) -> int:
    """Measure the ranking by judged queries, beside each field alone.

    QRELS has a JSON object to a line: {"query": "…", "relevant": ["Cats/x.jpg"], "kind": "…"}. Without any file, the
    library makes the queries of itself: words quoted from its memes, clean and damaged, and where several models
    described a meme, the words of one of them, found by what the others wrote.
    """
    from search.catalogue import open_catalogue

    if picture is not None:
        _check_picture(picture)
    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue:
        judged = _judged(session, catalogue, judged_file, qrels=qrels, queries=queries)
        paths, judged, sheets = _sheets(session, Workspace(settings, catalogue), judged, sample=sample)
        metrics, comparisons = _measured(settings.weights, judged, sheets, paths)
        _show(session, metrics, comparisons)
        if picture is not None:
            from web.cli.chart import draw

            draw(picture, metrics, title=f"{len(judged):,} queries, {len(paths):,} memes")
            session.terminal.say(f"{picture} shows it.")
        if fitting:
            _fit(session, settings, judged, sheets, paths)
    return 0


def _check_picture(path: Path) -> None:
    """Raise WrongUse before any work when the picture cannot be drawn."""
    if path.suffix.lower() not in PICTURES:
        raise WrongUse(f"{path.name} is no {', '.join(sorted(PICTURES))}.", hint="Choose another ending.")
    if not path.absolute().parent.is_dir():
        raise WrongUse(f"There is no folder {path.absolute().parent}.")
    if importlib.util.find_spec("matplotlib") is None:
        raise WrongUse("Pictures need matplotlib, which is not installed.", hint="pip install 'memetica[picture]'")


def _judged(
    session: Session, catalogue: Catalogue, judged_file: Path | None, *, qrels: Path | None, queries: Path | None
) -> list[Judged] | None:
    """Return the queries of the files, None when there is no file."""
    from search.evaluation.metrics import read_judged
    from search.evaluation.qrels import in_library, read_qrels

    if queries is not None and qrels is None:
        raise WrongUse("--queries says what was asked, and --qrels must say what answers.")
    if judged_file is not None and qrels is not None:
        raise WrongUse("There are two files of judgements; give one.")
    if qrels is not None and queries is not None:
        found = read_qrels(qrels, queries=queries)
    elif qrels is not None or judged_file is not None:
        found = read_judged(qrels or judged_file)  # type: ignore[arg-type]
    else:
        return None
    kept, missing = in_library(found, [meme.path for meme in catalogue.memes.everything()])
    if missing:
        session.terminal.say(
            f"{missing:,} judged memes are not in the library; {len(kept):,} of {len(found):,} queries are left.",
            style="yellow",
        )
    return kept


def _sheets(
    session: Session, workspace: Workspace, judged: Sequence[Judged] | None, *, sample: int
) -> tuple[dict[int, str], list[Judged], list[Sheet]]:
    """Return the memes' paths, the queries, and what the voters say of each."""
    from search.encoders.registry import load_image_encoder, load_text_encoder
    from search.evaluation.known_items import index_without, quotes, witnessed
    from search.evaluation.tuning import Asker
    from search.index.reader import Index

    index = Index.open(workspace.index)
    encoder = load_text_encoder(workspace.settings, long_running=True)
    seeing = None
    if index.pictures is not None and len(index.pictures):
        seeing = load_image_encoder(workspace.settings, index.manifest.image_encoder, long_running=True)
    paths = {meme.id: meme.path for meme in workspace.catalogue.memes.everything()}

    def asked(index: Index, queries: Iterable[Judged]) -> list[Sheet]:
        asker = Asker(index, encoder, workspace.settings.weights, seeing if index.pictures is not None else None)
        return [asker.sheet(one.query) for one in queries]

    if judged is not None:
        return paths, list(judged), asked(index, judged)
    own = quotes(workspace.catalogue, index, sample=sample)
    sheets = asked(index, own)
    by_others = witnessed(workspace.catalogue, sample=sample)
    if by_others:
        with TemporaryDirectory(prefix="memetica-evaluate-") as folder:
            without = index_without(workspace.catalogue, index, by_others, folder=Path(folder))
            sheets += asked(without, [one.judged for one in by_others])
        own += [one.judged for one in by_others]
    else:
        session.terminal.say(
            "No meme has the descriptions of two models: none was asked for by one of them.", style="dim"
        )
    if not own:
        raise WrongUse(
            "The library says nothing that could be asked for: no meme has three words of OCR or two descriptions.",
            hint="Run `memetica index`, or give judged queries: memetica evaluate QRELS",
        )
    return paths, own, sheets


def _measured(
    weights: Mapping[str, float], judged: Sequence[Judged], sheets: Sequence[Sheet], paths: Mapping[int, str]
) -> tuple[list[Metric], list[Comparison]]:
    """Return the measures of the fused ranking and of each field alone, and how nDCG@10 compares."""
    from search.evaluation.metrics import compared, metrics_of, values_by_kind

    there = {name for sheet in sheets for name in sheet.scores}
    rankers = {FUSED: weights} | {name: {name: 1.0} for name in ALONE if name in there}
    values = {
        field: values_by_kind(
            [
                (one, [paths[id] for id in sheet.ranked(own) if id in paths])
                for one, sheet in zip(judged, sheets, strict=True)
            ]
        )
        for field, own in rankers.items()
    }
    metrics = [metric for field, kinds in values.items() for metric in metrics_of(kinds, field=field)]
    others: dict[str, dict[str, Sequence[float]]] = {}
    for field, kinds in values.items():
        for kind, measures in kinds.items() if field != FUSED else ():
            others.setdefault(kind, {})[field] = measures["ndcg@10"]
    return metrics, compared(others, {kind: own["ndcg@10"] for kind, own in values[FUSED].items()})


def _show(session: Session, metrics: Sequence[Metric], comparisons: Sequence[Comparison]) -> None:
    terminal = session.terminal
    if terminal.as_json:
        for metric in metrics:
            terminal.row({**vars(metric), "value": round(metric.value, 4)})
        for one in comparisons:
            terminal.row(
                {
                    "kind": one.kind,
                    "field": one.field,
                    "metric": "ndcg@10 of fused, less this",
                    "value": round(one.difference, 4),
                    "p": one.p,
                    "queries": one.queries,
                }
            )
        return
    chance = {(one.kind, one.field): one.p for one in comparisons}
    for kind in dict.fromkeys(metric.kind for metric in metrics):
        own = [metric for metric in metrics if metric.kind == kind]
        names = list(dict.fromkeys(metric.metric for metric in own))
        rows = []
        for field in dict.fromkeys(metric.field for metric in own):
            values = {metric.metric: metric.value for metric in own if metric.field == field}
            p = chance.get((kind, field))
            rows.append([field, *(f"{values[name]:.3f}" for name in names), "" if p is None else _chance(p)])
        terminal.table(["", *names, "p"], rows, title=f"\n{kind}: {own[0].queries:,} queries")
    terminal.say(
        "p: how likely chance alone makes such a difference to fused in ndcg@10 (paired t-test, corrected after Holm).",
        style="dim",
    )


def _chance(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _fit(
    session: Session,
    settings: Settings,
    judged: Sequence[Judged],
    sheets: Sequence[Sheet],
    paths: Mapping[int, str],
) -> None:
    """Fit the weights and keep them when the held-out half gains; say so either way."""
    from search.evaluation.known_items import QUOTES
    from search.evaluation.tuning import fit, keep_weights

    if {one.kind for one in judged} <= QUOTES:
        raise WrongUse(
            "There are but quotes to fit the weights to, and they would forget what memes mean.",
            hint="Let a second model describe the memes (`memetica describe`), or give judged queries.",
        )
    found = fit(judged, sheets, settings.weights, paths=paths)
    _show_fit(session, found)
    if not found.is_better:
        session.terminal.say(
            "The fitted weights do no better on the half that they were not fitted to: nothing is changed."
        )
        return
    path = keep_weights(settings.data, found.after)
    session.terminal.say(f"The fitted weights are kept in {path}; remove `weights` there to go back.")


def _show_fit(session: Session, found: Fit) -> None:
    terminal = session.terminal
    chance = {one.kind: one.p for one in found.comparisons}
    if terminal.as_json:
        for kind in found.held_out_before:
            for field, values in (("before", found.held_out_before), ("fitted", found.held_out_after)):
                terminal.row(
                    {
                        "kind": kind or "mean of kinds, held out",
                        "field": field,
                        "metric": "ndcg@10",
                        "value": round(values[kind], 4),
                        "queries": found.queries,
                    }
                )
        terminal.row({"weights": dict(found.after), "kept": found.is_better})
        return
    rows = [
        [
            kind or "mean of kinds",
            f"{found.held_out_before[kind]:.3f}",
            f"{found.held_out_after[kind]:.3f}",
            _chance(chance[kind]) if kind else "",
        ]
        for kind in found.held_out_before
    ]
    terminal.table(["", "before", "fitted", "p"], rows, title=f"\nheld out, ndcg@10: {found.queries:,} queries")
    changed = {name: weight for name, weight in found.after.items() if weight != found.before.get(name)}
    terminal.say(
        "Weights: " + (", ".join(f"{name} {weight:g}" for name, weight in changed.items()) or "none changed") + "."
    )
