"""The model of lifetimes for people: what its parameters mean, and how they went from version to version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.events.instant import iso
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.words import DAY, sentences, warnings


def as_json(model: LifetimeModel, currency: str) -> dict[str, Any]:
    """All that is known of a version; times in days, money in units of the currency."""
    spend = model.spend
    return {
        "kind": "lifetimes",
        "version": model.version,
        "effective": iso(model.effective),
        "learned_at": iso(model.learned_at),
        "customers": model.customers,
        "repeat_buyers": model.repeat_buyers,
        "r": model.r,
        "alpha": model.alpha / DAY,
        "a": model.a,
        "b": model.b,
        "log_likelihood": model.log_likelihood,
        "value": None
        if spend is None
        else {
            "p": spend.p,
            "q": spend.q,
            "gamma": spend.gamma / 1e6,
            "order_value": spend.population_mean / 1e6,
            "currency": currency,
            "spenders": model.spenders,
            "correlation": model.correlation,
            "log_likelihood": model.spend_log_likelihood,
        },
        "unknown": list(model.unknown),
        "words": sentences(model, currency),
        "warnings": warnings(model),
    }


def draw_lifetime(model: LifetimeModel, currency: str) -> RenderableType:
    """What a version says."""
    head = (
        f"lifetimes, version {model.version} since {iso(model.effective)}, fitted to {model.customers:,.0f} customers "
        f"as of {iso(model.learned_at)}, of whom {model.repeat_buyers:,.0f} bought again"
    )
    lines = [Text(f"- {sentence}") for sentence in sentences(model, currency)]
    if model.spend is not None:
        said = f"- How often customers buy and what their orders are worth: correlation {model.correlation:+.2f}."
        lines.append(Text(said))
    return Group(Text(head), *lines, *(Text(f"mind: {warning}", style="yellow") for warning in warnings(model)))


def draw_history(versions: Sequence[LifetimeModel], currency: str) -> RenderableType:
    """A line a version."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("version", justify="right")
    table.add_column("in force from")
    for column in ("customers", "again", "r", "alpha, d", "a", "b", f"order, {currency}", "corr."):
        table.add_column(column, justify="right")
    table.add_column("mind")
    for model in versions:
        spend = model.spend
        table.add_row(
            str(model.version),
            iso(model.effective)[:19] + "Z",
            f"{model.customers:,.0f}",
            f"{model.repeat_buyers:,.0f}",
            *(f"{value:.3g}" for value in (model.r, model.alpha / DAY, model.a, model.b)),
            "" if spend is None else f"{spend.population_mean / 1e6:,.2f}",
            "" if spend is None else f"{model.correlation:+.2f}",
            f"{len(warnings(model))} to mind" if warnings(model) else "",
        )
    return table
