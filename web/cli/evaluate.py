"""`memetica evaluate`: measures of the ranking that search uses, and tuning of its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from search.catalogue import Catalogue, open_catalogue
from search.encoders.base import ImageEncoder
from search.encoders.registry import load_image_encoder
from search.errors import WrongUse
from search.evaluation.cutoff import Cutoff, CutoffFit, JudgedHits, fit_cutoff, save_cutoff
from search.evaluation.known_items import QUOTES, description_queries, index_without, quote_queries
from search.evaluation.metrics import (
    Comparison,
    JudgedQuery,
    Metric,
    compare_rankings,
    mean_metrics,
    measure_by_kind,
    read_judged_queries,
)
from search.evaluation.qrels import keep_known_paths, read_qrels
from search.evaluation.served import ServedQuery, serve_query
from search.evaluation.tuning import DEPTH as TUNED_HITS
from search.evaluation.tuning import Tuning, save_weights, tune
from search.index.contract import Index
from search.index.local import LocalIndex
from search.index.stores import open_index
from search.index.text_encoder import load_text_encoder_in_use
from search.meme import Field
from search.pipeline import QueryPipeline
from search.ranking.fusion import Weights
from search.ranking.relevance import relevance_rule
from search.settings import Settings
from search.signals import SIGNALS, SignalKind
from search.system.distribution import require_extra
from search.workspace import Workspace
from web.cli.chart import draw
from web.cli.command import Command, Session

FUSED = "fused"
# Signals that rank queries of words by themselves; a phrase finds too few memes, the others need an image.
SINGLE = tuple(one for one in SIGNALS if one.kind in (SignalKind.LEXICAL, SignalKind.SEMANTIC, SignalKind.IMAGE_TEXT))
PICTURES = {".svg", ".png", ".pdf"}


@click.command(
    cls=Command,
    examples=(
        "memetica evaluate",
        "memetica evaluate judged.jsonl --chart results.svg",
        "memetica evaluate --qrels qrels.txt --queries queries.tsv --fit",
    ),
)
@click.argument("judged_file", metavar="[QRELS]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--qrels", type=click.Path(path_type=Path), metavar="FILE", help="Relevance judgments: TREC format or JSON."
)
@click.option("--queries", type=click.Path(path_type=Path), metavar="FILE", help="The queries of --qrels.")
@click.option(
    "--sample", default=300, show_default=True, type=click.IntRange(1), help="Number of memes to make queries from."
)
@click.option(
    "--fit",
    "fitting",
    is_flag=True,
    help="Fit the weights and what decides which hits match on half of the memes; save what gains on the other.",
)
@click.option(
    "--chart",
    "picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the results into a .svg, .png or .pdf file.",
)
def evaluate(
    session: Session,
    judged_file: Path | None,
    qrels: Path | None,
    queries: Path | None,
    sample: int,
    fitting: bool,
    picture: Path | None,
) -> int:
    """Measure the ranking with judged queries, and compare it with each signal alone.

    QRELS has one JSON object per line: {"query": "…", "relevant": ["Cats/x.jpg"], "kind": "…"}. Queries may use
    operators, exclusions and weights; they are ranked as `memetica search` ranks them. Without a file, queries are made
    from the library: quotes of its memes, clean and damaged, and, for memes that several models described, one model's
    description as a query that must find the meme by the other models' descriptions.
    """

    require_extra("evaluate", ["ir_measures"], purpose="Measures of rankings")
    if picture is not None:
        _check_picture(picture)
    settings = session.settings()
    with open_catalogue(settings, create=False) as catalogue, TemporaryDirectory(prefix="memetica-evaluate-") as folder:
        judged = _judged(session, catalogue, judged_file, qrels=qrels, queries=queries)
        workspace = Workspace(settings, catalogue)
        paths, judged, served = _served(session, workspace, judged, sample=sample, folder=Path(folder))
        metrics, comparisons = _measure(judged, served, paths)
        _show(session, metrics, comparisons)
        if picture is not None:
            draw(picture, metrics, title=f"{len(judged):,} queries, {len(paths):,} memes")
            session.terminal.say(f"Wrote the chart {picture}.")
        if fitting:
            weights = _tune(session, settings, judged, served, paths)
            _fit_cutoff(session, settings, judged, served, paths, weights=weights)
    return 0


def _check_picture(path: Path) -> None:
    """Raise WrongUse when the chart cannot be drawn, before any work is done."""
    if path.suffix.lower() not in PICTURES:
        raise WrongUse(
            f"Charts cannot be drawn as {path.name}.",
            hint=f"Choose a name that ends with {', '.join(sorted(PICTURES))}.",
        )
    if not path.absolute().parent.is_dir():
        raise WrongUse(f"There is no folder {path.absolute().parent}.")
    require_extra("evaluate", ["matplotlib"], purpose="Charts")


def _judged(
    session: Session, catalogue: Catalogue, judged_file: Path | None, *, qrels: Path | None, queries: Path | None
) -> list[JudgedQuery] | None:
    """Return the judged queries of the files, None without a file."""

    if queries is not None and qrels is None:
        raise WrongUse("--queries needs --qrels with the judgements of its queries.")
    if judged_file is not None and qrels is not None:
        raise WrongUse("There are two files of judgements: QRELS and --qrels. Give one.")
    if qrels is not None and queries is not None:
        found = read_qrels(qrels, queries=queries)
    elif qrels is not None or judged_file is not None:
        found = read_judged_queries(qrels or judged_file)  # type: ignore[arg-type]
    else:
        return None
    kept, missing = keep_known_paths(found, [meme.path for meme in catalogue.memes.everything()])
    if missing:
        session.terminal.say(
            f"{missing:,} judged memes are not in the library; {len(kept):,} of {len(found):,} queries are left.",
            style="yellow",
        )
    return kept


def _served(
    session: Session, workspace: Workspace, judged: Sequence[JudgedQuery] | None, *, sample: int, folder: Path
) -> tuple[dict[int, str], list[JudgedQuery], list[ServedQuery]]:
    """Return the memes' paths, the queries, and each of them as search answers it, by any weights.

    An index without the descriptions that are queries is made in `folder`.
    """

    settings = workspace.settings
    index = open_index(settings)[0]
    encoder = load_text_encoder_in_use(settings, long_running=True)
    rule = relevance_rule(settings, encoder)
    images: ImageEncoder | None = None
    if index.count_rows(Field.PICTURE):
        images = load_image_encoder(settings, index.manifest.image_encoder, long_running=True)
    paths = {meme.id: meme.path for meme in workspace.catalogue.memes.everything()}

    def served_by(index: Index, queries: Sequence[JudgedQuery]) -> list[ServedQuery]:
        pipeline = QueryPipeline(
            workspace.catalogue,
            index,
            encoder,
            weights=settings.weights,
            image_encoder=lambda: images,
            line=rule.line,
            model=rule.model,
        )
        return [serve_query(pipeline, one.query) for one in queries]

    if judged is not None:
        return paths, list(judged), served_by(index, judged)
    own = quote_queries(workspace.catalogue, index, sample=sample)
    served = served_by(index, own)
    described = description_queries(workspace.catalogue, sample=sample)
    if described:
        # The index without them is made of files.
        without = index_without(workspace.catalogue, LocalIndex.open(workspace.index), described, folder=folder)
        served += served_by(without, [one.query for one in described])
        own += [one.query for one in described]
    else:
        session.terminal.say("No meme has descriptions by two models: there are no queries of that kind.", style="dim")
    if not own:
        raise WrongUse(
            "No queries can be made from the library: no meme has three words of OCR text or two descriptions.",
            hint="Run `memetica index`, or give judged queries: memetica evaluate QRELS",
        )
    return paths, own, served


def _measure(
    judged: Sequence[JudgedQuery], served: Sequence[ServedQuery], paths: Mapping[int, str]
) -> tuple[list[Metric], list[Comparison]]:
    """Return the measures of the ranking that search uses and of each signal alone, and how nDCG@10 compares."""

    scores = [one.scores() for one in served]
    there = {signal for one in scores for signal in one.by_signal}
    rankings: dict[str, list[list[int]]] = {FUSED: [one.rank() for one in served]}
    rankings |= {str(signal): [one.rank_by(signal) for one in scores] for signal in SINGLE if signal in there}
    values = {
        name: measure_by_kind(
            [(one, [paths[id] for id in ids if id in paths]) for one, ids in zip(judged, ranked, strict=True)]
        )
        for name, ranked in rankings.items()
    }
    metrics = [metric for name, kinds in values.items() for metric in mean_metrics(kinds, field=name)]
    others: dict[str, dict[str, Sequence[float]]] = {}
    for name, kinds in values.items():
        for kind, measures in kinds.items() if name != FUSED else ():
            others.setdefault(kind, {})[name] = measures["ndcg@10"]
    return metrics, compare_rankings(others, {kind: own["ndcg@10"] for kind, own in values[FUSED].items()})


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
        "p: probability of a chance difference from `fused` in ndcg@10 (paired t-test, Holm correction).",
        style="dim",
    )


def _chance(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _tune(
    session: Session,
    settings: Settings,
    judged: Sequence[JudgedQuery],
    served: Sequence[ServedQuery],
    paths: Mapping[int, str],
) -> Weights:
    """Tune the weights, save them when the held-out half gains, and report the result; return those in use."""

    if {one.kind for one in judged} <= QUOTES:
        raise WrongUse(
            "There are only quotes to tune the weights on: they would take all weight from the semantic signals.",
            hint="Let a second model describe the memes (`memetica describe`), or give judged queries.",
        )
    session.terminal.say("Trying other weights; with a thousand queries this takes minutes.", style="dim")
    found = tune(
        judged,
        [partial(one.rank, k=TUNED_HITS) for one in served],
        settings.weights,
        signals=set().union(*(one.signals for one in served)),
        paths=paths,
    )
    _show_tuning(session, found)
    if not found.is_better:
        session.terminal.say("The tuned weights do no better on the held-out half: nothing is changed.")
        return settings.weights
    path = save_weights(settings.data, found.after)
    session.terminal.say(f"Saved the tuned weights in {path}; remove `weights` from it to undo this.")
    return found.after


def _fit_cutoff(
    session: Session,
    settings: Settings,
    judged: Sequence[JudgedQuery],
    served: Sequence[ServedQuery],
    paths: Mapping[int, str],
    *,
    weights: Weights,
) -> None:
    """Fit what decides which hits match, save it when the held-out half gains, and report the result."""
    encoder = served[0].pipeline.text_encoder
    rule = relevance_rule(settings, encoder)
    before = Cutoff(rule.model, rule.line)
    hits = []
    for query, one in zip(judged, served, strict=True):
        found = one.found(weights)
        hits.append(
            JudgedHits(found, np.array([paths.get(int(id), "") in query.relevant for id in found.ids], np.bool_))
        )
    fit = fit_cutoff(judged, hits, before)
    rows = {"before": fit.before, "fitted line": fit.by_line, "fitted odds and line": fit.by_odds}
    terminal = session.terminal
    if terminal.as_json:
        for field, row in rows.items():
            for metric, value in _cutoff_values(row).items():
                shown = None if np.isnan(value) else round(value, 4)
                terminal.row(
                    {
                        "kind": "matches, held out",
                        "field": field,
                        "metric": metric,
                        "value": shown,
                        "queries": fit.queries,
                    }
                )
        chosen = fit.best.cutoff
        terminal.row(
            {
                "certain_above": chosen.line,
                "certain_odds": dict(chosen.model.by_name()),
                "kept": fit.best is not fit.before,
            }
        )
    else:
        terminal.table(
            ["", "line", "precision", "recall"],
            [
                [field, f"{row.cutoff.line:.2f}", f"{row.precision:.3f}", f"{row.recall:.3f}"]
                for field, row in rows.items()
            ],
            title=f"\nmatches, held out: {fit.queries:,} queries",
        )
    if fit.best is fit.before:
        terminal.say("Neither does better on the held-out half: nothing is changed.")
        return
    path = save_cutoff(settings.data, fit.best.cutoff, before=before, encoder=encoder.name)
    names = "`certain_above`" if fit.best is fit.by_line else "`certain_above` and `certain_odds`"
    terminal.say(f"Saved what does best in {path}; remove {names} from it to undo this.")


def _cutoff_values(fit: CutoffFit) -> dict[str, float]:
    return {"certain_above": fit.cutoff.line, "precision of matches": fit.precision, "recall": fit.recall}


def _show_tuning(session: Session, found: Tuning) -> None:
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
        terminal.row({"weights": _by_name(found.after), "kept": found.is_better})
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
    before = _by_name(found.before)
    changed = {name: weight for name, weight in _by_name(found.after).items() if weight != before.get(name)}
    terminal.say(
        "Weights: " + (", ".join(f"{name} {weight:g}" for name, weight in changed.items()) or "none changed") + "."
    )


def _by_name(weights: Weights) -> dict[str, float]:
    return {str(signal): weight for signal, weight in weights.items()}
