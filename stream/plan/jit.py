"""What ``@jit`` and ``@kernel`` mean to a generated module: nothing in the twin, numba when it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return function


#: A constant argument: of a type alone, not of a type and a value.
constant = np.int64


def whole(value: int) -> int:
    """A constant in the twin."""
    return value


def same(value: Any) -> Any:
    """What lies where, in the twin."""
    return value


#: Of every function but the kernels; compiled as part of the kernel that calls it.  Nobody calls it from Python, so the
#: code for that, a third of the time to compile a plan, is not made.
#: Nor does it make arrays, so that none are counted.
WITHIN: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
jit: Decorator = numba.njit(**WITHIN)
#: The same of a function that many modules call: compiled once for all of them.
shared: Decorator = lru_cache(maxsize=None)(jit)
#: The same, as part of the caller.
inlined: Decorator = numba.njit(inline="always", **WITHIN)
#: Of what the engine calls: its machine code is kept beside the module's file; other threads run meanwhile.
kernel: Decorator = numba.njit(cache=True, nogil=True)
