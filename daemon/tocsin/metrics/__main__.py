"""`python -m tocsin.metrics`: print docs/metrics.md."""

import sys

from tocsin.metrics.page import page

if __name__ == "__main__":
    sys.stdout.write(page())
