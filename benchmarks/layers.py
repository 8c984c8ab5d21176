"""Milliseconds of BERT's attention, layer norms and dropout as they are here and in Keras, in turns. Prints ratios.

.venv/bin/python benchmarks/layers.py
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from kerasft.engine import memory
from kerasft.quiet import quiet_imports

with quiet_imports():
    import keras
    import tensorflow as tf

    from kerasft_bert import attention, dropout, norm

HEADS, SIZE, RATE = 12, 32, 0.1  # of MiniLM
SHAPES = [(32, 24), (32, 128), (32, 256), (8, 512)]  # examples and tokens of a batch
ROUNDS, ENOUGH = 5, 0.5  # seconds of a measurement

Step = Callable[[], Any]


def main() -> None:
    """Prints medians, for training (forward and backward, with dropout) and for inference."""
    rows = []
    kinds = {"attention": _attention, "norm": _norm, "dropout": _dropout}
    for kind, make in kinds.items():
        for examples, tokens in SHAPES:
            for training in (True, False) if kind != "dropout" else (True,):
                steps = {
                    "keras": make(examples, tokens, training, False),
                    "ours": make(examples, tokens, training, True),
                }
                times: dict[str, list[float]] = {name: [] for name in steps}
                with memory.kept():  # as in a run
                    for turn in range(ROUNDS):
                        for name in sorted(steps, reverse=bool(turn % 2)):
                            times[name].append(_milliseconds(steps[name]))
                found = {name: statistics.median(values) for name, values in times.items()}
                rows.append({"layer": kind, "examples": examples, "tokens": tokens, "training": training})
                rows[-1] |= {name: round(value, 2) for name, value in found.items()}
                rows[-1]["ratio"] = round(found["keras"] / found["ours"], 2)
    print(json.dumps({"milliseconds": rows, "tensorflow": tf.__version__, "keras": keras.__version__}, indent=1))


def _attention(examples: int, tokens: int, training: bool, ours: bool) -> Step:
    """Between the projections."""
    layer = keras.layers.MultiHeadAttention(HEADS, SIZE, dropout=RATE)
    layer.build((examples, tokens, HEADS * SIZE), (examples, tokens, HEADS * SIZE))
    if ours:
        attention.put_into(layer)
    mask = tf.ones([examples, 1, tokens], tf.bool)

    def attend(*inputs: tf.Tensor) -> tf.Tensor:
        return layer._compute_attention(*inputs, mask, training)[0]

    return _step(attend, [examples, tokens, HEADS, SIZE], 3, [], training)


def _norm(examples: int, tokens: int, training: bool, ours: bool) -> Step:
    layer = keras.layers.LayerNormalization()
    layer.build((examples, tokens, HEADS * SIZE))
    if ours:
        norm.put_into(layer)
    return _step(layer, [examples, tokens, HEADS * SIZE], 1, layer.trainable_variables, training)


def _dropout(examples: int, tokens: int, training: bool, ours: bool) -> Step:
    layer = keras.layers.Dropout(RATE)
    if ours:
        dropout.put_into(layer)
    return _step(lambda x: layer(x, training=training), [examples, tokens, HEADS * SIZE], 1, [], training)


def _step(function: Callable[..., Any], shape: list[int], inputs: int, variables: list[Any], training: bool) -> Step:
    tensors = [tf.random.stateless_normal(shape, [0, index]) for index in range(inputs + 1)]

    @tf.function(autograph=False)
    def step(upstream: tf.Tensor, *inputs: tf.Tensor) -> Any:
        values = [*inputs, *(variable.value for variable in variables)]
        with tf.GradientTape() as tape:
            tape.watch(values)
            found = function(*inputs)
        return tape.gradient(found, values, upstream) if training else found

    return lambda: step(*tensors)


def _milliseconds(step: Step) -> float:
    step()
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < ENOUGH:
        step()
        count += 1
    return 1000 * (time.perf_counter() - started) / count


if __name__ == "__main__":
    main()
