"""How the process deals with memory that is freed and taken again at every batch."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""
_LARGEST = 2**31 - 1
_KEPT = 2**30
"""Bytes; a larger block goes back to the system when it is freed."""


def keep_freed_memory() -> None:
    """Tells glibc's allocator, for the whole process, to hold freed blocks of up to 1 GiB.

    Otherwise every large tensor of every batch is new to the process, and the system fills its
    pages with zeros first, which takes a tenth of the time. Does nothing where another allocator is
    at work.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _LARGEST)
        mallopt(_MMAP_THRESHOLD, _KEPT)
