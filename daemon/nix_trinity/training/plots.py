"""The plots of the monthly report: the four measures by role and week, as SVG.

Matplotlib is the optional extra ``report``; it is loaded when a report is written, and no state of its own is kept.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence

from nix_trinity.catalogue import ROLES
from nix_trinity.knowledge.statistics import Measures, Row

_COLOURS = {"expert": "#1f77b4", "empathy": "#d95f02", "coder": "#2ca02c", "quick": "#7f3c8d"}
_INCHES = (7.0, 3.0)
_MOST_LABELS = 13


def first_token_seconds(measures: Measures) -> float | None:
    """Median seconds until the first token."""
    return measures.first_token_ms.median / 1000 if measures.first_token_ms is not None else None


MEASURES: Mapping[str, tuple[str, Callable[[Measures], float | None]]] = {
    "accuracy": ("Accuracy (share of judged answers)", lambda one: one.accuracy),
    "speed": ("Speed (median seconds to the first token)", first_token_seconds),
    "helpfulness": ("Helpfulness (share of good among good and bad)", lambda one: one.helpfulness),
    "corrections": ("Corrections (share of all answers)", lambda one: one.corrections),
}
"""The measures by name, each with its title and how it is read."""
_SHARES = ("accuracy", "helpfulness", "corrections")


def draw_plots(weeks: Sequence[Row]) -> dict[str, bytes] | None:
    """An SVG for each measure that there is anything of, by its name; None without Matplotlib.

    ``weeks`` are the rows of :class:`~nix_trinity.knowledge.statistics.Statistics` by role and week.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except (ImportError, OSError):  # OSError: there is no folder for its fonts
        return None
    names = sorted({row.week for row in weeks if row.week})
    drawn: dict[str, bytes] = {}
    # Ids by a fixed salt and texts as texts: the same figures make the same file.
    with mpl.rc_context({"svg.hashsalt": "nix-trinity", "svg.fonttype": "none"}):
        for name, (title, value_of) in MEASURES.items():
            lines = _lines(weeks, names, value_of)
            if not lines:
                continue
            figure = Figure(figsize=_INCHES, layout="constrained")
            axes = figure.subplots()
            for role, values in lines.items():
                axes.plot(range(len(names)), values, marker="o", label=role, color=_COLOURS[role])
            step = math.ceil(len(names) / _MOST_LABELS)
            axes.set_xticks(range(0, len(names), step), names[::step], rotation=45, fontsize="small")
            axes.set_title(title)
            axes.grid(alpha=0.3)
            axes.legend(fontsize="small")
            axes.set_ylim(0, 1.05 if name in _SHARES else None)
            file = io.BytesIO()
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
            drawn[name] = file.getvalue()
    return drawn


def _lines(
    weeks: Sequence[Row], names: Sequence[str], value_of: Callable[[Measures], float | None]
) -> dict[str, list[float]]:
    """For each role of which there is anything, the value of each week; nan where there is none."""
    lines: dict[str, list[float]] = {}
    for role in ROLES:
        known = {row.week: value_of(row.measures) for row in weeks if row.role == role}
        values = [known.get(name) for name in names]
        if any(value is not None for value in values):
            lines[role] = [math.nan if value is None else value for value in values]
    return lines
