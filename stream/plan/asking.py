"""The generated functions of predictions: what each is learned from, what it says, and when whom is asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream.features import propensity
from stream.features.base import Accumulator, Constant
from stream.features.predicted import without_learning
from stream.features.propensity import Propensity
from stream.plan.conditions import rest
from stream.plan.layout import Layout


@dataclass(frozen=True)
class Asking:
    """Writes them; ``function`` and ``constant`` as in `stream.plan.conditions.Writer`."""

    layout: Layout
    function: Callable[[Callable[..., object]], str]
    constant: Callable[[Constant], str]

    def functions(self) -> list[str]:
        """What the other functions call: of each prediction, then of all."""
        return [*map(self.chance, self.layout.predictions), self.next_asked(), self.ask()]

    def read(self, accumulator: Accumulator, view: str = "") -> str:
        """Source of a feature's value at ``now``."""
        value = self.function(accumulator.views()[view].value)
        at = self.constant(self.layout.base[accumulator])
        return f"{value}(r, f, {at}, now{rest(accumulator, self.layout.base.__getitem__, self.constant)})"

    def inputs(self, prediction: Propensity) -> list[str]:
        """Sources of what it is learned from."""
        values = [(self.read(one.feature, one.view), one.odds) for one in prediction.inputs]
        return [f"{self.function(propensity.log_odds)}({value})" if odds else value for value, odds in values]

    def chance(self, prediction: Propensity) -> str:
        """``chance_NAME``: the probability, by the version that the row is judged by."""
        inputs = self.inputs(prediction)
        d, (numbers,) = self.constant(len(inputs)), prediction.constants()
        weighed, lacking = self.function(propensity.weighed), self.function(propensity.lacking)
        lines = ["@jit", f"def {prediction.function}(r, f, bags, models, now):"]
        lines += [f"    numbers = {self.constant(numbers)}", "    odds = numbers[0]", "    if odds != odds:"]
        lines += ["        return NAN"]
        lines += [f"    x{k} = {value}" for k, value in enumerate(inputs)]
        for term in (weighed, lacking):
            lines += [f"    odds += {term}(x{k}, {self.constant(k)}, {d}, numbers)" for k in range(len(inputs))]
        return "\n".join([*lines, f"    return {self.function(propensity.chance)}(odds, {d}, numbers)", ""])

    def next_asked(self) -> str:
        """``next_asked``: when the customer is asked about next, by any prediction."""
        lines = ["@jit", "def next_asked(r, now):", "    u = FOREVER"]
        for one in self.layout.predictions:
            asked, within = f"r[{self.layout.base[one]}]", self.constant(one.within)
            turn = f"{self.function(propensity.next_turn)}(r[CUSTOMER], now, {asked}, {within})"
            lines.append(f"    u = earlier(u, {turn})  # {one.name!r}")
        return "\n".join([*lines, "    return u", ""])

    def ask(self) -> str:
        """``ask``: a question of each prediction whose turn it is."""
        lines = [
            "@jit",
            "def ask(table, bags, models, i, now, out):",
            "    r = table.ints[i]",
            "    f = table.floats[i]",
        ]
        for number, one in enumerate(self.layout.predictions):
            asked, within = f"r[{self.layout.base[one]}]", self.constant(one.within)
            lines += [f"    if now % {within} == r[CUSTOMER] % {within} and now > {asked}:  # {one.name!r}"]
            lines += [f"        {asked} = now", "        touch(table, i)", "        n = table.counters[ASKED]"]
            said = f"{one.function}(r, f, bags, models, now)"
            judges = [self.read(judge) for judge in without_learning(one.of, one.within, self.layout.base)]
            values = [*self.inputs(one), said, *(judges or ["NAN", "NAN"]), self.read(one.since)]
            lines += [f"        out.questions[n, {k}] = {value}" for k, value in enumerate(values)]
            lines += [f"        out.asked[n, {k}] = {value}" for k, value in enumerate(("i", "now", str(number)))]
            lines += ["        table.counters[ASKED] = n + 1"]
        return "\n".join([*lines, ""])
