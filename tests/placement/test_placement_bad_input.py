"""What users get wrong: every message says what was received and what to do, before anything is computed."""

import json
import socket
from pathlib import Path
from typing import Any

import command_line
import pytest
from placed_fleet import Fleet, cluster
from small_runs import TINY, separable, write_csv

import kerasft
from kerasft.errors import UnknownNameError, UsageError

TWO = ["localhost:12345", "localhost:12346"]


def config(jobs: Any, kind: Any = "worker", index: Any = 0) -> str:
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not set"),
        ("{", "TF_CONFIG must be JSON like .*JSONDecodeError"),
        ("[]", "TF_CONFIG must be JSON like .*TypeError"),
        ("{}", "TF_CONFIG must be JSON like .*KeyError: 'cluster'"),
        (json.dumps({"cluster": {"worker": TWO}}), "KeyError: 'task'"),
        (json.dumps({"cluster": {"worker": TWO}, "task": {"type": "worker"}}), "KeyError: 'index'"),
        (config([TWO]), "lists of addresses by type"),
        (config({"worker": "localhost:12345"}), "lists of addresses by type"),
        (config({"worker": TWO}, index=2), "2 of type 'worker', with indices from 0. Received: index 2"),
        (config({"worker": TWO}, index=-1), "Received: index -1"),
        (config({"worker": TWO}, index=None), "Received: index None"),
        (config({"worker": TWO}, index=0.5), "Received: index 0.5"),
        (config({"worker": TWO}, "chief"), "0 of type 'chief'"),
        (config({"worker": TWO}, "evaluator"), "the chief evaluates. Received: 'evaluator'"),
        (config({"worker": TWO, "ps": ["localhost:1"]}), "types? chief and worker.* Received: 'ps'"),
        (config({"worker": TWO}, ["worker"]), "Received: \\['worker'\\]"),
        (config({"chief": TWO}, "chief"), "one chief"),
        (config({"worker": ["localhost", "localhost:12346"]}), "host:port of its own. Received: localhost, "),
        (config({"worker": ["localhost:0", "localhost:12346"]}), "host:port of its own"),
        (config({"worker": ["localhost:123456"]}), "host:port of its own"),
        (config({"worker": [":12345"]}), "host:port of its own"),
        (config({"worker": [12345]}), "host:port of its own"),
        (config({"worker": ["localhost:12345"] * 2}), "host:port of its own. Received: localhost:12345, "),
    ],
)
def test_tf_config(monkeypatch: pytest.MonkeyPatch, text: str, message: str):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match=message):
        kerasft.strategy(kind="multi-worker")


def test_a_port_in_use(monkeypatch: pytest.MonkeyPatch):
    """TensorFlow itself raises an UnknownError without a message."""
    with socket.socket() as other:
        other.bind(("localhost", 0))
        other.listen()
        address = f"localhost:{other.getsockname()[1]}"
        monkeypatch.setenv("TF_CONFIG", config({"worker": [address, "localhost:1"]}))
        with pytest.raises(UsageError, match=f"worker 0 cannot listen on {address}: Address already in use"):
            kerasft.strategy()


@pytest.mark.parametrize(
    ("devices", "kind", "message"),
    [
        (0, "auto", "1 or more. Received: 0"),
        ("-2", "auto", "1 or more. Received: -2"),
        ("many", "auto", "auto, cpu, all, or how many. Received: 'many'"),
        (2, "one", "'one' has one device. Received: devices=2"),
        (2, "multi-worker", "on its CPU as one device. Received: devices=2"),
        (1, "tpu", "There is no TPU here"),
    ],
)
def test_devices(devices: Any, kind: str, message: str):
    with pytest.raises(UsageError, match=message):
        kerasft.strategy(devices, kind)


def test_an_unknown_strategy():
    with pytest.raises(UnknownNameError, match="Did you mean mirrored"):
        kerasft.strategy("all", "miror")


def test_tensorflow_has_started_already(monkeypatch: pytest.MonkeyPatch):
    import tensorflow as tf

    tf.constant(1)
    with pytest.raises(UsageError, match="3 devices of one CPU must be asked for before TensorFlow starts"):
        kerasft.strategy(3)
    monkeypatch.setenv("TF_CONFIG", cluster()[0])
    with pytest.raises(UsageError, match="Several workers must be asked for before TensorFlow starts"):
        kerasft.strategy()


def test_more_replicas_than_examples(tmp_path: Path):
    train = write_csv(tmp_path / "train.csv", separable(12))
    answer = command_line.run(
        "finetune", *TINY, "--train", train, "--devices", 3, "--batch-size", 2, "--out", tmp_path / "run"
    )
    assert answer.code == 2
    assert "There are 3 replicas for batches of 2 and 10 training examples" in answer.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight", None])
def test_a_loss_that_pieces_of_a_batch_would_change(reduction: str | None):
    import keras

    from kerasft.model import TrainedModel

    inputs = keras.Input((3,))
    model = TrainedModel(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", keras.losses.MeanSquaredError(reduction=reduction))
    model.micro_batches = 2
    model.compile("sgd", keras.losses.MeanSquaredError())
    with pytest.raises(UsageError, match=f"mean over examples, .* Received: reduction={reduction!r}"):
        model.compile("sgd", keras.losses.MeanSquaredError(reduction=reduction))


def test_another_keras(tmp_path: Path):
    """Its internals are others, perhaps."""
    fleet = Fleet(tmp_path)
    process = fleet.start(
        "-c",
        "import keras; keras.__version__ = '3.16.0'\nimport kerasft\n"
        "try: kerasft.build('placed/tiny', 'classification', labels=['a', 'b'])\n"
        "except kerasft.KerasftError as error: print(error)",
    )
    stdout, stderr = process.communicate(timeout=120)
    assert "tested with Keras 3.15. Installed: 3.16.0. pip install 'keras==3.15.*'" in stdout, stderr
