"""`kerasft.load`: a run directory is enough, wherever it stands; a damaged one is refused in words."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import TEST_ROWS, Trained

import kerasft
from kerasft.errors import RunError, UnknownNameError

TEXTS = ["the a is good", "the b is bad"]


@pytest.fixture(scope="module")
def expected(trained: Trained) -> list[dict]:
    return kerasft.load(trained.directory).predict(TEXTS)


def test_a_run_that_was_moved_needs_neither_network_nor_cache(
    copied: Path, expected: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASFT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    record = json.loads((copied / "backbone.json").read_text())
    record["reference"] = record["source"] = "hf://nobody/has-this@0123456789abcdef0123456789abcdef01234567"
    (copied / "backbone.json").write_text(json.dumps(record))

    assert kerasft.load(copied).predict(TEXTS) == expected
    assert not (tmp_path / "cache").exists()


def test_a_string_names_a_run_as_well(trained: Trained, expected: list[dict]) -> None:
    assert kerasft.load(str(trained.directory)).predict(TEXTS) == expected


def test_what_is_known_of_the_run_is_at_hand(trained: Trained) -> None:
    run = kerasft.load(trained.directory)
    assert run.directory == trained.directory
    assert [phase["epochs"] for phase in run.config["phases"]] == [1, 3]
    assert len(run.history) == 4
    assert run.report.metrics["accuracy"] == pytest.approx(5 / 6)
    assert run.samples == [text for text, _ in TEST_ROWS]


@pytest.mark.parametrize("content", [None, "empty", "file", "other config"])
def test_what_is_not_a_run_is_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "run"
    if content == "file":
        path.write_text("text")
    elif content:
        path.mkdir()
    if content == "other config":
        (path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(RunError, match="run is not a run directory"):
        kerasft.load(path)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap(old: str, new: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(path.read_text().replace(old, new)) and None


DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("config.json", Path.unlink, "is not a run directory"),
    ("backbone.json", Path.unlink, "backbone.json is missing"),
    ("backbone.json", halve, "backbone.json is damaged"),
    ("backbone.json", lambda path: path.write_text("[]"), "backbone.json is damaged"),
    ("task.json", Path.unlink, "task.json is missing"),
    ("task.json", halve, "task.json is damaged"),
    ("task.json", lambda path: path.write_text("{}"), "damaged"),
    ("task.json", swap("kind", "polite"), ""),  # harmless: a label is only a name
    ("task.json", swap('"kind"', '"kind", "mean"'), "best.weights.h5"),
    ("backbone/bert.json", halve, "damaged"),
    ("backbone/vocab.txt", Path.unlink, "vocab.txt"),
    ("backbone/vocab.txt", halve, "vocab.txt is damaged"),
    ("backbone/tokenizer_config.json", Path.unlink, "tokenizer_config.json"),
    ("weights/best.weights.h5", Path.unlink, "no weights"),
    ("weights/best.weights.h5", halve, "best.weights.h5"),
    ("weights/best.weights.h5", lambda path: path.write_bytes(b""), "best.weights.h5"),
]


@pytest.mark.parametrize(("name", "damage", "says"), DAMAGE)
def test_a_damaged_run_is_refused_in_words(name: str, damage: Callable, says: str, copied: Path) -> None:
    damage(copied / name)
    if not says:
        kerasft.load(copied)
        return
    with pytest.raises(kerasft.KerasftError) as raised:
        kerasft.load(copied)
    assert says in str(raised.value)
    assert str(copied) in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 3


def test_a_run_whose_task_is_gone_names_it(copied: Path) -> None:
    swap('"classification"', '"counting"')(copied / "task.json")
    with pytest.raises(UnknownNameError, match="no task named 'counting'"):
        kerasft.load(copied)


def test_records_of_unfinished_training_are_asked_for_in_words(copied: Path) -> None:
    for name in ("report", "history"):
        (copied / f"{name}.json").unlink()
    run = kerasft.load(copied)
    with pytest.raises(RunError, match=r"report\.json is missing"):
        run.report.print()
    with pytest.raises(RunError, match=r"history\.json is missing"):
        len(run.history)
