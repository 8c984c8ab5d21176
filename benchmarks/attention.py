"""Milliseconds of attention as BERT has it here and as Keras has it, in turns in one process. Prints ratios.

.venv/bin/python benchmarks/attention.py
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

    from kerasft_bert import attention

HEADS, SIZE, RATE = 12, 32, 0.1  # of MiniLM
SHAPES = [(32, 24), (32, 128), (32, 256), (8, 512)]  # examples and tokens of a batch
ROUNDS, ENOUGH = 5, 0.5  # seconds of a measurement

Step = Callable[[], Any]


def main() -> None:
    """Prints medians, for training (forward and backward, with dropout) and for inference."""
    rows = []
    for examples, tokens in SHAPES:
        for training in (True, False):
            steps = {"keras": _step(examples, tokens, training), "ours": _step(examples, tokens, training, ours=True)}
            times: dict[str, list[float]] = {name: [] for name in steps}
            with memory.kept():  # as in a run
                for turn in range(ROUNDS):
                    for name in sorted(steps, reverse=bool(turn % 2)):
                        times[name].append(_milliseconds(steps[name]))
            found = {name: statistics.median(values) for name, values in times.items()}
            rows.append({"examples": examples, "tokens": tokens, "training": training})
            rows[-1] |= {name: round(value, 2) for name, value in found.items()}
            rows[-1]["ratio"] = round(found["keras"] / found["ours"], 2)
    print(json.dumps({"milliseconds": rows, "tensorflow": tf.__version__, "keras": keras.__version__}, indent=1))


def _step(examples: int, tokens: int, training: bool, *, ours: bool = False) -> Step:
    layer = keras.layers.MultiHeadAttention(HEADS, SIZE, dropout=RATE)
    layer.build((examples, tokens, HEADS * SIZE), (examples, tokens, HEADS * SIZE))
    if ours:
        attention.put_into(layer)
    shape = [examples, tokens, HEADS, SIZE]
    inputs = [tf.random.stateless_normal(shape, [0, index]) for index in range(4)]
    mask = tf.ones([examples, 1, tokens], tf.bool)

    @tf.function(autograph=False)
    def step(query: Any, key: Any, value: Any, upstream: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([query, key, value])
            found, _ = layer._compute_attention(query, key, value, mask, training)
        return tape.gradient(found, [query, key, value], upstream) if training else found

    return lambda: step(*inputs)


def _milliseconds(step: Step) -> float:
    step()
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < ENOUGH:
        step()
        count += 1
    return 1000 * (time.perf_counter() - started) / count


if __name__ == "__main__":
    main()
