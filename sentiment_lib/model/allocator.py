"""Let the C library keep memory between training steps instead of returning it to the system.

On Linux, glibc returns every large block to the system when it is freed, and each training step then pays for
many page faults. Keeping the blocks makes training about a tenth faster (benchmarks/RESULTS.md), but the process stays
as large as its largest step. So this is done when training begins, not when a model is loaded or predicts.
"""

import ctypes
import sys
from functools import cache

# parameters of mallopt(3)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


@cache
def keep_freed_memory() -> bool:
    """Tune glibc's malloc for this process; True if it accepted the settings, False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26))
    return all(mallopt(parameter, value) == 1 for parameter, value in wanted)
