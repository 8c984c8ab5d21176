"""Room for kept arrays: limits, disks that are full or slow, places that cannot be used."""

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_stores import AMPLE, entries, fetch, never, same, values

from kerasft.engine.store import Column, Kept, Store, StoreError


def test_more_than_the_limit(home: Path) -> None:
    with pytest.raises(StoreError) as raised:
        fetch(Store(home, 2 * 10**9), never, size=3_500_000_000)
    assert str(raised.value) == "3.5 GB are more than the limit of 2 GB; nothing was computed."
    assert not home.exists()


def _keys(home: Path) -> set[str]:
    return {json.loads((path / "index.json").read_text())["key"]["entry"] for path in entries(home)}


def _put(store: Store, name: str, **changes: Any) -> Kept:
    """An entry of exactly 1000 bytes."""
    columns = (Column(name="x", dtype="uint8", shape=(10,)),)

    def compute(part: range) -> Mapping[str, np.ndarray]:
        return {"x": np.full((len(part), 10), ord(name), "uint8")}

    time.sleep(0.02)  # so that times of use differ
    given = {"columns": columns, "examples": 100, "shard": 50, "size": 1000, "compute": compute, **changes}
    return fetch(store, given.pop("compute"), key={"entry": name}, **given)


def test_entries_not_used_for_longest_make_room(home: Path) -> None:
    store = Store(home, 3999)
    (home / "mine").mkdir(parents=True)  # the user's
    (home / "mine" / "0.bin").write_bytes(b"x" * 4000)
    for name in "abcabd":
        assert _put(store, name).note == ""
    (home / "mine" / "0.bin").unlink()
    (home / "mine").rmdir()
    assert _keys(home) == {"a", "b", "d"}
    assert _put(store, "a", compute=never).computed == 0
    _put(store, "e", size=2000)  # it takes 1000 in the end
    assert _keys(home) == {"a", "e"}
    assert _put(store, "f").computed == 100
    assert _keys(home) == {"a", "e", "f"}


def test_an_entry_that_is_being_filled_is_never_removed(home: Path) -> None:
    store, said = Store(home, 2999), []

    def compute(part: range) -> Mapping[str, np.ndarray]:
        _put(store, "b")
        _put(store, "c")
        assert "a" in _keys(home)
        with pytest.raises(StoreError) as raised:
            _put(store, "d", size=2000)
        said.append(str(raised.value))
        return {"x": np.zeros((len(part), 10), "uint8")}

    _put(store, "a", compute=compute)
    assert (
        said
        == [
            f"2e-06 GB are needed in {home}, and other runs are filling 1e-06 GB of the limit of 3e-06 GB; "
            "nothing was computed."
        ]
        * 2
    )
    assert _keys(home) == {"a"}


def test_arrays_stay_when_their_entry_is_removed(home: Path) -> None:
    kept = fetch(Store(home, AMPLE), values)
    _put(Store(home, 1000), "a")
    assert _keys(home) == {"a"}
    assert same(kept.arrays)


@contextmanager
def _small_disk(directory: Path, size: str) -> Iterator[None]:
    directory.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], capture_output=True)
    if done.returncode:
        pytest.skip("no permission to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def _megabytes(store: Store, name: str, count: int, size: int, compute: Callable | None = None) -> Kept:
    columns = (Column(name="x", dtype="uint8", shape=(1_000_000,)),)

    def ones(part: range) -> Mapping[str, np.ndarray]:
        return {"x": np.ones((len(part), 1_000_000), "uint8")}

    given = {"columns": columns, "examples": count, "shard": 1, "size": size * 1_000_000}
    return fetch(store, compute or ones, key={"entry": name}, **given)


def test_a_disk_that_is_full(home: Path) -> None:
    store = Store(home, AMPLE)
    with _small_disk(home, "6m"):
        _megabytes(store, "a", 2, 2)
        with pytest.raises(StoreError) as raised:
            _megabytes(store, "b", 8, 8, never)
        assert str(raised.value).startswith(f"0.009 GB are needed in {home}, where 0.004")
        assert _keys(home) == {"a"}  # removing it would not have been enough
        with pytest.raises(StoreError) as raised:
            _megabytes(store, "b", 8, 1)
        assert str(raised.value) == (
            f"Cannot use {home}: No space left on device; what was written of this is removed."
        )
        assert _keys(home) == {"a"}
        _megabytes(store, "c", 4, 4)
        assert _keys(home) == {"c"}


def test_a_file_that_may_not_grow(store: Store, home: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, hard))
    try:
        with pytest.raises(StoreError, match=r"File too large; what was written of this is removed\.$"):
            _megabytes(store, "a", 4, 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert entries(home) == []
    assert _megabytes(store, "a", 4, 4).computed == 4


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("{tmp}/file", "Not a directory"),
        ("{tmp}/file/store", "Not a directory"),
        ("/proc/no-such-process", "No such file or directory"),
    ],
)
def test_a_place_that_cannot_be_used(place: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    place = place.format(tmp=tmp_path)
    with pytest.raises(StoreError) as raised:
        fetch(Store(Path(place), AMPLE), never)
    assert str(raised.value) == f"Cannot use {place}: {says}."


@pytest.mark.parametrize("filled", [False, True])
def test_a_directory_without_permission(filled: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:  # pytest's own is closed to other users
        home = Path(directory)
        if filled:
            fetch(Store(home, AMPLE), values)
        home.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # root may write anywhere
        try:
            with pytest.raises(StoreError) as raised:
                fetch(Store(home, AMPLE), never)
        finally:
            if root:
                os.seteuid(0)
            home.chmod(0o755)
    assert str(raised.value) == f"Cannot use {home}: Permission denied."


def test_a_slow_disk_costs_time_and_nothing_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write reaches it late; what is waited for is the data themselves."""
    fsync, waited = os.fsync, []

    def late(file: int) -> None:
        time.sleep(0.02)
        waited.append(file)
        fsync(file)

    monkeypatch.setattr(os, "fsync", late)
    assert same(fetch(Store(home, AMPLE), values).arrays)
    assert waited
    monkeypatch.undo()
    assert same(fetch(Store(home, AMPLE), never).arrays)
