"""Plans as machine code: compiled once for each content of definitions and code, kept in a cache folder.

Compiling takes seconds, a start from the cache less than one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding
import numba

import stream.events
import stream.features
import stream.plan
from stream.events import scan
from stream.kafka import framing
from stream.plan import earlier_rows, packing, telling, unpacking
from stream.plan.definitions import Definitions
from stream.plan.plan import Packing, Plan, make_plan, plan_source

#: What reading a damaged cache raises.
DAMAGED = (EOFError, pickle.UnpicklingError, ValueError, IndexError, KeyError, RuntimeError, SyntaxError)


def compile_plan(definitions: Definitions, cache: Path) -> Plan:
    """The plan whose kernels are machine code, from the cache where they were compiled before."""
    layout, inputs, source = plan_source(definitions)
    module = _load(f"plan_{_content(source)}", source, cache)
    return make_plan(definitions, layout, inputs, source, module, compile_packing(cache))


def compile_packing(cache: Path) -> Packing:
    """What packs rows and writes changes, as machine code: independent of definitions, but kept beside them.

    What reads rows of earlier releases is compiled when the first of them is met.
    """
    writing, reading, words, earlier = (_load(name, text, cache) for name, text in (*_packing(), _earlier()))
    return Packing(writing.pack, reading.unpack, reading.place, words.tell, words.latest, earlier.unpack)


def _packing() -> list[tuple[str, str]]:
    """Names and texts of the modules with the kernels that pack, and with those that tell."""
    parts = ((packing, ("pack",)), (unpacking, ("unpack", "place")), (telling, ("tell", "latest")))
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


def common_is_compiled(cache: Path) -> bool:
    """Whether the cache has the machine code that does not depend on definitions."""
    return all(any(cache.glob(f"__pycache__/{name}.*.nbc")) for name, _ in (_scan(), _framing(), *_packing()))


def _scan() -> tuple[str, str]:
    """Name and text of the module with the scan."""
    return _module(scan, ("scan",))


def _framing() -> tuple[str, str]:
    """Name and text of the module with the framing."""
    return _module(framing, ("frame",))


def _load(name: str, source: str, cache: Path) -> Any:
    """The module of this text, from a file in the cache, beside which numba keeps the machine code."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{name}.py"
    if not path.exists() or path.read_text(errors="replace") != source:
        draft = cache / f"{name}.{os.getpid()}.tmp"
        draft.write_text(source)
        draft.replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load the generated plan {path}")
    module = sys.modules.get(name) or importlib.util.module_from_spec(spec)
    if name not in sys.modules:
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module


def forget_plan(definitions: Definitions, cache: Path) -> None:
    """Remove what is kept of these definitions, and of all that is common, so that all are compiled anew."""
    _, _, source = plan_source(definitions)
    common = [name for name, _ in (_scan(), _framing(), _earlier(), *_packing())]
    for name in (f"plan_{_content(source)}", *common):
        sys.modules.pop(name, None)
        for file in (*cache.glob(f"{name}.*"), *cache.glob(f"__pycache__/{name}.*")):
            file.unlink(missing_ok=True)


def _content(source: str) -> str:
    """A hash of all that the machine code depends on: the text, the accumulators' code, numba, the processor."""
    digest = hashlib.blake2b(source.encode(), digest_size=12)
    for package in (stream.events, stream.features, stream.plan):
        for file in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            digest.update(file.read_bytes())
    digest.update(f"{numba.__version__} {sys.version} {llvmlite.binding.get_host_cpu_name()}".encode())
    return digest.hexdigest()
