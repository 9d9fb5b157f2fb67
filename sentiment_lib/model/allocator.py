"""Let the C library keep memory between training steps instead of asking the system for it again.

On Linux, glibc returns every large block to the system when it is freed, and each training step then pays for
many page faults. Keeping them makes training about a tenth faster (benchmarks/RESULTS.md); the price is a process that
stays as large as its largest step. So it is done where training begins, and not when a model is loaded or predicts.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# parameters of mallopt(3)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


@cache
def keep_freed_memory() -> bool:
    """Tune glibc's malloc for this process; True when it took the settings, False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26))
    return all(mallopt(parameter, value) == 1 for parameter, value in wanted)
