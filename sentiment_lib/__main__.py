"""``python -m sentiment_lib``: see :mod:`sentiment_lib.cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
