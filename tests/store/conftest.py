"""Stores of the test's own."""

from __future__ import annotations

import os

import pytest

from tocsin.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def reopened(tmp_path):
    """Open the same folder again, as after a crash: what was not committed is gone."""
    stores = []

    def reopen(before=None):
        if before is not None:
            before._closed = True  # noqa: SLF001  (a process that is killed closes nothing)
            before._aside.close()  # noqa: SLF001
            before._connection.close()  # noqa: SLF001
            os.close(before._lock)  # noqa: SLF001
        stores.append(Store.open(tmp_path / "store"))
        return stores[-1]

    yield reopen
    for opened in stores:
        opened.close()
