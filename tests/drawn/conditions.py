"""Conditions over drawn features: every form that the language has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.drawn.features import WORDS, Unit, durations

comparisons = st.sampled_from([">=", ">", "<=", "<", "==", "!="])
membership = st.sampled_from(["in", "not in"])
equality = st.sampled_from(["==", "!="])
small = st.sampled_from(["0", "1", "2", "3", "1.5", "-1"])
amounts = st.sampled_from(["0", "5", "12.5", "20"])
#: What a value of each unit is compared with.
LITERALS: dict[Unit, st.SearchStrategy[str]] = {
    Unit.COUNT: small,
    Unit.CAPPED: small,
    Unit.SHARE: st.sampled_from(["30%", "0.45", "77%"]),
    Unit.RATIO: st.sampled_from(["0.53", "0.5", "1", "2"]),
    Unit.RATE: st.sampled_from(["0.3", "0.77", "1", "1.9", "2.5"]),
    Unit.MONEY: amounts,
    Unit.MEAN: amounts,
    Unit.NUMBER: st.sampled_from(["0", "2.5", "18", "40.5"]),
    Unit.DURATION: durations,
    Unit.DAYS: st.sampled_from(["0d", "1d", "2d", "7d", "30d", "36h", "365d"]),
    Unit.HOURS: st.sampled_from(["0h", "1h", "3h", "23h"]),
}
#: The kinds of features that definitions live by, asked more often than others: their values move with time.
OFTEN = ("capped", "near", "ago", "gap", "rate")
#: Units whose values are reckoned with, and the literals that they are multiplied with.
RECKONED: dict[Unit, tuple[str, ...]] = {
    Unit.COUNT: ("2", "0.5", "-1", "3"),
    Unit.NUMBER: ("2", "0.5", "-1"),
    Unit.MONEY: ("2", "0.5"),
    Unit.DURATION: ("2", "3", "0.5", "1.3"),
    Unit.DAYS: ("2",),
    Unit.HOURS: ("2",),
}
parts = st.tuples(st.sampled_from(["top", "bottom"]), st.sampled_from([10, 25, 80])).map(lambda p: f"{p[0]} {p[1]}%")
tiles = st.sampled_from(["quartile", "quintile", "decile"])
#: How far the values of a word are spread, of which shares are taken; None: their cuts are not known.
SPREADS: dict[str, float | None] = {"n": 4.0, "ago": 60.0, "rate": 2.5, "spend": 40.0, "near": None, "weight": 9.0}


def cut_at(of: str, share: float, unit: int = 1) -> float | None:
    """The cut of a value at a share; unknown for one.  ``unit``: what a millisecond has become."""
    word = of.rstrip("0123456789")
    spread = SPREADS[word]
    return None if spread is None else spread * share * (unit if word == "ago" else 1)


@dataclass
class Conditions:
    """Draws the conditions of one dimension, and gathers the features that they ask.

    ``others``: the dimensions that they may speak of, with their segments; with ``past`` also of the segments before.
    """

    draw: st.DrawFn
    others: Mapping[str, Sequence[str]]
    past: bool
    #: The kinds of features that they may ask, and whether their values are reckoned with.
    words: Collection[str] = tuple(WORDS)
    reckon: bool = True
    features: dict[str, Any] = field(default_factory=dict)
    #: Whether a part of the customers, by a value, was asked.
    parted: bool = False

    def condition(self, depth: int = 2) -> str:
        """Comparisons joined by and, or, not."""
        shape = self.draw(st.integers(0, 5)) if depth else 0
        if shape < 3:
            return self.simple()
        if shape == 3:
            return f"(not {self.condition(depth - 1)})"
        return f"({self.condition(depth - 1)} {'and' if shape == 4 else 'or'} {self.condition(depth - 1)})"

    def simple(self) -> str:
        """One comparison."""
        forms: list[Callable[[], str]] = [
            *[self.plain] * 5,
            *([self.reckoned] * 4 if self.reckon else []),
            *[self.text] * 2,
            self.part,
            self.known,
            self.share,
        ]
        if self.others:
            forms += [self.segment] * 3
        form: Callable[[], str] = self.draw(st.sampled_from(forms))
        return form()

    # Values

    def feature(self, word: str) -> str:
        """A feature of that kind: one that is there, or a new one."""
        found = [name for name in self.features if name.rstrip("0123456789") == word]
        again = self.draw(st.booleans()) if found else False
        if again:
            return found[self.draw(st.integers(0, len(found) - 1))]
        name = f"{word}{len(found) + 1}"
        self.features[name] = WORDS[word].draw(self.draw)
        return name

    def value(self, *units: Unit) -> tuple[str, Unit]:
        """A view of some feature whose unit is one of these."""
        asked = [(word, view, unit) for word in self.words for view, unit in WORDS[word].views.items()]
        known = [one for one in asked if one[2] in units for _ in range(4 if one[0] in OFTEN else 1)]
        word, view, unit = self.draw(st.sampled_from(known))
        name = self.feature(word)
        return (f"{name}.{view}" if view else name), unit

    # Comparisons

    def plain(self) -> str:
        """A value and a literal, in either order, or between two."""
        name, unit = self.value(*LITERALS)
        op, literal = self.draw(comparisons), self.draw(LITERALS[unit])
        form = self.draw(st.integers(0, 6))
        if form == 0:
            return f"{literal} {op} {name}"
        if form == 1:
            return f"{literal} <= {name} < {self.draw(LITERALS[unit])}"
        if form == 2 and unit in (Unit.COUNT, Unit.NUMBER):
            return f"{name} {self.draw(membership)} ({literal}, 2)"
        return f"{name} {op} {literal}"

    def reckoned(self) -> str:
        """Values reckoned with."""
        op, form = self.draw(comparisons), self.draw(st.integers(0, 9))
        if form == 0:
            name, _ = self.value(Unit.RATE)
            return self.decaying(name, op)
        if form == 1:
            name, _ = self.value(Unit.SPREAD)
            return f"{name} / 10ms {op} 0.53"
        a, unit = self.value(*RECKONED)
        b, _ = self.value(unit)
        by, literal = self.draw(st.sampled_from(RECKONED[unit])), self.draw(LITERALS[unit])
        numeral = self.draw(small)
        if form == 2:
            number, _ = self.value(Unit.COUNT)
            scaled = f"{a} / {number} {op} {literal}"  # an amount is no number that a number can make
            return self.draw(
                st.sampled_from([scaled, scaled if unit is Unit.MONEY else f"{a} {op} {literal} * {number}"])
            )
        if form == 3 and unit in (Unit.COUNT, Unit.MONEY, Unit.NUMBER):
            return self.draw(st.sampled_from([f"sqrt({a}) {op} {numeral}", f"log1p({a}) {op} 1.2"]))
        forms = [
            f"{a} {op} {b}",
            f"{a} {op} {by} * {b}",
            f"{by} * {a} - {b} {op} {literal}",
            f"{a} + {b} {op} {literal}",
            f"{a} / {b} {op} {numeral}",
            f"-{a} {op} -{literal}" if not literal.startswith("-") else f"-{a} {op} {literal}",
            f"abs({a} / {b} - 1) {op} {numeral}",
        ]
        return self.draw(st.sampled_from(forms))

    def decaying(self, name: str, op: str) -> str:
        """A decaying rate, scaled by what stands still, or beside what moves too."""
        other, _ = self.value(Unit.COUNT, Unit.RATE)
        literal = self.draw(LITERALS[Unit.RATE])
        forms = [
            f"2 * {name} {op} {literal}",
            f"{literal} {op} {name} / 1.1",
            f"-{name} {op} -{literal}",
            f"{name} {op} {other}",
            f"{name} + {other} {op} {literal}",
            f"{name} * {other} {op} {literal}",
        ]
        return self.draw(st.sampled_from(forms))

    def text(self) -> str:
        """A text among others, or in a list."""
        name, unit = self.value(Unit.TEXT, Unit.TEXTS)
        texts = WORDS[name.rstrip("0123456789")].texts
        one, other = (self.draw(st.sampled_from(texts)) for _ in range(2))
        if unit is Unit.TEXTS:
            return f'"{one}" {self.draw(membership)} {name}'
        if self.draw(st.booleans()):
            return f'{name} {self.draw(membership)} ("{one}", "{other}")'
        return f'{name} {self.draw(equality)} "{one}"'

    def part(self) -> str:
        """A part of the customers, by a value."""
        self.parted = True
        name = self.feature(self.draw(st.sampled_from([word for word in SPREADS if word in self.words])))
        form, tile = self.draw(st.integers(0, 2)), self.draw(tiles)
        if form == 0:
            return f"{name} {self.draw(membership)} {self.draw(parts)}"
        if form == 1:
            return f"{tile}({name}) {self.draw(comparisons)} {self.draw(st.integers(2, 3))}"
        return f"{tile}({name}) {self.draw(membership)} (1, 3, 4)"

    def known(self) -> str:
        """Whether there is a value."""
        a, _ = self.value(*LITERALS, Unit.TEXT, Unit.TEXTS)
        unit = self.draw(st.sampled_from([Unit.COUNT, Unit.DURATION])) if self.reckon else Unit.COUNT
        b, _ = self.value(unit)
        c, _ = self.value(unit)
        return f"known({self.draw(st.sampled_from([a, f'{b} / {c}']))})"

    def share(self) -> str:
        """A random part of the customers."""
        name = self.draw(st.sampled_from(["x", "y", "z"]))
        return f'share("{name}") {self.draw(comparisons)} {self.draw(st.sampled_from(["10%", "50%", "0.75"]))}'

    def segment(self) -> str:
        """The segment of another dimension, the one before it, or since when it is."""
        name = self.draw(st.sampled_from(sorted(self.others)))
        segment, same = self.draw(st.sampled_from(list(self.others[name]))), self.draw(equality)
        forms = [
            f'segment.{name} {same} "{segment}"',
            f'segment.{name} {self.draw(membership)} ("{segment}", "{self.others[name][0]}")',
            f"known(segment.{name})",
        ]
        if self.past:
            ago, _ = self.value(Unit.DURATION)
            forms += [
                f'segment.{name}.before {same} "{segment}"',
                f"segment.{name}.since {self.draw(comparisons)} {self.draw(durations)}",
                f"{'2 * ' if self.reckon else ''}segment.{name}.since {self.draw(comparisons)} {ago}",
            ]
        return self.draw(st.sampled_from(forms))
