"""Kept arrays whose files or index were damaged, or are of another version."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_stores import COLUMNS, EXAMPLES, PARTS, SHARD, Computing, contents, entries, fetch, never, same, values

import kerasft
from kerasft.engine.store import Store


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
