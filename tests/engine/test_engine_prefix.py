"""Outputs of frozen layers: kept, found again, never stale; training on them is training."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import toy_images
from rich.console import Console
from small_runs import separable, weights_of

import kerasft
from kerasft import freezing, pretrained
from kerasft.engine import prefix
from kerasft.engine.encode import Encodings
from kerasft.engine.store import Store
from kerasft.engine.table import Table
from kerasft.errors import Interrupted
from kerasft.phases import Phase

ROWS = separable(40)
DATA = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
PHASES = ("head:2:1e-2", "top1:2:1e-2", "all:1:1e-3")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of kept features, empty at first."""
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


Trained = tuple[kerasft.Run, str]


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Trained]:
    """`train(**options)`: a run, and what it said on stderr."""

    def run(data: Any = DATA, **options: Any) -> Trained:
        backbone_options = options.pop("backbone_options", {"length": 16})
        console = Console(record=True, file=(tmp_path / "said").open("w"), width=300)
        made = kerasft.finetune(
            *("bert/tiny", "classification", data),
            **{"out": tmp_path / "run", "overwrite": True, "batch_size": 8, "phases": PHASES, **options},
            backbone_options=backbone_options,
            console=console,
        )
        return made, console.export_text()

    return run


def entries(cache: Path) -> list[Path]:
    """Of the cache, in the order of their names."""
    return sorted(path for path in cache.glob("*") if path.is_dir())


