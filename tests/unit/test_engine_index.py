"""Rows by customer id: as a dictionary has them, whatever comes and goes."""

from __future__ import annotations

from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine import index as index_module
from stream.engine.index import Index
from stream.events.columns import CustomerIds
from stream.events.text import id_hash
from stream.plan import finding
from stream.plan.finding import FREE
from stream.plan.plan import PLAIN, Finding

COMPILED = Finding(*(numba.njit(getattr(finding, name)) for name in Finding._fields))
ids = st.binary(min_size=1, max_size=3) | st.integers(0, 60).map(b"customer-%d".__mod__)
#: Batches of customers, some of whom go again afterwards.
story = st.lists(st.tuples(st.lists(ids, max_size=40), st.lists(st.integers(0, 99), max_size=30)), max_size=8)


def met(index: Index, customers: list[bytes], free: list[int], known: dict[bytes, int]) -> None:
    """These customers come, and those who are new get the next rows."""
    columns = CustomerIds.of(customers)
    found = index.find(columns)
    assert found.rows.tolist() == [known.get(one, FREE) for one in customers]
    picks = np.flatnonzero(found.rows == FREE)
    fresh = np.array(free[: len(picks)], np.int64)
    origins = index.add(columns, found, picks, fresh)
    new = list(dict.fromkeys(one for one in customers if one not in known))
    assert [customers[k] for k in origins.tolist()] == new
    known.update(zip(new, free, strict=False))
    del free[: len(new)]
    assert found.rows.tolist() == [known[one] for one in customers]
    assert found.hashes.tolist() == [id_hash(one) for one in customers]


@pytest.mark.parametrize("kernels", [PLAIN.finding, COMPILED], ids=["plain", "compiled"])
@settings(max_examples=60, deadline=None)
@given(told=story)
def test_it_is_a_dictionary(kernels: Finding, told: list[tuple[list[bytes], list[int]]]) -> None:
    """In tables that are small and half full, where many meet in one place, and after any of them have gone."""
    least, waste = index_module.LEAST, index_module.LEAST_WASTE
    index_module.LEAST, index_module.LEAST_WASTE = 4, 16
    try:
        index, free, known = Index(kernels), list(range(1000)), dict[bytes, int]()
        for customers, gone in told:
            met(index, customers, free, known)
            rows = [row for row in known.values() if row in gone]
            index.remove(np.array(rows, np.int64))
            free[:0] = rows
            known = {one: row for one, row in known.items() if row not in gone}
            assert (dict(index), len(index)) == (known, len(known))
            assert [index.get(b"c-%d" % k) for k in range(3)] == [known.get(b"c-%d" % k) for k in range(3)]
    finally:
        index_module.LEAST, index_module.LEAST_WASTE = least, waste


def test_equal_hashes_are_not_equal_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids themselves decide."""
    monkeypatch.setattr(finding, "digest", lambda *_: 7)
    index, known = Index(PLAIN.finding), dict[bytes, int]()
    columns = CustomerIds.of([b"ann", b"bo", b"ann", b"bob"])
    found = index.find(columns)
    index.add(columns, found, np.arange(4), np.arange(4))
    assert found.rows.tolist() == [0, 1, 0, 2]
    assert known | dict(index) == {b"ann": 0, b"bo": 1, b"bob": 2}


def test_bytes_of_who_is_gone_are_used_again() -> None:
    """However many come and go, what is kept goes by who is there."""
    index = Index(COMPILED)
    for turn in range(60):
        columns = CustomerIds.of([b"%05d-%s" % (turn, b"x" * 900 + b"%d" % k) for k in range(20)])
        found = index.find(columns)
        index.add(columns, found, np.arange(20), np.arange(20))
        assert list(index) == list(columns)
        index.remove(np.arange(20))
    assert len(index) == 0
    assert index._used < 4 * 20 * 1000


def test_the_salt_is_another_one_in_another_process(tmp_path: Path) -> None:
    """So nobody can make ids that all begin at one place; and it is odd and has 31 bits, as the product demands."""
    import subprocess
    import sys

    tell = "from stream.engine.index import _SALT; print(_SALT)"
    salts = {subprocess.run([sys.executable, "-c", tell], capture_output=True, check=True).stdout for _ in range(3)}
    assert len(salts) > 1
    assert all(int(salt) % 2 == 1 and int(salt) < 1 << 31 for salt in salts)
