"""Let the C library keep memory between training steps instead of asking the system for it again.

On Linux, glibc hands every large block straight back to the system when it is freed, and each training step
then pays for millions of page faults. Keeping the blocks made fine-tuning at 256 tokens 2.2 times as fast on
two cores; the price is that the process stays as large as its largest step. So this is done where training begins and
for a prediction of more than :data:`MANY_TEXTS`, not when a model is loaded.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# parameters of mallopt(3)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


MANY_TEXTS = 500


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
