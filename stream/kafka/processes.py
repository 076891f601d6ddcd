"""Child processes that never outlive who started them (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: signal.Signals) -> None:
    """Ask the kernel to send this process that signal when the thread that started it ends."""
    if _libc.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def bound_to(parent: int) -> Callable[[], None]:
    """What a child runs between fork and exec so that it is killed when process ``parent`` is gone."""

    def prepare() -> None:
        die_with_parent(signal.SIGKILL)
        # The parent may have ended before the request took effect; then nobody would ever send the signal.
        if os.getppid() != parent:
            os._exit(1)

    return prepare
