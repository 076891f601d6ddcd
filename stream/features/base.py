"""The contract of an accumulator.

An accumulator owns a few 8-byte columns of a customer's row and three plain functions that numba accepts:

``fold(r, f, p, t, ...)``
    applies one event at instant ``t``; ``r`` is the row as int64, ``f`` the same bytes as float64, ``p`` the first of
    the accumulator's columns.  Events may come late: the result must not depend on the order of two events that differ
    in time.
``value(r, f, p, now, ...)``
    the feature at instant ``now`` as float64 (NaN: missing), or as int64 for text (``NO_TEXT``: missing); no writing.
``until(r, f, p, now, k, ...)``
    for values that move with time alone: the first instant after ``now`` at which ``value >= k``, or whether there is
    a value, may differ if no event comes; with ``k`` NaN, at which the value itself may differ.  ``FOREVER``: never.

Instants are int64 milliseconds since the epoch, durations int64 milliseconds, money int64 micros (exact in float64).
The constants that the functions take after the fixed arguments are given by :meth:`Accumulator.constants`: numbers, or
tables (:class:`Table`) such as the offsets of a time zone, which reach the functions as int64 arrays.  Instead of the
table of one zone, that of the zone which the row's customer names (:class:`stream.features.own_zone.OwnZone`).  What is
learned and published in versions (:class:`ModelNumbers`) reaches them as a float64 array.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stream.features.filter import Filter
from stream.features.own_zone import OwnZone

#: The instant of what never happened; far below any date, and safe to subtract from one.
NEVER = -(1 << 60)
#: The expiry of what does not change by itself.
FOREVER = 1 << 60
#: The hash that stands for "no text".
NO_TEXT = 0


class Kind(Enum):
    """The type of a feature's value, as the condition language sees it."""

    NUMBER = "number"
    DURATION = "duration"
    MONEY = "money"
    TEXT = "text"
    TEXTS = "texts"


class Shape(Enum):
    """How a value moves while nothing happens (design: truth has an expiry date)."""

    CONSTANT = "constant"  # only events change it
    LINEAR = "linear"  # grows by one millisecond a millisecond
    STEPS = "steps"  # jumps at instants that are known
    SMOOTH = "smooth"  # monotone between events, crosses a threshold once
    LOOKED = "looked"  # moves in a way whose crossings have no known form: looked at now and then


@dataclass(frozen=True, slots=True)
class Column:
    """One 8-byte column of the row: its name within the feature, its initial value, whether it holds a float64, whether
    it holds any 64 bits that nobody reads as a text or a number (a key), and whether it holds an instant times 32 and,
    added to it, a part of its date or time."""

    name: str
    initial: float
    real: bool = False
    bits: bool = False
    dated: bool = False


class Table(ABC):
    """Numbers worked out when a plan is made, which its functions look things up in: int64, of one or two dimensions.

    Two tables of one name hold the same numbers.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in a generated module: an identifier."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The expression that makes it there, ending in a comment with a digest of its numbers, so that machine code
        kept from before is not used with other ones."""

    @property
    @abstractmethod
    def module(self) -> str:
        """The module that the expression needs."""

    @abstractmethod
    def array(self) -> NDArray[np.int64]:
        """The numbers."""


@dataclass(frozen=True, slots=True)
class ModelNumbers:
    """Numbers of a model that is published in versions (``kind``: which one), by their names, in this order; ``of``:
    what it must have been learned from, where it says so itself.

    ``value`` and ``until`` take them as one float64 array, of the version that the row is judged by; a new version
    costs no compiling.  All are NaN, and so must be what follows from them, until there is a version that has them all.
    """

    kind: str
    names: tuple[str, ...]
    of: str = ""


#: What ``fold``, ``value`` and ``until`` take after the fixed arguments; of an own zone the table of the row's zone.
#: A ``fold`` takes no numbers of a model: what a row holds does not depend on what was learned.
Constant = float | Table | OwnZone | ModelNumbers


def arguments(
    constants: Iterable[Constant],
    own: Callable[[OwnZone], NDArray[np.int64]] | None = None,
    model: Callable[[ModelNumbers], NDArray[np.float64]] | None = None,
) -> tuple[Any, ...]:
    """Constants as the functions take them; ``own`` gives the table of a row's own zone, ``model`` the numbers of the
    version that it is judged by (None: of none)."""

    def argument(constant: Constant) -> Any:
        match constant:
            case Table():
                return constant.array()
            case OwnZone() if own is not None:
                return own(constant)
            case ModelNumbers():
                return np.full(len(constant.names), np.nan) if model is None else model(constant)
        return constant

    return tuple(argument(constant) for constant in constants)


