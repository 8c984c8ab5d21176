"""Phases and settings as data: what is filled in when nothing is said, and what is refused."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from kerasft import phases
from kerasft.engine.settings import Settings
from kerasft.errors import UnknownNameError, UsageError
from kerasft.phases import DEFAULTS, Lora, Phase, parse, resolve

OWN = (Phase("head", epochs=2, learning_rate=0.1), Phase("all", epochs=4, learning_rate=0.01, layer_decay=0.7))
"""What a backbone says about itself."""

NOT_NUMBERS = [0, -1e-3, math.nan, math.inf, -math.inf, "1e-3", True]


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_a_rate_is_a_finite_number_above_zero(value: Any) -> None:
    with pytest.raises(UsageError) as raised:
        Phase(learning_rate=value)
    assert str(raised.value) == f"Phase: learning_rate must be a finite number above 0. Received: {value!r}"


@pytest.mark.parametrize("value", [*(value for value in NOT_NUMBERS), 1.1])
def test_layer_decay_is_a_fraction(value: Any) -> None:
    with pytest.raises(UsageError, match="layer_decay must be above 0 and at most 1"):
        Phase(layer_decay=value)
    assert Phase(layer_decay=1).layer_decay == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, 3.0, "3", None, True])
def test_epochs_are_a_whole_number_from_one(value: Any) -> None:
    with pytest.raises(UsageError, match="epochs must be a whole number from 1"):
        Phase(epochs=value)


@pytest.mark.parametrize("value", ["", "heads", "top", "top0", "top-1", "top1.5", "2", 0, -1, 2.0, True, None, []])
def test_what_trains_is_head_topn_or_all(value: Any) -> None:
    with pytest.raises(UsageError, match="train is 'head', 'all', or 'topN' with N from 1"):
        Phase(value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schedule": "cosin"}, "schedule is one of linear, cosine, constant. Received: 'cosin'"),
        ({"warmup": 1}, "warmup must be from 0 to below 1. Received: 1"),
        ({"warmup": -0.1}, "warmup"),
        ({"warmup": math.nan}, "warmup"),
        ({"warmup": "0.1"}, "warmup"),
        ({"batch_norm": "no"}, "batch_norm is true or false. Received: 'no'"),
        ({"batch_norm": 0}, "batch_norm"),
    ],
)
def test_other_values_out_of_range(options: dict, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        Phase(**options)
    assert says in str(raised.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        Phase("tail", epochs=0, learning_rate=-1)
    assert [line.split()[1] for line in str(raised.value).splitlines()] == ["train", "epochs", "learning_rate"]


@pytest.mark.parametrize(("train", "groups"), [("head", 0), ("top1", 1), (3, 3), ("top4", 4), ("all", 4)])
def test_groups_are_counted_from_the_deepest(train: str | int, groups: int) -> None:
    assert Phase(train).groups(4) == groups


@pytest.mark.parametrize("train", ["top99", 5])
def test_more_groups_than_there_are(train: str | int) -> None:
    with pytest.raises(UsageError) as raised:
        Phase(train).groups(4)
    assert str(raised.value) == f"Phase {Phase(train).label}: the backbone has 4 groups of layers, so top1 to top4."


class TestResolve:
    def test_head_first_then_all_with_layer_decay(self) -> None:
        """When neither the user nor the backbone says anything."""
        head, rest = resolve(None, ())
        assert (head.train, rest.train) == ("head", "all")
        assert head.learning_rate is not None and rest.learning_rate is not None
        assert head.learning_rate > rest.learning_rate
        assert head.layer_decay == 1.0 and rest.layer_decay is not None and 0 < rest.layer_decay < 1

    def test_the_backbones_own(self) -> None:
        assert resolve(None, OWN) == (Phase("head", 2, 0.1, 1.0), OWN[1])

    def test_epochs_and_rate_are_those_of_the_last(self) -> None:
        head, rest = resolve(None, OWN, epochs=7, learning_rate=0.5)
        assert (head.epochs, head.learning_rate) == (2, 0.1)
        assert rest == Phase("all", 7, 0.5, 0.7)

    def test_phases_of_the_user_take_what_they_do_not_say_from_the_backbone(self) -> None:
        given = ["head:3", {"train": "top2"}, Phase("all", 2, 0.3, 1.0, "cosine")]
        assert resolve(given, OWN) == (
            Phase("head", 3, 0.1, 1.0),
            Phase("top2", 1, 0.01, 0.7),
            Phase("all", 2, 0.3, 1.0, "cosine"),
        )

    @pytest.mark.parametrize("own", [(Phase("head"), Phase("all")), (Phase("all"),), (Phase("head", 5),)])
    def test_a_backbone_that_leaves_rates_out_gets_the_default_ones(self, own: tuple[Phase, ...]) -> None:
        """A rate of zero would train nothing, without a word."""
        assert all(phase.learning_rate for phase in resolve(None, own))
        head, rest = resolve(["head:1", "all:1"], own)
        assert head.learning_rate == DEFAULTS[0].learning_rate
        assert (rest.learning_rate, rest.layer_decay) == (DEFAULTS[1].learning_rate, DEFAULTS[1].layer_decay)

    @pytest.mark.parametrize("own", [(), OWN, (Phase("head"), Phase("top2", 1, 0.01), Phase("all"))])
    def test_adapters_train_ten_times_as_fast_unless_told(self, own: tuple[Phase, ...]) -> None:
        for plain, adapted in zip(resolve(None, own), resolve(None, own, lora=True), strict=True):
            assert plain.learning_rate is not None
            factor = 1 if plain.train == "head" else 10
            assert adapted.learning_rate == pytest.approx(factor * plain.learning_rate)
        assert resolve(None, own, learning_rate=0.2, lora=True)[-1].learning_rate == 0.2
        assert resolve(["all:1:0.2"], own, lora=True)[0].learning_rate == 0.2

    @pytest.mark.parametrize("also", [{"epochs": 1}, {"learning_rate": 0.1}])
    def test_phases_exclude_epochs_and_rate(self, also: dict) -> None:
        with pytest.raises(UsageError, match="Give either phases, or epochs and learning_rate"):
            resolve(["all:1"], OWN, **also)

    @pytest.mark.parametrize("options", [{"epochs": 0}, {"learning_rate": math.nan}, {"learning_rate": 0}])
    def test_zero_is_refused_not_taken_for_nothing(self, options: dict) -> None:
        with pytest.raises(UsageError, match=next(iter(options))):
            resolve(None, OWN, **options)

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ([], "There must be at least one phase"),
            ("head", "phases is a list of phases. Received: 'head'"),
            (Phase(), "phases is a list of phases"),
            ({"train": "all"}, "phases is a list of phases"),
            ([3], "A phase is a Phase, a mapping, or text such as head:1:1e-3. Received: 3"),
            ([None], "A phase is a Phase"),
        ],
    )
    def test_what_is_no_list_of_phases(self, given: Any, says: str) -> None:
        with pytest.raises(UsageError) as raised:
            resolve(given, OWN)
        assert says in str(raised.value)

    def test_a_misspelt_setting_is_corrected(self) -> None:
        with pytest.raises(UnknownNameError, match="phase named 'leraning_rate'\\.\nDid you mean learning_rate"):
            resolve([{"leraning_rate": 0.1}], OWN)


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("head", Phase("head")),
        ("all:3", Phase("all", 3)),
        ("top2:3:5e-5", Phase("top2", 3, 5e-5)),
        ("all:3:3e-5:layer_decay=0.9,schedule=cosine", Phase("all", 3, 3e-5, 0.9, "cosine")),
        ("all:2:warmup=0,batch_norm=true", Phase("all", 2, warmup=0, batch_norm=True)),
        ("all:epochs=4,batch_norm=False", Phase("all", 4)),
    ],
)
def test_phases_of_the_command_line(text: str, phase: Phase) -> None:
    assert parse(text) == phase
    assert phases.from_json(phases.to_json(phase)) == phase


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "train is 'head'"),
        ("tail:1", "train is 'head'"),
        ("all:x", "A phase is TRAIN:EPOCHS[:LEARNING_RATE]"),
        ("all:1.5", "A phase is TRAIN:EPOCHS"),
        ("all::1e-3", "A phase is TRAIN:EPOCHS"),
        ("all:1:fast", "A phase is TRAIN:EPOCHS"),
        ("all:1:1e-3:layer_decay", "A phase is TRAIN:EPOCHS"),
        ("all:1:1e-3:2:x=1", "A phase is TRAIN:EPOCHS"),
        ("all:0", "epochs must be a whole number from 1"),
        ("all:1:nan", "learning_rate must be a finite number"),
        ("all:1:-1", "learning_rate must be a finite number"),
        ("all:1:epochs=1.5", "epochs must be a whole number"),
        ("all:1:layer_decay=fast", "layer_decay must be above 0"),
        ("all:1:batch_norm=yes", "batch_norm is true or false"),
        ("all:1:layerdecay=0.9", "Did you mean layer_decay"),
    ],
)
def test_texts_that_are_no_phase(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert says in str(raised.value)


class TestLora:
    @pytest.mark.parametrize("rank", [0, -1, 2.0, "8", True, None])
    def test_rank(self, rank: Any) -> None:
        with pytest.raises(UsageError, match="Lora: rank must be a whole number from 1"):
            Lora(rank=rank)

    @pytest.mark.parametrize("alpha", NOT_NUMBERS)
    def test_alpha(self, alpha: Any) -> None:
        with pytest.raises(UsageError, match="Lora: alpha must be a finite number above 0"):
            Lora(alpha=alpha)

    @pytest.mark.parametrize("groups", ["block_1", [1]])
    def test_groups(self, groups: Any) -> None:
        with pytest.raises(UsageError, match="Lora: groups is a list of names"):
            Lora(groups=groups)

    def test_json(self) -> None:
        lora = Lora(rank=4, alpha=2, groups=("a", "b"))
        assert phases.to_json(lora) == {"rank": 4, "alpha": 2, "groups": ["a", "b"]}
        assert phases.to_json(phases.lora_from_json(phases.to_json(lora))) == phases.to_json(lora)
        with pytest.raises(UnknownNameError, match="setting of lora named 'rnak'\\.\nDid you mean rank"):
            phases.lora_from_json({"rnak": 4})
        with pytest.raises(UsageError, match=r"lora is a Lora or a mapping of its settings\. Received: 8"):
            phases.lora_from_json(8)
        assert phases.lora_from_json(lora) is lora


CONFIG: Mapping[str, Any] = {
    "phases": [{"train": "all"}], "batch_size": 8, "accumulation": 1, "seed": 0, "optimizer": "adamw",
    "weight_decay": 0.01, "clip_norm": 1.0, "ema": None, "lora": None, "precision": "float32", "monitor": None,
    "batch_tokens": None, "balance": False, "cache_gigabytes": 8.0, "augment": None, "views": 0,
    "early_stopping": None, "checkpoint_steps": None, "checkpoint_minutes": 10.0, "tensorboard": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number from 1. Received: 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number from 1. Received: 2.5"),
        ({"batch_size": None}, "batch_size must be"),
        ({"batch_size": math.nan}, "batch_size must be"),
        ({"accumulation": 0}, "accumulation must be a whole number from 1"),
        ({"accumulation": 1.5}, "accumulation must be"),
        ({"accumulation": 9}, "accumulation splits a batch of 8. Received: accumulation=9"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295. Received: -1"),
        ({"seed": 2**32}, "seed must be"),
        ({"seed": 0.5}, "seed must be"),
        ({"seed": None}, "seed must be"),
        ({"early_stopping": 0}, "early_stopping must be a whole number from 1. Received: 0"),
        ({"early_stopping": 1.5}, "early_stopping must be"),
        ({"checkpoint_steps": 0}, "checkpoint_steps must be"),
        ({"checkpoint_minutes": -1}, "checkpoint_minutes must be 0 or above, or None. Received: -1"),
        ({"checkpoint_minutes": math.nan}, "checkpoint_minutes must be"),
        ({"checkpoint_minutes": "1"}, "checkpoint_minutes must be"),
        ({"precision": "bflot16"}, "There is no precision named 'bflot16'.\nDid you mean bfloat16 or float32?"),
        ({"precision": "float16"}, "There is no precision named 'float16'"),
        ({"precision": None}, "There is no precision named 'None'"),
        ({"batch_tokens": 0}, "batch_tokens must be a whole number from 1. Received: 0"),
        ({"balance": "yes"}, "balance must be true or false. Received: 'yes'"),
        ({"cache_gigabytes": -1}, "cache_gigabytes must be 0 or above. Received: -1"),
        ({"cache_gigabytes": float("nan")}, "cache_gigabytes must be 0 or above"),
        ({"ema": 2}, "ema must lie between 0 and 1"),
        ({"lora": {"rank": 0}}, "Lora: rank"),
        ({"phases": [{"train": "al"}]}, "train is 'head'"),
    ],
)
def test_settings_out_of_range(changes: dict, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        Settings.of({**CONFIG, **changes})
    assert says in str(raised.value)


def test_settings_that_are_wrong_are_named_together() -> None:
    with pytest.raises(UsageError, match=r"batch_size.*\n.*seed.*\n.*precision"):
        Settings.of({**CONFIG, "batch_size": 0, "seed": -1, "precision": "int8"})


def test_settings_know_how_many_epochs_there_can_be() -> None:
    assert Settings.of({**CONFIG, "phases": [{"epochs": 2}, {"epochs": 3}]}).epochs == 5
