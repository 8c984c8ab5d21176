"""Where a run is computed: one device, several, or several machines, by `tf.distribute`."""

import contextlib
import functools
import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kerasft.errors import RunError, UnknownNameError, UsageError
from kerasft.keras_private import is_multi_worker

KINDS = ("auto", "one", "mirrored", "multi-worker", "tpu")

_log = logging.getLogger(__name__)
_TRAINING = ("chief", "worker")
_EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'


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
    if kind not in KINDS:
        raise UnknownNameError("strategy", kind, KINDS)
    number = _number_of(devices)
    if kind == "auto":
        kind = "multi-worker" if "TF_CONFIG" in os.environ else "one" if number == 1 else "mirrored"
    if kind == "tpu":
        return _tpu()
    if kind == "multi-worker":
        return _multi_worker(devices, number)
    if kind == "one" and number > 1 and devices != "auto":
        raise UsageError(f"The strategy 'one' has one device. Received: devices={devices!r}")
    if kind == "one" or number == 1:
        return tf.distribute.get_strategy()
    return _mirrored(number)


def is_chief(chosen: tf.distribute.Strategy) -> bool:
    """Whether this process writes files: of several workers the chief alone, or the first where none is called so."""
    if not is_multi_worker(chosen):
        return True
    resolver = chosen.cluster_resolver
    chief = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (chief, 0)


def share(chosen: tf.distribute.Strategy, variables: Sequence[keras.Variable]) -> None:
    """Gives all workers the chief's values; all of them must call this together. Nothing happens in one process."""
    if not is_multi_worker(chosen):
        return

    @tf.function
    def summed() -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        first = tf.equal(context.replica_id_in_sync_group, 0)
        return [context.all_reduce("sum", tf.where(first, v, tf.zeros_like(v))) for v in variables]

    with lost_named(chosen):
        for variable, values in zip(variables, chosen.run(summed), strict=True):
            variable.assign(chosen.experimental_local_results(values)[0])


@contextlib.contextmanager
def lost_named(chosen: tf.distribute.Strategy) -> Iterator[None]:
    """Says in a user's words that another worker has gone.

    Raises:
        RunError: one has.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not is_multi_worker(chosen):
            raise
        raise RunError(
            "Another worker of TF_CONFIG has stopped; its own messages say why. Start all of them again with "
            "kerasft resume."
        ) from error


def _number_of(devices: str | int) -> int:
    gpus = len(tf.config.list_physical_devices("GPU"))
    if devices in ("auto", "all"):
        return max(1, gpus)
    if devices == "cpu":
        _show_gpus(0)
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


def _show_gpus(number: int) -> None:
    """Lets TensorFlow see only so many GPUs."""
    gpus = tf.config.list_physical_devices("GPU")
    try:
        tf.config.set_visible_devices(gpus[:number], "GPU")
    except RuntimeError as error:
        raise _started("Devices") from error


# Once in a process: a second strategy would number its reductions as the first one did, and TensorFlow would take them
# for the same.
@functools.cache
def _mirrored(number: int) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(_devices(number))


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
            raise _started(f"{number} devices of one CPU") from error
    return [f"CPU:{i}" for i in range(number)]


def _started(what: str) -> UsageError:
    return UsageError(
        f"{what} must be asked for before TensorFlow starts: call kerasft.strategy() or finetune(devices=…) first in a "
        "fresh process."
    )


def _multi_worker(devices: str | int, number: int) -> tf.distribute.Strategy:
    if isinstance(devices, int) or devices.isdecimal():
        if not tf.config.list_physical_devices("GPU") and number > 1:
            raise UsageError(
                f"Each worker of TF_CONFIG computes on its GPUs, or on its CPU as one device. Received: {devices=}"
            )
        _show_gpus(number)
    return _join(os.environ.get("TF_CONFIG", ""))


@functools.cache  # a process joins its cluster once
def _join(config: str) -> tf.distribute.Strategy:
    worker = _Worker.of(config)
    worker.check_port()
    _log.info("Joining the other workers of TF_CONFIG as %s %d, when all are there.", worker.kind, worker.index)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise _started("Several workers") from error
    except (ValueError, tf.errors.OpError) as error:
        raise UsageError(f"The workers of TF_CONFIG cannot be joined: {_first_line(error)}") from error


@dataclass(frozen=True)
class _Worker:
    """What ``TF_CONFIG`` says of this process.

    Args:
        kind: ``"chief"`` or ``"worker"``.
        index: among the processes of this kind.
        address: its own ``host:port``.
    """

    kind: str
    index: int
    address: str

    @classmethod
    def of(cls, config: str) -> "_Worker":
        """Raises UsageError unless `config` describes a cluster and this process's place in it."""
        try:
            value = json.loads(config)
            cluster, kind, index = value["cluster"], value["task"]["type"], value["task"]["index"]
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}" if config else "it is not set"
            raise UsageError(f"TF_CONFIG must be JSON like {_EXAMPLE}. Received: {config!r} ({reason})") from error
        addresses = _addresses(cluster, kind)
        # Some launchers write the index as a string, which TensorFlow takes.
        place = int(index) if str(index).isdecimal() else -1
        if not 0 <= place < len(addresses):
            raise UsageError(
                f"TF_CONFIG: the cluster has {len(addresses)} of type {kind!r}, with indices from 0. "
                f"Received: index {index!r}"
            )
        return cls(kind, place, addresses[place])

    def check_port(self) -> None:
        """Raises UsageError if the port is taken: TensorFlow's own error says nothing at all."""
        port = int(self.address.rpartition(":")[2])
        with socket.socket() as probe:
            # Not to be stopped by what the last run left behind.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as error:
                raise UsageError(
                    f"TF_CONFIG: {self.kind} {self.index} cannot listen on {self.address}: {error.strerror}. Does "
                    "another process use this port, or are two workers started with the same index?"
                ) from error


def _addresses(cluster: Any, kind: str) -> list[str]:
    """Where the processes of type `kind` listen.

    Raises:
        UsageError: something in the cluster is not what kerasft trains with.
    """
    if not isinstance(cluster, Mapping) or not all(isinstance(found, list) for found in cluster.values()):
        raise UsageError(f"TF_CONFIG: the cluster is lists of addresses by type, as in {_EXAMPLE}. Received: {cluster}")
    for name in (kind, *cluster):
        if name not in _TRAINING:
            raise UsageError(
                f"TF_CONFIG: kerasft trains with processes of type {' and '.join(_TRAINING)}; the chief evaluates. "
                f"Received: {name!r}"
            )
    if len(cluster.get("chief", ())) > 1:
        raise UsageError(f"TF_CONFIG: there is one chief. Received: {', '.join(map(str, cluster['chief']))}")
    known = [address for found in cluster.values() for address in found]
    if not all(map(_is_address, known)) or len({*known}) < len(known):
        named = ", ".join(map(str, known))
        raise UsageError(f"TF_CONFIG: every process has a host:port of its own. Received: {named}")
    return list(cluster.get(kind, ()))


def _is_address(value: Any) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


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