@dataclass(frozen=True, slots=True)
class View:
    """One value that a feature offers to conditions; most features have just one, called ``""``.

    Of several texts (``TEXTS``) the value is how many there are (NaN: missing), and ``has(r, f, p, now, text, ...)``
    tells whether the text with that hash is among them.  A text of the shape STEPS needs
    ``until`` too (its ``k`` is always NaN).  ``of_population(r, f, p, now, ...)`` tells whether a value that was
    predicted says more of all customers than of this one.

    A value that falls between events, and is dear to work out, has ``near(r, f, p, now, k, x, ...)`` too: with its
    value ``x >= k`` now, an instant after now that is at most that of ``until``, and is that one where it is less than
    a day away.
    """

    kind: Kind
    shape: Shape
    value: Callable[..., Any]
    until: Callable[..., Any] | None = None
    has: Callable[..., Any] | None = None
    of_population: Callable[..., Any] | None = None
    near: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one event name does to a feature: the fold, what it reads from the event, and constant arguments.

    ``reads`` says what the fold takes after the instant:

    - None: nothing;
    - ``"number"`` (micros for money), ``"text"`` (a hash): the property in ``path``; of ``products.PROPERTY`` that of
      each product, one fold after the other; ``"text"`` also of ``time.hour``, ``time.weekday``, ``time.month``,
      ``time.day`` (in ``zone``), ``event``, and ``=TEXT`` for a text that stands in the definition;
    - ``"key"``: the hash of a text that is only ever compared with others of its kind, such as an order's id: no name
      of it is kept;
    - ``"texts"``: the hashes of a list in an array of ``LONGEST_LIST``, ascending, filled up with ``NO_TEXT``; one that
      is empty has ``EMPTY_LIST`` (:mod:`stream.events.properties`);
    - ``"instant"``: a time, as milliseconds in a float64; ``"date"``: a calendar date as it is written, in days since
      1970-01-01;
    - ``"items"``: the pool of bags, the row's number and the products of the event (:mod:`stream.features.bag`).
    """

    fold: Callable[..., Any]
    reads: str | None = None
    path: str = ""
    constants: tuple[Constant, ...] = ()
    where: Filter | None = None
    #: Whether a filter on the feature concerns this event.
    filtered: bool = True
    zone: Table | OwnZone | None = None
    #: Further (kind, property) that are read beside it.
    also: tuple[tuple[str, str], ...] = ()
    #: The book that it goes by (:mod:`stream.features.orders`, which says when ``opens``, ``fold`` and ``closes`` are
    #: called; nothing of it where there is no ``opens``); ``reads`` None: the fold is given 1, and only for orders.
    orders: Accumulator | None = None
    opens: Callable[..., Any] | None = None
    closes: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Purchases:
    """Where a feature keeps what lifetimes are learned from: the numbers of its own columns.

    Parameters
    ----------
    of
        What purchases are, in this population: the same for all features that count the same ones.
    count, first, last
        How many there were, and the instants (ms) of the first and the last.
    worth
        What those after the first are worth together (micros, a real column); None where that is not kept.
    """

    of: str
    count: int
    first: int
    last: int
    worth: int | None = None


class Accumulator(ABC):
    """A feature as declared: it knows its columns, what each event does to it, and how it is read."""

    #: The word that selects it in YAML.
    word: ClassVar[str]

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The columns it owns, in order."""

    @abstractmethod
    def reactions(self) -> dict[str, Reaction]:
        """Event name -> what it does."""

    @abstractmethod
    def views(self) -> dict[str, View]:
        """The values it offers; the main one is ``""``."""

    def constants(self) -> tuple[Constant, ...]:
        """What is passed to ``value`` and ``until`` after the fixed arguments."""
        return ()

    def book(self) -> Accumulator | None:
        """The book that it goes by, which the row holds beside it: the book's first column comes before the constants
        wherever these are passed."""
        return None

    def purchases(self) -> Purchases | None:
        """What lifetimes are learned from, where it keeps that (:mod:`stream.predict`)."""
        return None

    def identity(self) -> str:
        """What it is, apart from how much of it is kept: a new layout takes over columns of the same identity."""
        return repr(self)

    def needs_threshold(self) -> bool:
        """Whether the state is bounded by the greatest count that conditions ask for (see :meth:`with_threshold`)."""
        return False

    def counts_to(self) -> int | None:
        """The greatest count that it can tell, where that is limited."""
        return None

    def with_threshold(self, k: int) -> Accumulator:
        """The same feature, able to answer ``value >= k`` for every k up to this one."""
        return self


def books(accumulator: Accumulator) -> Iterator[Accumulator]:
    """The book that a feature goes by, the one that this goes by, and so on."""
    book = accumulator.book()
    while book is not None:
        yield book
        book = book.book()
