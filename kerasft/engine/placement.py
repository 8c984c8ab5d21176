"""Where a run is computed: one device, several, or several machines, by `tf.distribute`."""

import json
import os
from typing import Any

import tensorflow as tf

from kerasft import keras_private
from kerasft.errors import UnknownNameError, UsageError

KINDS = ("auto", "one", "mirrored", "multi-worker", "tpu")


def strategy(devices: str | int = "auto", kind: str = "auto") -> tf.distribute.Strategy:
    """The `tf.distribute.Strategy` to build and train a model in. Call it before anything else of TensorFlow.

    Args:
        devices: ``"auto"`` and ``"all"`` for every GPU, or the CPU when there is none; ``"cpu"``; or how many. Where
            there is no GPU, a number above 1 makes as many logical devices of the CPU, which is for trying things out.
        kind: ``"one"`` device; ``"mirrored"`` over the devices of this machine; ``"multi-worker"`` over the machines
            of ``TF_CONFIG``; ``"tpu"``; or ``"auto"``, which is the first of these that the devices and the
            environment call for.

    Returns:
        TensorFlow's default strategy for one device.

    Raises:
        UnknownNameError: `kind` is none of these.
        UsageError: there are not so many devices, ``TF_CONFIG`` does not fit, or TensorFlow has started already.

    Example::

        with kerasft.strategy("all").scope():
            model = kerasft.build("bert/minilm-l6", "classification", labels=["ham", "spam"])
            model.compile("adam", model.assembly.task.loss())
    """
    keras_private.check_version()
    if kind not in KINDS:
        raise UnknownNameError("strategy", kind, KINDS)
    wanted = _number_of(devices)
    if kind == "auto":
        kind = "multi-worker" if "TF_CONFIG" in os.environ else "one" if wanted == 1 else "mirrored"
    if kind == "tpu":
        return _tpu()
    if kind == "multi-worker":
        _check_cluster()
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except (RuntimeError, ValueError, tf.errors.OpError) as error:
            raise UsageError(f"The workers of TF_CONFIG cannot be joined: {_first_line(error)}") from error
    if kind == "one" or wanted == 1:
        if wanted > 1 and devices != "auto":
            raise UsageError(f"The strategy 'one' has one device. Received: devices={devices!r}")
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(_devices(wanted))


def is_chief(chosen: tf.distribute.Strategy) -> bool:
    """Whether this process writes files: all do not, in several workers."""
    resolver = chosen.cluster_resolver if keras_private.is_multi_worker(chosen) else None
    return resolver is None or (resolver.task_type in (None, "chief", "worker") and not resolver.task_id)


def describe(chosen: tf.distribute.Strategy) -> dict[str, Any]:
    """What a resumed run compares."""
    return {"replicas": chosen.num_replicas_in_sync}


def _number_of(devices: str | int) -> int:
    gpus = len(tf.config.list_physical_devices("GPU"))
    if devices in ("auto", "all"):
        return max(1, gpus)
    if devices == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return 1
    try:
        number = int(devices)
    except ValueError:
        raise UsageError(f"devices is auto, cpu, all, or how many. Received: {devices!r}") from None
    if number < 1:
        raise UsageError(f"devices must be 1 or more. Received: {number}")
    if gpus and number > gpus:
        raise UsageError(f"There are {gpus} GPUs. Received: devices={number}")
    return number


def _devices(number: int) -> list[str]:
    """Names of GPUs, or of logical devices made of the CPU."""
    if tf.config.list_physical_devices("GPU"):
        return [f"GPU:{i}" for i in range(number)]
    cpu = tf.config.list_physical_devices("CPU")[0]
    existing = tf.config.get_logical_device_configuration(cpu) or ()
    if len(existing) < number:
        try:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * number)
        except RuntimeError as error:
            raise UsageError(
                f"{number} devices of one CPU must be asked for before TensorFlow starts: call kerasft.strategy() or "
                "finetune(devices=…) first in a fresh process."
            ) from error
    return [f"CPU:{i}" for i in range(number)]


def _check_cluster() -> None:
    text = os.environ.get("TF_CONFIG", "")
    try:
        value = json.loads(text)
        workers = value["cluster"]["worker"] if "chief" not in value["cluster"] else [None, *_others(value)]
        task, index = value["task"]["type"], value["task"]["index"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            'TF_CONFIG must be JSON like {"cluster": {"worker": ["host:port", "host:port"]}, '
            f'"task": {{"type": "worker", "index": 0}}}}. Received: {text or "nothing"} ({_first_line(error)})'
        ) from error
    known = len(value["cluster"].get(task, ()))
    if not isinstance(index, int) or not 0 <= index < known:
        raise UsageError(
            f"TF_CONFIG: there are {known} tasks of type {task!r} in the cluster, with indices from 0. "
            f"Received: index {index!r}"
        )
    del workers


def _others(value: dict[str, Any]) -> list[str]:
    return list(value["cluster"].get("worker", []))


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:
        raise UsageError(f"There is no TPU here: {_first_line(error)}") from error
    return tf.distribute.TPUStrategy(resolver)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