def test_training_on_kept_outputs_is_the_same_training(train: Callable[..., Trained], cache: Path) -> None:
    kept, said = train()
    history, weights = kept.history, weights_of(kept.directory)
    assert said.count("are computed once and kept") == 2  # head and top1; in the third phase nothing is frozen
    assert len(entries(cache)) == 4  # training and validation data
    logits = kept.predict(DATA["text"])
    again, said = train(cache_gigabytes=0)
    assert "computed once" not in said
    assert [list(epoch) for epoch in again.history] == [list(epoch) for epoch in history]
    for one, other in zip(again.history, history, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    # Kept outputs come of batches that were padded differently. Where a gradient is next to nothing Adam makes a whole
    # step of it, also of its last bits.
    for name, value in weights_of(again.directory).items():
        difference = np.frombuffer(value[3:], np.float32) - np.frombuffer(weights[name][3:], np.float32)
        assert np.abs(difference).max() < 5e-5
    for one, other in zip(again.predict(DATA["text"]), logits, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_another_run_finds_them_again(train: Callable[..., Trained], cache: Path) -> None:
    train(phases=["head:1:1e-2"])
    before = {path: path.stat().st_mtime_ns for entry in entries(cache) for path in entry.glob("*.bin")}
    # Another rate, another batch size, a longer phase: the same texts, in the same frozen layers.
    _, said = train(phases=["head:3:3e-3"], batch_size=5)
    assert "were computed before and kept" in said
    assert {path: path.stat().st_mtime_ns for entry in entries(cache) for path in entry.glob("*.bin")} == before


def outputs(cache: Path, texts: list[str] = DATA["text"], policy: str = "float32", **options: Any) -> prefix.Features:
    """Of the frozen layers below a head."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = kerasft.build("bert/tiny", "classification", labels=["a", "b"], backbone_options=options)
    finally:
        keras.config.set_dtype_policy(before)
    freezing.apply(model, Phase("head"))
    assert model.split
    encodings = model.assembly.encodings(texts)
    return prefix.compute(model, model.split, encodings, Store(cache, 10**9), print, lambda *_: None)


def test_another_question_has_another_answer(cache: Path) -> None:
    assert outputs(cache, length=16).computed == 40
    assert outputs(cache, length=16).computed == 0
    assert outputs(cache, length=100).computed == 0  # no text is longer than 16: the same question
    for other in (
        {"length": 7},
        {"length": 16, "seed": 1},  # other weights
        {"length": 16, "policy": "mixed_bfloat16"},
        {"length": 16, "texts": [*DATA["text"][:-1], "the k is bad 1"]},
        {"length": 16, "texts": DATA["text"][::-1]},
    ):
        assert outputs(cache, **other).computed == 40
    assert len(entries(cache)) == 6


def test_after_training_them_the_layers_are_others(train: Callable[..., Trained], cache: Path) -> None:
    _, said = train(phases=["head:1:1e-2", "all:1:1e-2", "head:1:1e-2"])
    assert said.count("are computed once and kept") == 2
    assert len(entries(cache)) == 4


def test_damaged_outputs_are_noticed_and_made_again(train: Callable[..., Trained], cache: Path) -> None:
    expected, _ = train(phases=["top1:2:1e-2"])
    history, weights = expected.history, weights_of(expected.directory)
    largest = max(
        (path for entry in entries(cache) for path in entry.glob("*.bin")), key=lambda path: path.stat().st_size
    )
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 4
    largest.write_bytes(content)
    again, said = train(phases=["top1:2:1e-2"])
    assert "1 of 1 shards of the cache were damaged and were computed again" in said
    assert again.history == history
    assert weights_of(again.directory) == weights


@pytest.mark.slow
def test_a_resumed_run_computes_them_again_if_they_are_gone(
    train: Callable[..., Trained], cache: Path, tmp_path: Path
) -> None:
    kept, _ = train(checkpoint_steps=1)
    history, weights = kept.history, weights_of(kept.directory)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if int(self.model.optimizer.iterations) == 3:
                raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        train(checkpoint_steps=1, callbacks=[Stop()], seed=0)
    shutil.rmtree(cache)
    run = kerasft.resume(tmp_path / "run", **{"train": DATA})
    assert run.history == history
    assert weights_of(run.directory) == weights


def test_where_they_cannot_be_kept_training_goes_on_without(
    train: Callable[..., Trained], cache: Path, tmp_path: Path
) -> None:
    cache.parent.mkdir()
    cache.write_text("a file")
    _, said = train(phases=["head:1:1e-2"])
    assert f"The frozen layers are computed anew in every epoch: Cannot use {cache}: " in said
    cache.unlink()
    _, said = train(phases=["top1:1:1e-2"], cache_gigabytes=1e-6)
    assert "are more than the limit" in said
    assert not entries(cache)


@pytest.mark.parametrize("count", [1, 2])
def test_the_smallest_data(count: int, train: Callable[..., Trained]) -> None:
    data = {"text": ["good"] * count + ["bad"], "label": ["a"] * count + ["b"]}
    run, _ = train(data, phases=["head:1:1e-2"], validation=None)
    assert run.history[0]["loss"] > 0


def test_one_document_of_a_hundred_thousand_tokens_among_short_ones(train: Callable[..., Trained]) -> None:
    texts = [*DATA["text"], "good " * 100_000]
    run, said = train({"text": texts, "label": [*DATA["label"], "kind"]}, phases=["head:1:1e-2"])
    assert "1 of 37 train inputs are longer than the model reads and are cut." in said
    assert run.history


def test_an_embedding_alone_is_not_worth_keeping() -> None:
    model = kerasft.build("bert/tiny", "classification", labels=["a", "b"])
    freezing.apply(model, Phase("top2"))
    assert model.split
    assert not prefix.is_worth_it(model.split)
    freezing.apply(model, Phase("top1"))
    assert prefix.is_worth_it(model.split)


@pytest.mark.parametrize("train", ["head", "top1", "top2"])
def test_maps_of_images_are_kept_at_any_depth(train: str, cache: Path) -> None:
    """Two tensors cross a cut in a residual block."""
    model = toy_images.build()
    freezing.apply(model, Phase(train))
    images = toy_images.images(50).numpy()
    encodings = model.assembly.encodings(images)
    store = Store(cache, 10**9)
    done: list[int] = []
    assert model.split
    found = prefix.compute(model, model.split, encodings, store, print, lambda done_, of: done.append(done_))
    assert (found.computed, done) == (50, [50])
    index = np.array([7, 3, 49])
    cut = list(found.table.gather(index, 0).values())
    np.testing.assert_array_equal(cut[0], model.split.prefix(images)[0][index] if len(cut) > 1 else cut[0])
    np.testing.assert_allclose(model.split.suffix(cut), model(images[index]), atol=1e-6)
    assert prefix.compute(model, model.split, encodings, store, print, lambda *_: None).computed == 0


def test_an_output_that_varies_in_two_directions_is_an_obstacle() -> None:
    a = keras.Input((None, None))
    split = freezing.Split(keras.Model(a, a + 1), keras.Model(a, a))
    assert "varies in more than its number of tokens" in prefix.obstacle(split)


@pytest.mark.parametrize("dtype", ["int32", "float32", "bool", "bfloat16"])
def test_a_table_gives_rows_padded_to_a_length(dtype: str) -> None:
    import ml_dtypes

    values = np.array([1, 2, 3, 4, 5, 6]).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    table = Table({"x": values, "y": np.arange(3)}, np.array([3, 1, 2]), frozenset({"x"}), {"x": values[3]})
    found = table.gather(np.array([2, 0]), np.int64(4))
    expected = np.array([[5, 6, 4, 4], [1, 2, 3, 4]]).astype(values.dtype)
    np.testing.assert_array_equal(found["x"].numpy(), expected)
    assert found["y"].numpy().tolist() == [2, 0]


def test_texts_are_encoded_as_one_by_one() -> None:
    backbone = pretrained.locate("bert/tiny").create({"length": 16})
    encodings = Encodings(backbone.preprocess, DATA["text"], padding=backbone.padding, limit=16)
    inputs, alignment = encodings.gather(np.arange(40), np.int64(16))
    for i, text in enumerate(DATA["text"]):
        alone = backbone.preprocess(np.array([text]))
        for name, expected in alone.inputs.items():
            row = inputs[name][i].numpy()
            np.testing.assert_array_equal(row[: expected.shape[1]], expected[0])
            assert not row[expected.shape[1] :].any()
        np.testing.assert_array_equal(
            alignment["ends"][i].numpy()[: len(alone.alignment["ends"][0])], alone.alignment["ends"][0]
        )
        assert encodings.lengths is not None
        assert encodings.lengths[i] == alone.inputs["token_ids"].shape[1]


def test_a_report_says_how_much_is_padding(train: Callable[..., Trained]) -> None:
    run, said = train(phases=["head:1:1e-2"])
    padding = json.loads((run.directory / "report.json").read_text())["padding"]
    assert f"{100 * padding:.1f} % of the tokens in training batches are padding." in said
