"""Patterns of streams' names, as configurations write them."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def named_like(patterns: Iterable[str]) -> re.Pattern[str]:
    """What matches a whole name that is like one of these; `*` stands for any text, also one with `/` in it.

    >>> icu = named_like(["icu/*"])
    >>> [name for name in ("icu/1", "icu/a/1", "ICU/1", "north/icu/1") if icu.match(name)]
    ['icu/1', 'icu/a/1']
    """
    return re.compile("|".join(translate(pattern) for pattern in patterns))
