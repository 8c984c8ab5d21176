"""Decoding in graph mode, and every figure of a report against scikit-learn or a sum done by hand."""

import numpy as np
import pytest
import tensorflow as tf
from rows import where
from scipy.special import expit, softmax
from sklearn import metrics as sklearn_metrics

LABELS = ["ham", "spam", "eggs"]


def decode(task, logits):
    """In a traced graph that knows nothing about the size of a batch, as prediction and serving run it."""
    graph = tf.function(lambda x: task.decode(x, {}), [tf.TensorSpec([None, len(logits[0])], tf.float32)])
    return {name: value.numpy() for name, value in graph(tf.constant(logits, tf.float32)).items()}


@pytest.fixture
def single(create):
    return create(labels=LABELS)


@pytest.fixture
def multi(create):
    return create(mode="multi-label", labels=LABELS, separator="|", threshold=0.3)


class TestSingleLabel:
    LOGITS = ((4.0, 0.0, 0.0), (0.0, 1.0, 0.9), (0.0, -1.0, 3.0), (0.2, 0.1, 0.0), (-5.0, 5.0, 0.0))

    def test_decode(self, single):
        answers = decode(single, self.LOGITS)
        probabilities = softmax(self.LOGITS, axis=1)
        np.testing.assert_allclose(answers["probabilities"], probabilities, rtol=1e-5)
        assert answers["label"].tolist() == [b"ham", b"spam", b"eggs", b"ham", b"spam"]
        np.testing.assert_allclose(answers["score"], probabilities.max(axis=1), rtol=1e-5)
        assert answers["score"].dtype == np.float32

    def test_labels_of_any_script_come_back_as_utf8(self, create):
        answers = decode(create(labels=["日本", "Österreich"]), [[0.0, 1.0], [1.0, 0.0]])
        assert [label.decode() for label in answers["label"]] == ["Österreich", "日本"]

    def test_no_examples(self, single):
        graph = tf.function(lambda x: single.decode(x, {}), [tf.TensorSpec([None, 3], tf.float32)])
        assert {name: value.shape.as_list() for name, value in graph(tf.zeros([0, 3])).items()} == {
            "label": [0], "score": [0], "probabilities": [0, 3],
        }  # fmt: skip

    def test_figures_equal_scikit_learns(self, single):
        dice = np.random.default_rng(1)
        targets = dice.integers(0, 3, 200).astype(np.int32)
        logits = dice.normal(size=(200, 3)) + 1.5 * np.eye(3)[targets]
        found = single.evaluate(targets, decode(single, logits))
        predicted, probabilities = logits.argmax(1), softmax(logits, axis=1)
        assert found.metrics == pytest.approx(
            {
                "accuracy": sklearn_metrics.accuracy_score(targets, predicted),
                "f1": sklearn_metrics.f1_score(targets, predicted, average="macro"),
                "loss": sklearn_metrics.log_loss(targets, probabilities),
            },
            rel=1e-5,
        )
        labels, counts = found.confusion
        assert labels == LABELS
        assert counts == sklearn_metrics.confusion_matrix(targets, predicted).tolist()

    def test_the_table_of_labels(self, single):
        """By hand: of two ham one is found; spam is predicted twice, once rightly; eggs do not occur."""
        found = single.evaluate(np.array([0, 0, 1]), {"probabilities": np.eye(3)[[0, 1, 1]]})
        assert found.tables[0].columns == ("label", "precision", "recall", "f1", "examples")
        assert found.tables[0].rows == [
            ("ham", 1.0, 0.5, pytest.approx(2 / 3), 2),
            ("spam", 0.5, 1.0, pytest.approx(2 / 3), 1),
            ("eggs", 0.0, 0.0, 0.0, 0),
        ]
        assert found.metrics["f1"] == pytest.approx(2 / 3)  # of the labels that occur

    @pytest.mark.parametrize(
        ("right", "of", "low", "high"),
        [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (965, 1000, 0.9517, 0.9747)],
    )
    def test_the_wilson_interval(self, create, right, of, low, high):
        """Known values, as in Wilson 1927 (and binom.confint of R)."""
        targets = np.zeros(of, np.int32)
        probabilities = np.eye(2)[[0] * right + [1] * (of - right)]
        found = create(labels=["a", "b"]).evaluate(targets, {"probabilities": probabilities})
        assert found.metrics["accuracy"] == right / of
        assert found.intervals["accuracy"] == pytest.approx((low, high), abs=1e-4)

    def test_the_worst_mistakes_first_and_only_mistakes(self, single):
        probabilities = np.array([[0.5, 0.4, 0.1], [0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.1, 0.9, 0.0], [0.6, 0.3, 0.1]])
        found = single.evaluate(np.array([1, 1, 2, 1, 2]), {"probabilities": probabilities})
        assert [mistake.example for mistake in found.mistakes] == [1, 2, 4, 0]  # equally bad ones in their own order
        assert [mistake.badness for mistake in found.mistakes] == pytest.approx([0.9, 0.9, 0.9, 0.6])
        assert found.mistakes[0].what == "spam, predicted ham at 0.90"

    def test_a_probability_of_zero_for_the_truth_costs_much_but_not_everything(self, single):
        found = single.evaluate(np.array([1]), {"probabilities": np.array([[1.0, 0.0, 0.0]])})
        assert 20 < found.metrics["loss"] < 50


