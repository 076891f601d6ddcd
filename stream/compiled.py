"""Plans as machine code: compiled once for each content of definitions and code, kept in a cache folder.

Compiling takes half a minute for the shipped catalogue, a start from the cache a second or two.  The function of each
dimension is compiled by itself (:mod:`stream.plan.parts`), and all of them beside the kernels by another process.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import inspect
import os
import pickle
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding
import numba

import stream.events
import stream.features
import stream.plan
from stream.events import scan
from stream.kafka import framing, unframing
from stream.plan import earlier_rows, finding, packing, telling, unpacking
from stream.plan.definitions import Definitions
from stream.plan.inputs import Inputs
from stream.plan.layout import Layout
from stream.plan.parts import connect
from stream.plan.plan import Finding, Packing, Plan, kernel_source, make_plan, part_sources, plan_source
from stream.plan.source import PART

#: What reading a damaged cache raises.
DAMAGED = (EOFError, pickle.UnpicklingError, ValueError, IndexError, KeyError, RuntimeError, SyntaxError)


def compile_plan(definitions: Definitions, cache: Path, first: Callable[[Plan], None] | None = None) -> Plan:
    """The plan whose kernels are machine code, from the cache where they were compiled before.

    ``first`` is called when the plan is there but for the functions of its dimensions, to compile kernels meanwhile
    that another process compiles these (:func:`part_files`); it must not have the kernels judge anybody.
    """
    layout, inputs, source = plan_source(definitions)
    parts = _parts(definitions, layout, inputs)
    module = _load(*_kernels(definitions, layout, inputs, parts), cache)
    plan = make_plan(definitions, layout, inputs, source, module, compile_packing(cache))
    if first is not None:
        first(plan)
    for name, text in parts.items():
        connect(name, getattr(_load_alone(name, text, cache), PART))
    return plan


def part_files(definitions: Definitions, cache: Path) -> list[str]:
    """Write the modules of the functions of the dimensions; the names of those that are not compiled yet."""
    layout, inputs, _ = plan_source(definitions)
    parts = _parts(definitions, layout, inputs)
    for name, text in parts.items():
        _write(name, text, cache)
    return [name for name in parts if not _is_compiled(name, cache)]


def compile_part(name: str, cache: Path) -> None:
    """Compile one of them into the cache, if it is not there."""
    if not _is_compiled(name, cache):
        _load_alone(name, (cache / f"{name}.py").read_text(), cache)


def _parts(definitions: Definitions, layout: Layout, inputs: Inputs) -> dict[str, str]:
    """Names and texts of the modules with the functions of the dimensions."""
    texts = part_sources(definitions, layout, inputs)
    return {f"part_{_content(text)}": text for text in texts}


def _kernels(definitions: Definitions, layout: Layout, inputs: Inputs, parts: Iterable[str]) -> tuple[str, str]:
    """Name and text of the module with the kernels."""
    text = kernel_source(definitions, layout, inputs, list(parts))
    return f"plan_{_content(text)}", text


def compile_packing(cache: Path) -> Packing:
    """What packs rows and writes changes, as machine code: independent of definitions, but kept beside them.

    What reads rows of earlier releases is compiled when the first of them is met.
    """
    writing, reading, words, found, earlier = (_load(name, text, cache) for name, text in (*_packing(), _earlier()))
    own = Finding(*(getattr(found, name) for name in Finding._fields))
    told = (words.assign, words.tell, words.latest)
    return Packing(writing.pack, reading.unpack, reading.place, *told, earlier.unpack, own)


def _packing() -> list[tuple[str, str]]:
    """Names and texts of the modules with the kernels that pack, with those that tell, and with those that find."""
    parts = (
        (packing, ("pack",)),
        (unpacking, ("unpack", "place")),
        (telling, ("assign", "tell", "latest")),
        (finding, Finding._fields),
    )
    return [_module(module, kernels) for module, kernels in parts]


def _earlier() -> tuple[str, str]:
    """Name and text of the module that reads rows of earlier releases."""
    return _module(earlier_rows, ("unpack",))


def _module(module: ModuleType, kernels: tuple[str, ...]) -> tuple[str, str]:
    """Name and text of a module in which these functions are machine code."""
    own = "".join(f"{name} = kernel({name})\n" for name in kernels)
    text = f"{inspect.getsource(module)}\n\nfrom stream.plan.jit import kernel\n\n{own}"
    return f"{module.__name__.rsplit('.', 1)[1]}_{_content(text)}", text


def compile_scan(cache: Path) -> Callable[..., int]:
    """What reads the usual events, as machine code: it does not depend on definitions either."""
    found: Callable[..., int] = _load(*_scan(), cache).scan
    return found


def compile_framing(cache: Path) -> Callable[..., tuple[int, int]]:
    """What writes records one behind the other for Kafka, as machine code: it does not depend on definitions either."""
    found: Callable[..., tuple[int, int]] = _load(*_framing(), cache).frame
    return found


def compile_unframing(cache: Path) -> Callable[..., int]:
    """What finds the records in what Kafka answers, as machine code, likewise."""
    found: Callable[..., int] = _load(*_unframing(), cache).unframe
    return found


def common_is_compiled(cache: Path) -> bool:
    """Whether the cache has the machine code that does not depend on definitions."""
    return all(_is_compiled(name, cache) for name, _ in (_scan(), _framing(), _unframing(), *_packing()))


def _is_compiled(name: str, cache: Path) -> bool:
    """Whether the cache has machine code of this module."""
    return any(cache.glob(f"__pycache__/{name}.*.nbc"))


def _scan() -> tuple[str, str]:
    """Name and text of the module with the scan."""
    return _module(scan, ("scan",))


def _framing() -> tuple[str, str]:
    """Name and text of the module with the framing."""
    return _module(framing, ("frame",))


def _unframing() -> tuple[str, str]:
    """Name and text of the module that undoes it."""
    return _module(unframing, ("unframe",))


def _write(name: str, source: str, cache: Path) -> Path:
    """The file of a module."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{name}.py"
    if not path.exists() or path.read_text(errors="replace") != source:
        draft = cache / f"{name}.{os.getpid()}.tmp"
        draft.write_text(source)
        draft.replace(path)
    return path


