"""Patterns of stream names, as in configurations."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def named_like(patterns: Iterable[str]) -> re.Pattern[str]:
    """Expression that matches whole names by any of the patterns; `*` stands for any text, also with `/` in it.

    >>> icu = named_like(["icu/*"])
    >>> [name for name in ("icu/1", "icu/a/1", "ICU/1", "north/icu/1") if icu.match(name)]
    ['icu/1', 'icu/a/1']
    """
    return re.compile("|".join(translate(pattern) for pattern in patterns))
