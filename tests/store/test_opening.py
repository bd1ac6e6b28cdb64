"""Files that a folder may hold, and what a user reads about them."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys

import pytest
from alarm_events import event

from tocsin.store import AlarmLogQuery, Store, StoreError
from tocsin.store.schema import FORMAT, MIGRATIONS
from tocsin.store.store import read_history


def filled(folder, count=2000):
    with Store.open(folder) as store:
        store.commit([], [event(id=number, reason="x" * 200) for number in range(1, count + 1)])
        return store.file


def refused(folder):
    with pytest.raises(StoreError) as refusal:
        Store.open(folder)
    return refusal.value


def test_the_files_are_readable_to_their_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        with Store.open(tmp_path / "var" / "store") as store:
            store.commit([], [event()])
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in store.file.parent.iterdir()}
            assert stat.S_IMODE(store.file.parent.stat().st_mode) == 0o700
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("lock", "tocsin.db", "tocsin.db-shm", "tocsin.db-wal"), 0o600)


def test_a_second_daemon_is_refused_and_the_folder_is_free_after_a_crash(tmp_path):
    program = (
        "import sys, time, pathlib; from tocsin.store import Store; s = Store.open(pathlib.Path(sys.argv[1])); "
        "print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "open\n"
            error = refused(tmp_path)
            assert str(error) == f"store.folder {tmp_path} is in use by another daemon (process {holder.pid})"
            assert error.remedy == "end it, or give each daemon a folder of its own"
        finally:
            holder.kill()
    Store.open(tmp_path).close()


def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path):
    file = filled(tmp_path)
    with sqlite3.connect(file) as other:
        other.execute(f"PRAGMA user_version = {FORMAT + 1}")
        other.execute("UPDATE written_by SET version = '7.3.0'")
    other.close()
    before = file.read_bytes()
    error = refused(tmp_path)
    assert str(error) == f"{file} has format {FORMAT + 1}, written by Tocsin 7.3.0; this one reads up to {FORMAT}"
    assert error.remedy == "run that Tocsin or a later one, or set store.folder to another folder"
    assert file.read_bytes() == before


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_from_before_the_first_format_is_refused_with_what_shows_its_log(tmp_path, version):
    file = filled(tmp_path, count=3)
    with sqlite3.connect(file) as other:
        other.execute(f"PRAGMA application_id = {0x746F6373}")
        other.execute(f"PRAGMA user_version = {version}")
    other.close()
    before = file.read_bytes()
    error = refused(tmp_path)
    assert str(error) == f"{file} was written by a Tocsin before store format 1; this Tocsin reads format {FORMAT}"
    assert f"move the folder {tmp_path} aside" in error.remedy
    assert error.remedy.endswith('"SELECT body FROM event ORDER BY id"')
    with pytest.raises(StoreError, match="before store format 1"):
        read_history(file, AlarmLogQuery())
    assert file.read_bytes() == before


def test_a_database_of_another_program_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "tocsin.db") as other:
        other.execute("CREATE TABLE recipes(name)")
    other.close()
    assert "is a database, but not Tocsin's" in str(refused(tmp_path))


@pytest.mark.parametrize("damage", ["no database at all", "pages overwritten", "cut short"])
def test_a_damaged_file_is_refused_with_the_remedy_and_left_as_it_is(tmp_path, damage):
    file = filled(tmp_path)
    body = bytearray(file.read_bytes())
    if damage == "no database at all":
        body[:100] = b"x" * 100
    elif damage == "pages overwritten":
        body[8192 : len(body) // 2] = os.urandom(len(body) // 2 - 8192)
    else:
        del body[len(body) // 2 :]
    file.write_bytes(body)
    error = refused(tmp_path)
    assert str(error).startswith(f"{file} is damaged (")
    assert ".recover" in error.remedy
    assert file.read_bytes() == bytes(body)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    error = refused(tmp_path / "file" / "store")
    assert str(error) == f"store.folder {tmp_path / 'file' / 'store'} can't be used (Not a directory)"


def test_a_file_of_an_older_format_is_migrated_at_the_start(tmp_path, monkeypatch):
    file = filled(tmp_path, count=3)
    with sqlite3.connect(file) as other:  # a format 0 that never was
        other.execute("PRAGMA user_version = 0")
        other.execute("ALTER TABLE written_by RENAME TO writer")
    other.close()
    with pytest.raises(StoreError, match="has format 0, written by Tocsin of an unknown version"):
        Store.open(tmp_path)
    monkeypatch.setattr(
        "tocsin.store.schema.MIGRATIONS",
        {0: lambda connection: connection.execute("ALTER TABLE writer RENAME TO written_by")},
    )
    with Store.open(tmp_path) as store:
        assert len(store.history(AlarmLogQuery())) == 3
    monkeypatch.undo()
    Store.open(tmp_path).close()  # it is of format 1 now


def test_a_migration_that_fails_leaves_the_file_as_it_is(tmp_path, monkeypatch):
    file = filled(tmp_path, count=3)
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version = 0")
    other.close()

    def fail(connection):
        connection.execute("DROP TABLE journal")
        raise RuntimeError

    monkeypatch.setattr("tocsin.store.schema.MIGRATIONS", {0: fail})
    with pytest.raises(RuntimeError):
        Store.open(tmp_path)
    monkeypatch.setattr("tocsin.store.schema.MIGRATIONS", {0: lambda _: None})
    with Store.open(tmp_path) as store:
        assert list(store.journal(0)) == []


def test_migrations_lead_from_every_format_to_the_present_one():
    assert MIGRATIONS.keys() == set(range(1, FORMAT))


def test_a_backup_while_it_is_written_is_whole(tmp_path):
    with Store.open(tmp_path / "store") as store:
        store.commit([], [event(id=1)])
        (tmp_path / "backup").mkdir()
        with sqlite3.connect(store.file) as source, sqlite3.connect(tmp_path / "backup" / "tocsin.db") as target:
            source.backup(target)
        source.close()
        target.close()
        store.commit([], [event(id=2)])
    with Store.open(tmp_path / "backup") as backup:
        assert [found.id for found in backup.history(AlarmLogQuery())] == [1]
