"""What marks the small functions that kernels call: plain Python, and in machine code a part of whoever calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba.extending import register_jitable

Function = TypeVar("Function", bound=Callable[..., Any])


def leaf(function: Function) -> Function:
    """A function that makes no arrays.

    So references to arrays that it is given need not be counted, which takes longer than what most of them do.
    """
    marked: Function = register_jitable(_nrt=False)(function)
    return marked
