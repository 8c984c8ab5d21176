"""Label spaces: how labels are named, ordered, encoded, refused."""

import os
import subprocess
import sys

import numpy as np
import pytest
from rows import where

from kerasft.errors import DataError, UnknownNameError, UsageError


class TestSingleLabel:
    @pytest.mark.parametrize(
        ("targets", "labels"),
        [
            (["spam", "ham", "spam"], ["ham", "spam"]),
            ([2, 10, 1, 2], ["1", "2", "10"]),
            (["2", "10", "-1"], ["-1", "2", "10"]),
            ([1.0, 0.0, 1.0], ["0", "1"]),
            ([0.5, 1.0, 10.0], ["0.5", "1", "10"]),
            ([1, "1", 1.0, "2"], ["1", "2"]),
            (["b", "10", "9"], ["10", "9", "b"]),
            ([True, False], ["False", "True"]),
            (["Ä", "z", "a", "É"], ["a", "z", "Ä", "É"]),
            (list(np.array([3, 1])), ["1", "3"]),
            (list(np.array([3.0, 1.0], np.float32)), ["1", "3"]),
            (["²", "1"], ["1", "²"]),
            (["--1", "2"], ["--1", "2"]),
            (["1", "01", "001"], ["001", "01", "1"]),
        ],
    )
    def test_labels_in_a_stable_order_numbers_by_value(self, adapted, targets, labels):
        task = adapted(targets)
        assert task.labels == labels
        assert task.units == len(labels)

    def test_the_order_does_not_depend_on_pythons_hashes(self):
        code = "from kerasft_classification import labels; print(labels.ordered({'1', '01', '001', '0001'}))"
        runs = [
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": str(seed)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in range(4)
        ]
        assert len(set(runs)) == 1

    def test_targets_become_positions(self, adapted):
        task = adapted(["b", "a", "c"])
        encoded = task.encode(["c", "a", "a"], where)
        assert encoded.tolist() == [2, 0, 0] and encoded.dtype == np.int32

    @pytest.mark.parametrize("kind", [int, float, str, np.int64, np.float64])
    def test_numbers_are_the_same_label_however_they_are_written(self, adapted, kind):
        assert adapted(["7", "8"]).encode([kind(8), kind(7)], where).tolist() == [1, 0]

    def test_every_row_with_an_unknown_label_is_listed(self, adapted):
        task = adapted(["ham", "spam"])
        with pytest.raises(DataError) as caught:
            task.encode(["ham", "eggs", "spam", "Ham"], where)
        assert caught.value.problems == ["train.csv:3: 'eggs'", "train.csv:5: 'Ham'"]
        assert str(caught.value).startswith("2 rows have labels that the training data lacks (it has: ham, spam).")

    @pytest.mark.parametrize("targets", [[], ["only"], ["only"] * 5])
    def test_one_class_cannot_be_learned(self, adapted, targets):
        with pytest.raises(DataError, match="at least two labels"):
            adapted(targets)

    def test_given_labels_keep_their_order_and_are_not_learned(self, create):
        task = create(labels=["spam", "ham", "unseen"])
        task.adapt(["ham"], where)
        assert task.labels == ["spam", "ham", "unseen"]
        assert task.encode(["ham", "spam"], where).tolist() == [1, 0]

    @pytest.mark.parametrize("labels", [["a", "b", "a"], [1, "1"]])
    @pytest.mark.parametrize("mode", ["single-label", "multi-label"])
    def test_a_label_given_twice_is_refused(self, create, labels, mode):
        with pytest.raises(UsageError, match="more than once"):
            create(mode=mode, labels=labels)

    @pytest.mark.parametrize("mode", ["single-label", "multi-label"])
    def test_labels_are_a_list_not_one_string(self, create, mode):
        """``labels="ham"`` would otherwise be the three labels h, a and m."""
        with pytest.raises(UsageError, match="list"):
            create(mode=mode, labels="ham,spam")

    def test_strata_are_the_labels(self, create):
        assert create().strata([1, "1", 2.0]) == ["1", "1", "2"]


