"""`Run.predict` and `Run.evaluate`: any source, answers in its order."""

from pathlib import Path

import numpy as np
import pytest
from small_runs import LABELS, TEST_ROWS, Trained, separable, write_csv

import kerasft
from kerasft.engine.directory import RunDirectory
from kerasft.engine.run import Run
from kerasft.errors import DataError, UnknownNameError
from kerasft_classification.single_label import SingleLabel

TEXTS = [text for text, _ in separable(40)] + ["the q is good " + "y " * 60, "é", "good 🙂 漢字"]


@pytest.fixture(scope="module")
def run(trained: Trained) -> kerasft.Run:
    return kerasft.load(trained.directory)


@pytest.fixture(scope="module")
def one_by_one(run: kerasft.Run) -> list[dict]:
    return [run.predict(text)[0] for text in TEXTS]


def assert_close(answers: list[dict], expected: list[dict]) -> None:
    assert [row["label"] for row in answers] == [row["label"] for row in expected]
    np.testing.assert_allclose(
        [list(row["probabilities"].values()) for row in answers],
        [list(row["probabilities"].values()) for row in expected],
        atol=1e-5,
    )


def test_an_answer_has_label_score_and_probabilities(one_by_one: list[dict]) -> None:
    for answer in one_by_one:
        assert set(answer) == {"label", "score", "probabilities"}
        assert list(answer["probabilities"]) == list(LABELS)
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["score"] == max(answer["probabilities"].values()) == answer["probabilities"][answer["label"]]


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_answers_keep_the_order_of_the_inputs_whatever_the_batch(
    batch_size: int, run: kerasft.Run, one_by_one: list[dict]
) -> None:
    assert_close(run.predict(TEXTS, batch_size=batch_size), one_by_one)
    assert_close(run.predict(TEXTS[::-1], batch_size=batch_size), one_by_one[::-1])


def test_any_source_is_read(run: kerasft.Run, one_by_one: list[dict], tmp_path: Path) -> None:
    rows = [(text, str(i)) for i, text in enumerate(TEXTS)]
    sources = [
        tuple(TEXTS),
        {"text": TEXTS, "number": list(range(len(TEXTS)))},
        write_csv(tmp_path / "inputs.csv", rows, header=("text", "number")),
    ]
    for source in sources:
        assert_close(run.predict(source), one_by_one)


def test_a_string_is_a_text_even_if_a_file_has_its_name(
    run: kerasft.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "good.csv", [("bad", "")])
    assert len(run.predict("good.csv")) == 1
    assert run.predict("good.csv") != run.predict(Path("good.csv"))


def test_blank_inputs_are_refused_all_at_once(run: kerasft.Run) -> None:
    with pytest.raises(DataError) as raised:
        run.predict(["good", " ", "bad", ""])
    assert str(raised.value).startswith("2 inputs cannot be predicted on.")
    assert "input 2: text is blank" in str(raised.value)
    assert "input 4: text is blank" in str(raised.value)


def test_no_inputs_at_all_are_refused(run: kerasft.Run) -> None:
    with pytest.raises(DataError, match="There is no input"):
        run.predict([])


def test_evaluation_repeats_the_figures_of_training(run: kerasft.Run, trained: Trained) -> None:
    report = run.evaluate(trained.test)
    assert report.part == "evaluation"
    assert report.metrics == pytest.approx(run.report.metrics, abs=1e-5)
    assert report.confusion == run.report.confusion


def test_evaluation_data_are_checked_like_training_data(run: kerasft.Run) -> None:
    with pytest.raises(DataError, match="row 2: 'neutral'"):
        run.evaluate({"text": ["good", "so so"], "label": ["kind", "neutral"]})
    with pytest.raises(DataError, match="row 1: label is missing"):
        run.evaluate({"text": ["good", "bad"], "label": [None, "kind"]})
    with pytest.raises(UnknownNameError, match="no column named 'label'"):
        run.evaluate({"text": ["good"], "sentiment": ["kind"]})


def test_evaluating_takes_python_objects(run: kerasft.Run) -> None:
    report = run.evaluate(list(TEST_ROWS))
    assert report.metrics["accuracy"] == pytest.approx(5 / 6)


class Counting(SingleLabel):
    """Counts how often TensorFlow traces it."""

    traces = 0

    def decode(self, logits, alignment):
        self.traces += 1
        return super().decode(logits, alignment)


def test_the_graph_is_traced_once_for_all_batches_and_calls(trained: Trained) -> None:
    task = Counting(labels=LABELS)
    model = kerasft.build("bert/tiny", task, backbone_options={"length": 16})
    run = Run(RunDirectory(trained.directory), model)
    for texts in (["one"], ["two", "three " * 9, "four"], ["five"]):
        run.predict(texts, batch_size=2)
    run.evaluate(trained.test)
    assert task.traces == 1
