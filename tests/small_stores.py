"""What tests of the store share. Examples are numbered; everything that is computed for one follows from its number."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from kerasft.engine.store import LENGTHS, Column, Kept, Store

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
