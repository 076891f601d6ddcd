"""Predictions learned online for people: how good their answers turned out to be, and what they go by."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.events.instant import iso
from stream.features.propensity import PROPENSITY
from stream.predict.propensity import PropensityModel
from stream.predict.trainer_state import MODEL, window_of

#: What baselines are called.
WORDS = {"recency": "days of absence", "alive": "P(alive)", "buys": "P(buys)"}
#: So many inputs are told, those that weigh most.
MOST = 4


def as_json(model: PropensityModel) -> dict[str, Any]:
    """All that is known of a version; what is not known yet is null."""
    window = window_of(model)
    judges = () if window is None else window.judges
    aucs = {name: window.auc(name, among=MODEL) for name in judges if window and name in (MODEL, *WORDS)}
    worst = float("nan") if window is None else window.worst(MODEL)
    return {
        "kind": "prediction",
        "prediction": title(model),
        "version": model.version,
        "effective": iso(model.effective),
        "learned": model.learned,
        "auc": {name: None if isnan(auc) else auc for name, auc in aucs.items()},
        "miscalibration": None if isnan(worst) else worst,
        "weights": dict(zip(model.features, model.weights, strict=False)),
    }


def title(model: PropensityModel) -> str:
    """Its name, without what tells one meaning of it from another."""
    return model.kind.removeprefix(PROPENSITY).partition("@")[0]


def draw_propensity(model: PropensityModel) -> RenderableType:
    """What a version says."""
    told = as_json(model)
    head = f"{told['prediction']}, version {model.version} since {told['effective']}, "
    head += f"learned from {model.learned:,} answers"
    ranked = sorted(told["weights"].items(), key=lambda pair: -abs(pair[1]))[:MOST]
    by = ", ".join(f"{name} {weight:+.2f}" for name, weight in ranked if weight)
    lines = [f"- What weighs most, in deviations: {by}." if by else "- Nothing tells customers apart."]
    own = told["auc"].get(MODEL)
    if own is None:
        lines.append("- No answers yet to what it said of customers.")
    else:
        aucs = {words: told["auc"].get(name) for name, words in WORDS.items()}
        beside = ", ".join(f"{auc:.3f} {words}" for words, auc in aucs.items() if auc is not None)
        off = f"; the tenth farthest off by {told['miscalibration'] * 100:.1f} points"
        lines.append(f"- What versions said ranked customers with a ROC AUC of {own:.3f} (beside {beside}){off}.")
    return Group(Text(head), *map(Text, lines))


def draw_history(versions: Sequence[PropensityModel]) -> RenderableType:
    """A line a version."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("prediction", "version", "in force from", "answers", "AUC", *WORDS.values(), "worst tenth"):
        table.add_column(column, justify="left" if column in ("prediction", "in force from") else "right")
    for model in versions:
        told = as_json(model)
        figures = [told["auc"].get(name) for name in (MODEL, *WORDS)]
        table.add_row(
            told["prediction"],
            str(model.version),
            told["effective"][:19] + "Z",
            f"{model.learned:,}",
            *("" if auc is None else f"{auc:.3f}" for auc in figures),
            "" if told["miscalibration"] is None else f"{told['miscalibration']:.1%}",
        )
    return table