def _load_alone(name: str, source: str, cache: Path) -> Any:
    """The module, which is compiled while it is loaded, while no other process does the same."""
    with _write(name, source, cache).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return _load(name, source, cache)


def _load(name: str, source: str, cache: Path) -> Any:
    """The module of this text, from a file in the cache, beside which numba keeps the machine code."""
    path = _write(name, source, cache)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load the generated plan {path}")
    module = sys.modules.get(name) or importlib.util.module_from_spec(spec)
    if name not in sys.modules:
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return module


def forget_plan(definitions: Definitions, cache: Path) -> None:
    """Remove what is kept of these definitions, and of all that is common, so that all are compiled anew."""
    layout, inputs, _ = plan_source(definitions)
    parts = _parts(definitions, layout, inputs)
    common = [name for name, _ in (_scan(), _framing(), _unframing(), _earlier(), *_packing())]
    for name in (_kernels(definitions, layout, inputs, parts)[0], *parts, *common):
        sys.modules.pop(name, None)
        for file in (*cache.glob(f"{name}.*"), *cache.glob(f"__pycache__/{name}.*")):
            file.unlink(missing_ok=True)


def _content(source: str) -> str:
    """A hash of all that the machine code depends on: the text, and what :func:`_code` says."""
    return hashlib.blake2b(source.encode() + _code(), digest_size=12).hexdigest()


@lru_cache(maxsize=1)
def _code() -> bytes:
    """A hash of the accumulators' code, numba, the processor."""
    digest = hashlib.blake2b(digest_size=32)
    for package in (stream.events, stream.features, stream.plan):
        for file in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            digest.update(file.read_bytes())
    digest.update(f"{numba.__version__} {sys.version} {llvmlite.binding.get_host_cpu_name()}".encode())
    return digest.digest()
