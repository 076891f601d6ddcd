"""Functions that are compiled each by itself, and called by kernels that were compiled without them.

What judges a dimension is such a part: a change of one definition compiles one part anew, and several processes compile
parts at once.  A kernel finds a part through a cell of memory that has its address, by the cell's name.  What all parts
are given lies in memory too: handing some hundred numbers over with every call would take longer than most calls do,
and long to compile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils as untyped_tools
from numba.core import types as untyped_types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

from stream.features.known_zone import BagsAndZones
from stream.features.pool import Bags
from stream.plan.header import Given, Models
from stream.plan.jit import WITHIN, Decorator

#: What numba has no types for.
tools: Any = untyped_tools
types: Any = untyped_types
typeof: Any = numba.typeof

_LINE, _LINE_OF_REALS = (typeof(np.zeros(1, kind)) for kind in (np.int64, np.float64))
_MATRIX, _MATRIX_OF_REALS = (typeof(np.zeros((1, 1), kind)) for kind in (np.int64, np.float64))
_POOL = (_MATRIX, _MATRIX, _LINE)
_BAGS = types.NamedTuple(_POOL, Bags)
_BAGS_AND_ZONES = types.NamedTuple((*_POOL, _MATRIX), BagsAndZones)
_CLUSTERS = (_LINE, _MATRIX_OF_REALS, _MATRIX_OF_REALS, typeof(np.zeros((1, 1, 1))))
_MODELS = types.NamedTuple((_LINE, _LINE, _LINE, _LINE, _MATRIX_OF_REALS, *_CLUSTERS, _MATRIX_OF_REALS), Models)
#: ``(what, given, i, now, n) -> (segment, until)``, see :meth:`stream.plan.judging.Judging.judged`.
_SIGNATURE: Signature = types.UniTuple(types.int64, 2)(*[types.int64] * 5)
#: The cells by their names; they stay where they are as long as the process lives.
_cells: dict[str, ctypes.c_int64] = {}

#: Makes a function a part: machine code that is kept beside its module's file.
part: Decorator = numba.njit(_SIGNATURE, cache=True, **WITHIN)


def connect(name: str, compiled: Any) -> None:
    """Have those who call the part of this name find it."""
    (found,) = compiled.overloads.values()
    _cell(name).value = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


def _cell(name: str) -> ctypes.c_int64:
    """The cell of the part of this name."""
    if name not in _cells:
        _cells[name] = ctypes.c_int64(0)
        llvmlite.binding.add_symbol(name, ctypes.addressof(_cells[name]))
    return _cells[name]


def called(name: str) -> Callable[..., Any]:
    """What kernels call instead of the part of this name, which must be connected before they run."""
    _cell(name)

    def emit(context: Any, builder: Any, own: Signature, arguments: Any) -> Any:
        module, convention = builder.module, context.call_conv
        if name not in module.globals:
            ir.GlobalVariable(module, ir.IntType(64), name).linkage = "external"
        kind = convention.get_function_type(own.return_type, own.args)
        function = builder.inttoptr(builder.load(module.globals[name]), kind.as_pointer())
        status, result = convention.call_function(builder, function, own.return_type, own.args, arguments)
        with tools.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result

    @intrinsic
    def call(context: Any, what: Any, given: Any, i: Any, now: Any, n: Any) -> Any:
        return _SIGNATURE, emit

    found: Callable[..., Any] = call
    return found


@intrinsic
def pointer(context: Any, given: Any) -> Any:
    """Where what parts are given lies in memory, until the caller returns."""

    def emit(context: Any, builder: Any, own: Signature, arguments: Any) -> Any:
        return builder.ptrtoint(tools.alloca_once_value(builder, arguments[0]), ir.IntType(64))

    return types.int64(given), emit


def _opened(bags: Any) -> Callable[..., Any]:
    """What gives back what :func:`pointer` was given, with this pool of bags."""
    kind = types.NamedTuple((_MATRIX, _MATRIX_OF_REALS, bags, _MODELS, _MATRIX, _MATRIX_OF_REALS), Given)

    @intrinsic
    def opened(context: Any, address: Any) -> Any:
        def emit(context: Any, builder: Any, own: Signature, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], context.get_value_type(kind).as_pointer())
            return _loaded(builder, place)

        return kind(types.int64), emit

    found: Callable[..., Any] = opened
    return found


def _loaded(builder: Any, place: Any) -> Any:
    """The value at a place, field by field: those that nobody asks for are not read."""
    kind = place.type.pointee
    if not isinstance(kind, ir.LiteralStructType | ir.IdentifiedStructType | ir.ArrayType):
        return builder.load(place)
    value = ir.Constant(kind, ir.Undefined)
    for k in range(len(kind)):
        value = builder.insert_value(value, _loaded(builder, tools.gep_inbounds(builder, place, 0, k)), k)
    return value


opened, opened_with_zones = _opened(_BAGS), _opened(_BAGS_AND_ZONES)
