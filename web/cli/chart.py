"""The chart of an evaluation: a panel for each kind of query, a bar for each ranking. The only use of matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search.evaluation.metrics import Metric
from search.system.atomic_write import atomic_file

SHOWN = ("ndcg@10", "recall@1")
COLORS = ("#2f6f9f", "#9fc3dd")


def draw(path: Path, metrics: Sequence[Metric], *, title: str) -> None:
    """Write the chart, complete or not at all; raise DataFolderError when it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(metric.kind for metric in metrics))
    fields = list(dict.fromkeys(metric.field for metric in metrics))[::-1]  # bars are drawn from the bottom up
    figure = Figure(figsize=(3.2 + 3.4 * len(kinds), 1.6 + 0.34 * len(fields)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for panel, kind in zip(panels, kinds, strict=True):
        values = {(one.field, one.metric): one for one in metrics if one.kind == kind}
        for number, (name, color) in enumerate(zip(SHOWN, COLORS, strict=True)):
            places = [at + (0.2 if number == 0 else -0.2) for at in range(len(fields))]
            bars = panel.barh(places, [values[field, name].value for field in fields], 0.38, color=color, label=name)
            panel.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
        panel.set_title(f"{kind} ({values[fields[0], SHOWN[0]].queries:,})", fontsize=9)
        panel.set_xlim(0, 1.12)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(fields)), fields, fontsize=8)
    panels[-1].legend(loc="lower right", fontsize=7)
    with atomic_file(path) as out:
        figure.savefig(out, format=path.suffix[1:].lower(), dpi=150)