class TestMultiLabel:
    def test_decode(self, multi):
        logits = [[3.0, -3.0, 3.0], [-3.0, -3.0, -3.0], [-0.8, 0.0, -0.9]]
        answers = decode(multi, logits)
        np.testing.assert_allclose(answers["probabilities"], expit(logits), rtol=1e-5)
        assert answers["label"].tolist() == [b"ham|eggs", b"", b"ham|spam"]  # 0.31 and 0.5; 0.289 lies below
        np.testing.assert_allclose(answers["score"], expit(logits).max(axis=1), rtol=1e-5)

    def test_figures_equal_scikit_learns(self, multi):
        dice = np.random.default_rng(2)
        targets = (dice.random((150, 3)) < 0.4).astype(np.float32)
        logits = dice.normal(size=(150, 3)) + 2 * targets - 1
        found = multi.evaluate(targets, decode(multi, logits))
        predicted = expit(logits) >= 0.3
        assert found.metrics == pytest.approx(
            {
                "f1": sklearn_metrics.f1_score(targets, predicted, average="micro"),
                "macro_f1": sklearn_metrics.f1_score(targets, predicted, average="macro"),
                "accuracy": sklearn_metrics.accuracy_score(targets, predicted),
            }
        )
        _, recall, _, support = sklearn_metrics.precision_recall_fscore_support(targets, predicted)
        assert [(row[2], row[4]) for row in found.tables[0].rows] == list(zip(recall, support, strict=True))

    def test_mistakes_name_what_was_there_and_what_was_said(self, multi):
        probabilities = np.array([[0.9, 0.1, 0.1], [0.9, 0.9, 0.0], [0.0, 0.0, 0.0], [0.0, 0.2, 0.0]])
        targets = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 0], [0, 1, 0]], np.float32)
        found = multi.evaluate(targets, {"probabilities": probabilities})
        assert [(m.example, m.badness, m.what) for m in found.mistakes] == [
            (1, pytest.approx(1.0), "eggs, predicted ham+spam"),
            (2, pytest.approx(1.0), "ham+spam, predicted no label"),
            (3, pytest.approx(0.8), "spam, predicted no label"),
        ]

    @pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
    def test_f1_while_training_equals_scikit_learns_over_all_batches(self, create, threshold):
        task = create(mode="multi-label", labels=LABELS, threshold=threshold)
        (metric,) = task.metrics()
        dice = np.random.default_rng(3)
        targets, logits = (dice.random((50, 3)) < 0.3).astype(np.float32), dice.normal(size=(50, 3)) * 2
        for epoch in range(2):
            metric.reset_state()
            for start in range(0, 50, 16):
                metric.update_state(targets[start : start + 16], logits[start : start + 16].astype(np.float32))
            expected = sklearn_metrics.f1_score(targets, expit(logits) >= threshold, average="micro")
            assert float(metric.result()) == pytest.approx(expected, rel=1e-6), epoch
        assert metric.name == task.monitor[0].removeprefix("val_")

    def test_f1_of_nothing_is_zero(self, multi):
        (metric,) = multi.metrics()
        metric.update_state(np.zeros((2, 3)), np.full((2, 3), -9.0, np.float32))
        assert float(metric.result()) == 0.0


class TestRegression:
    def test_decode_gives_the_unit_of_the_data(self, adapted):
        task = adapted([10.0, 30.0], mode="regression")
        assert decode(task, [[0.0], [1.0], [-2.5]])["value"].tolist() == [20.0, 30.0, -5.0]

    def test_figures_equal_scikit_learns_in_the_unit_of_the_data(self, adapted):
        truth = [1.0, 4.0, 7.0, 8.0]
        task = adapted(truth, mode="regression")
        predicted = np.array([2.0, 4.0, 5.0, 8.5])
        found = task.evaluate(task.encode(truth, where), {"value": predicted})
        assert found.metrics == pytest.approx(
            {"mae": 3.5 / 4, "rmse": np.sqrt(5.25 / 4), "r2": sklearn_metrics.r2_score(truth, predicted)}, rel=1e-6
        )

    def test_the_largest_errors_first(self, adapted):
        task = adapted([10.0, 20.0, 30.0], mode="regression")
        found = task.evaluate(task.encode([10, 20, 30], where), {"value": np.array([11.0, 20.0, 22.0])})
        assert [(m.example, m.what) for m in found.mistakes] == [
            (2, "30, predicted 22"), (0, "10, predicted 11"), (1, "20, predicted 20"),
        ]  # fmt: skip

    @pytest.mark.parametrize("targets", [[3.0], [3.0, 3.0]])
    def test_a_figure_that_does_not_exist_is_left_out(self, adapted, targets):
        """R² needs examples that differ; a report is JSON, which has no not-a-number."""
        task = adapted([0.0, 10.0], mode="regression")
        found = task.evaluate(task.encode(targets, where), {"value": np.array(targets) + 1.0})
        assert found.metrics == pytest.approx({"mae": 1.0, "rmse": 1.0})
