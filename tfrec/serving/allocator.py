"""How the C library hands out memory to the threads of a server."""

import ctypes
import os

# Of glibc's malloc.h.
_M_ARENA_MAX = -8
_ARENAS = 2


def use_few_arenas() -> None:
    """Lets all threads take memory from two arenas.

    glibc gives each thread an arena of its own, up to eight for a core, and
    what a request freed in one is not there for a request in another: a server
    of many threads would hold more and more free memory. To be called before
    there are threads. Does nothing where `MALLOC_ARENA_MAX` is set, and where
    the C library is another one.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_ARENA_MAX, _ARENAS)
