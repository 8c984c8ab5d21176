"""Arrays that are computed once: with real files, real processes that are killed, and disks that are really full.

Examples are numbered; everything that is computed for one follows from its number.
"""

import errno
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import kerasft
from kerasft.engine import store_index
from kerasft.engine.store import LENGTHS, Column, Kept, Store, StoreError
from kerasft.errors import KerasftError

COLUMNS = (
    Column(name="vec/tor", dtype="float32", shape=(3,)),
    Column(name="tokens", dtype="int32", shape=(), ragged=True),
    Column(name=LENGTHS, dtype="int64", shape=()),
    Column(name="half", dtype="bfloat16", shape=(2, 4), ragged=True),
)
EXAMPLES, SHARD = 23, 4
PARTS = [range(start, min(start + SHARD, EXAMPLES)) for start in range(0, EXAMPLES, SHARD)]
AMPLE = 10**9


def values(part: range) -> dict[str, np.ndarray]:
    """Every fifth example has no ragged rows."""
    lengths = np.array([number * 7 % 5 for number in part], "int64")
    rows = np.repeat(np.array(part), lengths)
    return {
        LENGTHS: lengths,
        "tokens": rows.astype("int32") * 1000 + 1,
        "vec/tor": np.array([[number, -number, number / 7] for number in part], "float32").reshape(-1, 3),
        "half": (rows[:, None, None] / 3 + np.arange(8).reshape(2, 4)).astype(ml_dtypes.bfloat16),
    }


class Computing:
    """`values`, counted."""

    def __init__(self) -> None:
        self.parts: list[range] = []

    def __call__(self, part: range) -> Mapping[str, np.ndarray]:
        self.parts.append(part)
        return values(part)


def never(part: range) -> Mapping[str, np.ndarray]:
    raise AssertionError(f"{part} was computed again")


def nobody(line: str) -> None:
    raise AssertionError(f"said: {line}")


def fetch(store: Store, compute: Callable[[range], Mapping[str, np.ndarray]], **changes: Any) -> Kept:
    given: dict[str, Any] = {"key": {"model": "a", "layers": (1, 2)}, "columns": COLUMNS, "examples": EXAMPLES}
    given |= {"shard": SHARD, "size": 10_000, "compute": compute, "tell": nobody, **changes}
    return store.fetch(given.pop("key"), given.pop("columns"), given.pop("examples"), **given)


def same(arrays: Mapping[str, np.ndarray], examples: int = EXAMPLES) -> bool:
    wanted = values(range(examples))
    return list(arrays) == [column.name for column in COLUMNS] and all(
        (array.dtype, array.shape) == (wanted[name].dtype, wanted[name].shape)
        and array.tobytes() == wanted[name].tobytes()
        for name, array in arrays.items()
    )


def entries(home: Path) -> list[Path]:
    return sorted(path for path in home.iterdir() if path.is_dir())


def contents(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in entries(home)[0].glob("*.bin")}