class TestMultiLabel:
    def test_lists_strings_and_nothing_at_all(self, adapted):
        targets = [["b", "a"], "a, c", "", None, [], "b", ("c",), np.array(["a"]), " a ,, b "]
        task = adapted(targets, mode="multi-label")
        assert task.labels == ["a", "b", "c"]
        encoded = task.encode(targets, where)
        assert encoded.dtype == np.float32
        assert encoded.tolist() == [
            [1, 1, 0], [1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0],
        ]  # fmt: skip

    def test_numbers(self, adapted):
        task = adapted([[2, 10], 3, [1.0]], mode="multi-label")
        assert task.labels == ["1", "2", "3", "10"]

    def test_another_separator(self, adapted):
        task = adapted(["a, b|c", "c"], mode="multi-label", separator="|")
        assert task.labels == ["a, b", "c"]

    def test_every_unknown_label_is_listed(self, adapted):
        task = adapted(["a,b"], mode="multi-label")
        with pytest.raises(DataError) as caught:
            task.encode(["a,x", None, ["y", "z"]], where)
        assert caught.value.problems == ["train.csv:2: 'x'", "train.csv:4: 'y'", "train.csv:4: 'z'"]

    @pytest.mark.parametrize("targets", [[None, ""], ["a", "a,a", None]])
    def test_fewer_than_two_labels_cannot_be_learned(self, adapted, targets):
        with pytest.raises(DataError, match="at least two labels"):
            adapted(targets, mode="multi-label")

    def test_a_missing_target_means_no_label_here_only(self, create):
        assert create(mode="multi-label").missing_targets
        assert not create().missing_targets and not create(mode="regression").missing_targets

    def test_sets_of_labels_are_not_stratified(self, create):
        assert create(mode="multi-label").strata([["a"], ["a", "b"]]) is None

    @pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, 2.0])
    def test_a_threshold_no_probability_can_be_on_both_sides_of(self, create, threshold):
        with pytest.raises(UsageError, match="threshold"):
            create(mode="multi-label", threshold=threshold)


class TestRegression:
    @pytest.mark.parametrize("targets", [[1, 3], ["1", "3.0"], [1.0, 3.0], [np.float32(1), np.int64(3)], ["1e0", " 3"]])
    def test_standardised_by_mean_and_deviation(self, adapted, targets):
        task = adapted(targets, mode="regression")
        assert (task.mean, task.scale) == (2.0, 1.0)
        encoded = task.encode(targets, where)
        assert encoded.tolist() == [[-1.0], [1.0]] and encoded.dtype == np.float32

    def test_validation_targets_are_measured_by_the_training_targets(self, adapted):
        assert adapted([0, 10], mode="regression").encode([20], where).tolist() == [[3.0]]

    def test_every_row_that_is_no_finite_number_is_listed(self, adapted):
        with pytest.raises(DataError) as caught:
            adapted([1, "two", None, "nan", float("inf"), "", [3]], mode="regression")
        assert caught.value.problems == [
            "train.csv:3: 'two'", "train.csv:4: None", "train.csv:5: 'nan'", "train.csv:6: inf", "train.csv:7: ''",
            "train.csv:8: [3]",
        ]  # fmt: skip

    @pytest.mark.parametrize("targets", [[4, 4, 4], [4]])
    def test_a_constant_cannot_be_learned(self, adapted, targets):
        with pytest.raises(DataError, match="Every training target is 4"):
            adapted(targets, mode="regression")


def test_an_unknown_mode_is_corrected(create):
    with pytest.raises(UnknownNameError, match="Did you mean multi-label"):
        create(mode="multilabel")


@pytest.mark.parametrize(
    ("targets", "options"),
    [
        (["a", "b"], {}),
        (["a|b", "c"], {"mode": "multi-label", "separator": "|", "threshold": 0.3, "dropout": 0.0}),
        ([1.5, 2.5, 9], {"mode": "regression", "dropout": 0.2}),
    ],
)
def test_its_config_makes_it_again(create, adapted, targets, options):
    import json

    task = adapted(targets, **options)
    config = json.loads(json.dumps(task.get_config()))
    again = create(**config)
    assert type(again) is type(task) and again.get_config() == task.get_config()
    assert np.array_equal(again.encode(targets, where), task.encode(targets, where))
    assert config == {**config, **options}
