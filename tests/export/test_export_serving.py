"""The exported model alone: plain TensorFlow in a process where kerasft and keras_hub cannot be imported."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import command_line
import numpy as np
import pytest
import tensorflow as tf
from command_line import Answer
from small_runs import LABELS, Trained

import kerasft
from kerasft.engine.predictor import Predictor
from kerasft.errors import ExportError
from kerasft.export.savedmodel import compare, write_savedmodel

# Nothing of ours: what a user of the export would write.
SERVE = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("kerasft", "kerasft_bert", "kerasft_classification", "keras_hub", "keras_nlp"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import tensorflow as tf
import tensorflow_text  # registers the operations of the tokenizer

def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value

def answers(serve, texts):
    return {name: plain(value.numpy().tolist()) for name, value in serve(tf.constant(texts, tf.string)).items()}

texts = [bytes.fromhex(text) for text in json.loads(open(sys.argv[1]).read())]
found = {}
for directory in sys.argv[2:]:
    serve = tf.saved_model.load(directory).signatures["serving_default"]
    (inputs,) = serve.structured_input_signature[1].items()
    found[directory] = {
        "input": [inputs[0], inputs[1].dtype.name, inputs[1].shape.as_list()],
        "outputs": {name: [spec.dtype.name, spec.shape.as_list()] for name, spec in serve.structured_outputs.items()},
        "all": answers(serve, texts),
        "one by one": [answers(serve, [text]) for text in texts[:90:10]],
    }
    try:
        found[directory]["none"] = answers(serve, [])
    except tf.errors.InvalidArgumentError as error:
        found[directory]["none"] = error.message
try:
    import kerasft
except ImportError:
    print(json.dumps(found))
"""

WORDS = ["good", "bad", "Ünïcode", "漢字", "🙂👩‍👩‍👧", "İstanbul", "naïve café", "\u200bzero\u00adwidth", "a" * 150]
TEXTS = [
    *(f"{first} {second} {i}" for i, first in enumerate(WORDS) for second in WORDS),
    *(text * 40 for text in WORDS),
    *(" ", "\t\n", "[CLS] [SEP] [PAD]", "\x00\x01 control", "…—«quotes»", "x" * 20_000),
]
BYTES = [b"", b"caf\xe9 is bad", b"\xff\xfe\x00", b"good \xf0\x9f\x98", b"\xed\xa0\x80 bad"]


class Served(NamedTuple):
    """A model, what its export answered, and the signature that it has."""

    model: Any
    directory: Path
    answers: dict[str, Any]


@pytest.fixture(scope="module")
def served(
    exporting: Answer, exported: Path, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Served]:
    """One export per mode of classification, served by one process from where they were moved to."""
    home = tmp_path_factory.mktemp("served")
    shutil.copytree(exported, home / "single-label")
    options = {"backbone_options": {"length": 16}}
    models = {
        "single-label": kerasft.load(trained.directory).model,
        "multi-label": kerasft.build(
            "bert/tiny", "classification", mode="multi-label", labels=["a", "b", "ü"], **options
        ),
        "regression": kerasft.build("bert/tiny", "classification", mode="regression", mean=5.0, scale=2.0, **options),
    }
    # A fresh head is nearly the same for every text: with a steeper one, no label is always or never given.
    logits = models["multi-label"].get_layer("logits")
    logits.kernel.assign(np.random.default_rng(0).normal(size=logits.kernel.shape))
    for name in ("multi-label", "regression"):
        write_savedmodel(models[name], home / name)
    (home / "texts.json").write_text(json.dumps([t.hex() for t in [*(t.encode() for t in TEXTS), *BYTES]]))
    answer = command_line.python("-c", SERVE, home / "texts.json", *(home / name for name in models), cwd=home)
    assert answer.code == 0, answer.stderr
    found = json.loads(answer.stdout)
    return {name: Served(model, home / name, found[str(home / name)]) for name, model in models.items()}


@pytest.fixture(params=["single-label", "multi-label", "regression"])
def each(request: pytest.FixtureRequest, served: dict[str, Served]) -> Served:
    return served[request.param]


def assert_equal(received: dict[str, Any], expected: dict[str, np.ndarray]) -> None:
    assert set(received) == set(expected)
    for name, values in expected.items():
        if values.dtype == object:
            assert received[name] == [value.decode() for value in values], name
        else:
            np.testing.assert_allclose(received[name], values, atol=1e-5, err_msg=name)