@pytest.fixture
def home() -> Iterator[Path]:
    """In memory where the system has that: on a busy disk, the thousands of calls of fsync here take half a minute."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory) / "store"


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home, AMPLE)


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


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


@pytest.mark.parametrize("column", range(len(COLUMNS)))
@pytest.mark.parametrize("damage", ["flip", "cut", "half", "missing"])
def test_damage_is_found_and_only_that_is_computed_again(damage: str, column: int, store: Store, home: Path) -> None:
    fetch(store, values)
    before = contents(home)
    path = entries(home)[0] / f"{column}.bin"
    if damage == "flip":
        place = int(np.random.default_rng().integers(len(before[path.name]) * 8))
        _flip(path, place)
        counts, expected = {1}, f"bit {place} of column {column}"
    elif damage == "missing":
        path.unlink()
        counts, expected = {len(PARTS)}, "all"
    else:
        size = len(before[path.name])
        os.truncate(path, size - 1 if damage == "cut" else size // 2)
        counts, expected = ({1} if damage == "cut" else {3, 4}), "the last"
    computing = Computing()
    kept = fetch(store, computing)
    count = len(computing.parts)
    assert count in counts, expected
    assert kept.computed == sum(map(len, computing.parts))
    assert kept.note == f"{count} of 6 shards of the cache were damaged and were computed again"
    assert same(kept.arrays)
    assert contents(home) == before
    assert fetch(store, never).note == ""


def test_any_flipped_bit_of_the_index_is_survived(store: Store, home: Path) -> None:
    """It may strike the text that is there for humans; whatever it strikes, no wrong array comes out."""
    fetch(store, values, shard=12)
    index = entries(home)[0] / "index.json"
    random = np.random.default_rng()
    notes = set()
    for place in random.integers(index.stat().st_size * 8, size=30):
        _flip(index, int(place))
        kept = fetch(store, values, shard=12)
        assert same(kept.arrays), place
        notes.add(kept.note)
    assert "the index of the cache was damaged: computed again" in notes
    assert len(entries(home)) == 1


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("", "the index of the cache was damaged: computed again"),
        ("[]", "the index of the cache was damaged: computed again"),
        (None, "the index of the cache was missing: computed again"),
    ],
)
def test_without_its_index_an_entry_is_made_anew(text: str | None, note: str, store: Store, home: Path) -> None:
    old = fetch(store, values)
    index = entries(home)[0] / "index.json"
    index.unlink() if text is None else index.write_text(text)
    kept = fetch(store, values)
    assert (kept.computed, kept.note) == (EXAMPLES, note)
    assert same(kept.arrays)
    assert same(old.arrays)  # files that are mapped were not written over


def _edit(home: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    index = entries(home)[0] / "index.json"
    about = json.loads(index.read_text())
    change(about)
    index.write_text(json.dumps(about))


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about["shards"][-1].__setitem__(3, 10**6),
        lambda about: about["shards"][-1].__setitem__(3, 0),
        lambda about: about["shards"][1].__setitem__(2, 1),
        lambda about: about["shards"].append([24, 23, 46, 46, 0]),
        lambda about: about["shards"].pop(0),
        lambda about: about["columns"][0].__setitem__("dtype", "int32"),
        lambda about: about.pop("shards"),
    ],
)
def test_an_index_that_contradicts_itself_or_the_files(change: Callable, store: Store, home: Path) -> None:
    fetch(store, values)
    _edit(home, change)
    kept = fetch(store, values)
    assert kept.computed >= EXAMPLES
    assert "damaged" in kept.note
    assert same(kept.arrays)
    assert fetch(store, never).note == ""


def test_a_damaged_shard_that_has_another_number_of_rows_now(store: Store, home: Path) -> None:
    fetch(store, values)
    _flip(entries(home)[0] / "1.bin", 0)

    def longer(part: range) -> Mapping[str, np.ndarray]:
        return {name: values(range(part.start + 1, part.stop + 1))[name] for name in values(part)}

    kept = fetch(store, longer)
    assert kept.note == (
        "1 of 6 shards of the cache were damaged and were computed again, and then all others, "
        "because they had another number of rows"
    )
    assert np.array_equal(kept.arrays["tokens"], values(range(1, EXAMPLES + 1))["tokens"])
    assert kept.computed == SHARD + EXAMPLES


@pytest.mark.parametrize(("name", "value", "by"), [("kerasft", "0.0.9", "0.0.9"), ("format", 0, kerasft.__version__)])
def test_an_entry_of_another_version_is_not_used(name: str, value: object, by: str, store: Store, home: Path) -> None:
    fetch(store, values)
    _edit(home, lambda about: about.__setitem__(name, value))
    kept = fetch(store, values)
    assert (kept.computed, kept.note) == (EXAMPLES, f"the cache was from kerasft {by}: computed again")
    assert fetch(store, never).note == ""


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
