"""Arrays that are computed once: what is kept and found again, by one process and by several, killed ones too."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from small_stores import (
    AMPLE,
    COLUMNS,
    EXAMPLES,
    PARTS,
    SHARD,
    Computing,
    contents,
    entries,
    fetch,
    never,
    same,
    values,
)

from kerasft.engine import store_index
from kerasft.engine.store import LENGTHS, Column, Store
from kerasft.errors import KerasftError


def test_it_is_computed_once_and_read_back_to_the_bit(store: Store, home: Path) -> None:
    computing = Computing()
    first = fetch(store, computing)
    assert (first.computed, first.note, computing.parts) == (EXAMPLES, "", PARTS)
    assert same(first.arrays)
    again = fetch(Store(home, AMPLE), never)
    assert (again.computed, again.note) == (0, "")
    assert same(again.arrays)


def test_arrays_are_aligned_to_pages_and_may_be_written_to(store: Store, home: Path) -> None:
    kept = fetch(store, values)
    before = contents(home)
    for array in kept.arrays.values():
        assert array.flags.writeable
        assert array.ctypes.data % os.sysconf("SC_PAGESIZE") == 0
        array[:] = 1
    assert contents(home) == before
    assert same(fetch(store, never).arrays)


def test_the_index_says_to_a_human_what_the_entry_is(store: Store, home: Path) -> None:
    fetch(store, values)
    about = json.loads((entries(home)[0] / "index.json").read_text())
    assert about["key"] == {"model": "a", "layers": [1, 2]}
    assert about["columns"][0] == {"name": "vec/tor", "dtype": "float32", "shape": [3], "ragged": False}
    assert about["size"] == sum(map(len, contents(home).values()))
    assert [shard[:2] for shard in about["shards"]] == [[part.start, part.stop] for part in PARTS]


@pytest.mark.parametrize(
    "change",
    [
        {"key": {"model": "b", "layers": (1, 2)}},
        {
            "columns": COLUMNS[:1] + COLUMNS[2:3],
            "compute": lambda part: {n: values(part)[n] for n in ("vec/tor", LENGTHS)},
        },
        {"examples": EXAMPLES - 1},
        {"shard": SHARD + 1},
    ],
    ids=["key", "columns", "examples", "shard"],
)
def test_another_key_is_another_entry(change: dict[str, Any], store: Store, home: Path) -> None:
    fetch(store, values)
    assert fetch(store, **{"compute": values, **change}).computed == change.get("examples", EXAMPLES)
    assert len(entries(home)) == 2
    assert same(fetch(store, never).arrays)


@pytest.mark.parametrize("examples", [0, 1, 2, SHARD, SHARD + 1])
def test_few_examples(examples: int, store: Store) -> None:
    assert fetch(store, values, examples=examples).computed == examples
    assert same(fetch(store, never, examples=examples).arrays, examples)


def test_ragged_columns_without_any_row(store: Store) -> None:
    def empty(part: range) -> Mapping[str, np.ndarray]:
        none = values(range(0))
        return {**values(part), LENGTHS: np.zeros(len(part), "int64"), "tokens": none["tokens"], "half": none["half"]}

    for compute in (empty, never):
        arrays = fetch(store, compute).arrays
        assert (arrays["tokens"].shape, arrays["half"].shape) == ((0,), (0, 2, 4))
        assert arrays["half"].dtype == ml_dtypes.bfloat16
        assert arrays["vec/tor"].shape == (EXAMPLES, 3)


def _fill_and_be_killed(home: Path, log: Path, garbage: bool) -> None:
    def compute(part: range) -> Mapping[str, np.ndarray]:
        if part == PARTS[3]:
            if garbage:  # as when it is killed while it writes a shard
                for path in entries(home)[0].glob("*.bin"):
                    with path.open("ab") as file:
                        file.write(b"\xff" * 1001)
                (entries(home)[0] / ".index.json.abcdef").write_text("{")
            log.write_text("killed")
            os.kill(os.getpid(), signal.SIGKILL)
        return values(part)

    fetch(Store(home, AMPLE), compute)


def _started(target: Callable[..., None], *arguments: object) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    return process


@pytest.mark.parametrize("garbage", [False, True], ids=["between", "within"])
def test_a_process_that_is_killed_leaves_a_valid_beginning(
    garbage: bool, store: Store, home: Path, tmp_path: Path
) -> None:
    process = _started(_fill_and_be_killed, home, tmp_path / "log", garbage)
    process.join()
    assert (process.exitcode, (tmp_path / "log").read_text()) == (-signal.SIGKILL, "killed")
    computing = Computing()
    kept = fetch(store, computing)  # `nobody` would hear if its lock were still held
    assert computing.parts == PARTS[3:]
    assert (kept.computed, kept.note) == (EXAMPLES - PARTS[3].start, "")
    assert same(kept.arrays)
    again = Store(home.with_name("whole"), AMPLE)
    fetch(again, values)
    assert contents(home) == contents(again.directory)  # nothing of the garbage is left
    assert not list(home.rglob(".*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "mine"), KerasftError("mine")], ids=repr)
def test_what_computing_raises_passes_through_and_finished_shards_stay(error: BaseException, store: Store) -> None:
    def compute(part: range) -> Mapping[str, np.ndarray]:
        if part == PARTS[2]:
            raise error
        return values(part)

    with pytest.raises(type(error)) as raised:
        fetch(store, compute)
    assert raised.value is error
    computing = Computing()
    assert same(fetch(store, computing).arrays)
    assert computing.parts == PARTS[2:]


def _fill_beside_another(home: Path, log: Path, answers: Any, ready: Any) -> None:
    said: list[str] = []

    def compute(part: range) -> Mapping[str, np.ndarray]:
        with log.open("a") as file:
            file.write("".join(f"{number}\n" for number in part))
        time.sleep(0.15)  # of 6 shards, which is longer than the other waits in silence
        return values(part)

    ready.wait()
    kept = fetch(Store(home, AMPLE), compute, tell=said.append)
    answers.put((kept.computed, kept.note, said, same(kept.arrays)))


def test_two_processes_compute_it_once(home: Path, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    answers, ready = spawn.Queue(), spawn.Barrier(2)
    both = [_started(_fill_beside_another, home, tmp_path / "log", answers, ready) for _ in range(2)]
    found = sorted(answers.get(timeout=60) for _ in both)
    for process in both:
        process.join()
    assert found == [
        (
            0,
            "waited for another run that computed the same",
            ["Waiting for another run that computes the same."],
            True,
        ),
        (EXAMPLES, "", [], True),
    ]
    assert (tmp_path / "log").read_text().split() == [str(number) for number in range(EXAMPLES)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": None}, r"Computed were the columns \['half', 'lengths', 'vec/tor'\], expected were \['half', "),
        ({"vec/tor": np.zeros((4, 3))}, r"'vec/tor' came as float64 \(4, 3\), expected was float32 \(4, 3\)"),
        (
            {"vec/tor": np.zeros((5, 3), "float32")},
            r"'vec/tor' came as float32 \(5, 3\), expected was float32 \(4, 3\)",
        ),
        ({"tokens": np.zeros(2, "int32")}, r"'tokens' came as int32 \(2,\), expected was int32 \(7,\)"),
        ({"vec/tor": [1]}, "'vec/tor' came as list, expected was a numpy array"),
        ({LENGTHS: np.array([8, -1, 0, 0])}, "'lengths' came with -1, expected were no negative numbers"),
    ],
)
def test_computing_something_else_is_an_error(change: dict[str, Any], says: str, store: Store) -> None:
    def compute(part: range) -> Mapping[str, np.ndarray]:
        return {name: array for name, array in {**values(part), **change}.items() if array is not None}

    with pytest.raises(ValueError, match=says):
        fetch(store, compute)
    assert fetch(store, values).computed == EXAMPLES


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (COLUMNS[:2], "'tokens' is ragged; that needs a column 'lengths'"),
        ((COLUMNS[0], COLUMNS[0]), "Columns of the same name"),
        ((Column(name=LENGTHS, dtype="int32", shape=()),), "must be of dtype int64"),
        ((Column(name="x", dtype="object", shape=()),), "cannot be kept in a file"),
    ],
)
def test_columns_that_make_no_sense(columns: tuple[Column, ...], says: str, store: Store) -> None:
    with pytest.raises(ValueError, match=says):
        fetch(store, never, columns=columns)


def test_a_file_larger_than_the_memory_can_be_mapped(tmp_path: Path) -> None:
    with Path("/proc/meminfo").open() as file:
        memory = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in file}
    size = memory["MemTotal"] + memory["SwapTotal"] + 2**30
    path = tmp_path / "sparse.bin"
    path.touch()
    os.truncate(path, size)
    array = store_index._map(path, np.dtype("uint8"), (size,))
    array[-1] = 1
    assert array[-1] == 1
    path.unlink()


def test_it_needs_no_tensorflow() -> None:
    source = "import sys, kerasft.engine.store; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source]).returncode == 0
