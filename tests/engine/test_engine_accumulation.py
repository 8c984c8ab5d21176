"""A batch in pieces is the same update, also when the pieces are of different sizes."""

import keras
import numpy as np
import pytest
import toy_images

import kerasft
from kerasft.engine.optim import Optimization
from kerasft.model import TrainedModel
from kerasft.phases import Phase

BATCH = 8
PHASE = Phase("all", learning_rate=0.05, layer_decay=0.5, warmup=0)


def train(pieces: int, weights: np.ndarray | None, optimizer: str = "sgd") -> tuple[TrainedModel, dict, list[float]]:
    """Three updates, the last one on half a batch; the model, what `fit` says, and the rate of each update."""
    model = toy_images.build()
    for group in model.assembly.groups[:-1]:
        group.layers[2].rate = 0.0  # dropout would draw other numbers for other pieces
    kerasft.freeze(model, "all")
    model.micro_batches = pieces
    optimizer = Optimization(optimizer=optimizer).make(model.trainable_variables, model.assembly.groups, PHASE, 3)
    task, rates = model.assembly.task, []
    model.compile(optimizer, task.loss(), metrics=task.metrics(), jit_compile=False)
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(float(optimizer.learning_rate))
    )
    count = 2 * BATCH + BATCH // 2
    history = model.fit(
        toy_images.images(count),
        np.arange(count) % 2,
        sample_weight=weights,
        batch_size=BATCH,
        shuffle=False,
        callbacks=[note],
        verbose=0,
    )
    assert int(optimizer.iterations) == 3
    return model, history.history, rates


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "weighted"])
def whole(request):
    """Trained on whole batches."""
    weights = np.linspace(0.1, 2.0, 20) if request.param else None
    return weights, train(1, weights)


@pytest.mark.parametrize("pieces", [2, 3, 8])
def test_pieces_give_the_update_of_the_whole_batch(pieces, whole):
    weights, (model, history, rates) = whole
    parts, said, their_rates = train(pieces, weights)
    for one, other in zip(model.weights, parts.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6, err_msg=one.path)
    assert said["loss"] == pytest.approx(history["loss"], abs=1e-6)
    assert said["accuracy"] == history["accuracy"]
    assert their_rates == rates  # schedules count updates, not pieces


def test_a_whole_batch_is_what_keras_makes_of_it():
    """The training step is ours; its result is that of `keras.Model.train_step`."""
    ours, history, _ = train(1, None)
    twin = toy_images.build()
    for group in twin.assembly.groups[:-1]:
        group.layers[2].rate = 0.0
    kerasft.freeze(twin, "all")
    plain = keras.Model(twin.input, twin.output)
    optimizer = Optimization(optimizer="sgd").make(plain.trainable_variables, twin.assembly.groups, PHASE, 3)
    plain.compile(optimizer, twin.assembly.task.loss(), metrics=twin.assembly.task.metrics(), jit_compile=False)
    said = plain.fit(toy_images.images(20), np.arange(20) % 2, batch_size=BATCH, shuffle=False, verbose=0)
    for one, other in zip(ours.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6, err_msg=one.path)
    assert said.history["loss"] == pytest.approx(history["loss"], abs=1e-6)
