"""How fast this machine multiplies matrices in TensorFlow: float32 and bfloat16 in turns. Prints a JSON line."""

import statistics
import sys
import time

import meter
import tf_side

SIZE, REPEATS, ROUNDS = 2048, 4, 6


def main(rounds: int) -> None:
    """Best and middle of some rounds, in GFLOP/s."""
    tf_side.prepare()
    import tensorflow as tf

    speeds: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    matrices = {name: tf.cast(tf.random.normal((SIZE, SIZE), seed=0), name) for name in speeds}
    multiply = tf.function(lambda a: tf.linalg.matmul(a, a), autograph=False)
    for matrix in matrices.values():
        multiply(matrix).numpy()  # traces
    for _ in range(rounds):
        for name, matrix in matrices.items():
            started = time.perf_counter()
            for _ in range(REPEATS):
                product = multiply(matrix)
            product.numpy()  # waits
            speeds[name].append(REPEATS * 2 * SIZE**3 / (time.perf_counter() - started) / 1e9)
    meter.say({name: {"best": max(found), "median": statistics.median(found)} for name, found in speeds.items()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