def test_the_command_says_what_it_wrote_and_verified(exporting: Answer, exported: Path, trained: Trained) -> None:
    assert exporting.json == {"run": str(trained.directory), "export": str(exported), "verified_on": 6}
    assert exporting.stderr == ""


def test_another_model_than_the_exported_one_would_be_noticed(served: dict[str, Served]) -> None:
    model, _, answers = served["single-label"]
    received = {name: np.array(values) for name, values in answers["all"].items()}
    inputs = [*(text.encode() for text in TEXTS), *BYTES]
    compare(Predictor(model)(inputs, batch_size=16), received, inputs)
    bias = model.get_layer("logits").bias
    bias.assign_add([0.01, 0.0])  # far too little to change most labels
    try:
        with pytest.raises(ExportError, match="The exported model differs from the trained one on "):
            compare(Predictor(model)(inputs, batch_size=16), received, inputs)
    finally:
        bias.assign_add([-0.01, 0.0])


def test_the_signature_takes_strings_in_batches_of_any_size(each: Served) -> None:
    assert each.answers["input"] == ["text", "string", [None]]


def test_the_outputs_are_those_of_the_task(served: dict[str, Served]) -> None:
    assert served["single-label"].answers["outputs"] == {
        "label": ["string", [None]],
        "score": ["float32", [None]],
        "probabilities": ["float32", [None, 2]],
    }
    assert set(served["multi-label"].answers["outputs"]) == {"label", "score", "probabilities"}
    assert served["regression"].answers["outputs"] == {"value": ["float32", [None]]}


def test_answers_equal_those_of_the_model_for_any_bytes(each: Served) -> None:
    inputs = [*(text.encode() for text in TEXTS), *BYTES]
    assert_equal(each.answers["all"], Predictor(each.model)(inputs, batch_size=16))


def test_answers_equal_those_of_predict(served: dict[str, Served], trained: Trained) -> None:
    received = served["single-label"].answers["all"]
    asked = [i for i, text in enumerate(TEXTS) if text.strip()]  # `predict` refuses blank texts
    answers = kerasft.load(trained.directory).predict([TEXTS[i] for i in asked])
    for i, answer in zip(asked, answers, strict=True):
        assert answer["label"] == received["label"][i]
        assert answer["score"] == pytest.approx(received["score"][i], abs=1e-5)
        assert list(answer["probabilities"].values()) == pytest.approx(received["probabilities"][i], abs=1e-5)


def test_a_text_alone_gets_the_answer_it_gets_among_others(each: Served) -> None:
    for i, alone in enumerate(each.answers["one by one"]):
        together = {name: np.array(values[10 * i : 10 * i + 1]) for name, values in each.answers["all"].items()}
        compare(together, {name: np.array(values) for name, values in alone.items()}, TEXTS[10 * i : 10 * i + 1])


def test_no_texts_get_no_answers(each: Served) -> None:
    assert each.answers["none"] == {name: [] for name in each.answers["all"]}


def test_labels_are_in_the_graph(served: dict[str, Served]) -> None:
    assert set(served["single-label"].answers["all"]["label"]) == set(LABELS)
    several = served["multi-label"].answers["all"]
    chosen = [
        "".join(label for label, p in zip("abü", row, strict=True) if p >= 0.5) for row in several["probabilities"]
    ]
    assert several["label"] == [",".join(labels) for labels in chosen]
    assert len(set(several["label"])) > 1


@pytest.mark.usefixtures("exporting")
def test_the_manifest_says_what_to_import_and_what_was_verified(exported: Path, trained: Trained) -> None:
    manifest = json.loads((exported / "kerasft_export.json").read_text())
    assert manifest["import_before_loading"] == ["tensorflow_text"]
    assert manifest["input"] == {"name": "text", "dtype": "string", "shape": ["batch"]}
    assert manifest["task"]["labels"] == list(LABELS)
    assert manifest["tensorflow"] == tf.__version__
    assert manifest["verified_on"].startswith("6 examples")


@pytest.mark.usefixtures("exporting")
def test_the_older_export_is_gone_and_nothing_unfinished_is_left(exported: Path) -> None:
    assert not (exported / "variables" / "old").exists()
    assert [path.name for path in exported.parent.iterdir()] == ["news"]
    assert exported.stat().st_mode & 0o055 == 0o055
