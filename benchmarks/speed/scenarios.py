"""What is measured, on how many examples, and what kerasft promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS = "kerasft"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One program that trains.

    Args:
        name: in file and command line.
        label: for readers.
        runner: file ``run_<runner>.py`` measures it.
        examples: at most so many are timed: a slow side needs fewer for seconds that can be measured.
        quick: the same for ``--quick``, which leaves the side out at 0.
        changes: to the scenario's own settings, for example to the length that texts are padded to.
    """

    name: str
    label: str
    runner: str
    examples: int
    quick: int
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Floor:
    """The promise that `ours` takes at most ``1 / ratio`` of the time of `other`; None promises nothing."""

    other: str
    ratio: float | None
    ours: str = OURS


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One training task, and who does it.

    Args:
        name: in file and command line.
        title: for readers.
        settings: for every runner: data, what trains, epochs, most tokens of a text, learning rate.
        sides: in the order of the first repetition; the second goes backwards, and so on.
        floors: the comparisons.
        unit: what times are given per: ``"example"`` and epoch, or ``"step"``.
    """

    name: str
    title: str
    settings: Mapping[str, Any]
    sides: Sequence[Side]
    floors: Sequence[Floor]
    unit: str = "example"

    def spec(self, side: Side, quick: bool) -> dict[str, Any]:
        """For the runner."""
        spec = {**self.settings, "examples": side.quick if quick else side.examples, **side.changes}
        return {**spec, "warm": False, "enough": 0.5} if quick else spec

    def side(self, name: str) -> Side:
        """By name."""
        return next(side for side in self.sides if side.name == name)


def _ours(examples: int, quick: int, **changes: Any) -> Side:
    return Side(name=OURS, label="kerasft", runner="kerasft", examples=examples, quick=quick, changes=changes)


def _keras_hub(length: int, examples: int, quick: int, **changes: Any) -> Side:
    return Side(
        name=f"keras_hub_{length}",
        label=f"KerasHub, padded to {length}",
        runner="keras_hub",
        examples=examples,
        quick=quick,
        changes={"length": length, **changes},
    )


def _hf(label: str, examples: int, quick: int, name: str = "hf", **changes: Any) -> Side:
    return Side(name=name, label=label, runner="hf", examples=examples, quick=quick, changes=changes)


_ONCE = {"epochs": 1}  # nothing is kept between its epochs: all cost the same

SCENARIOS: Sequence[Scenario] = (
    Scenario(
        name="head",
        title="Head only, 5 epochs, short sentences",
        settings={"data": "sentences", "train": "head", "epochs": 5, "length": 128, "rate": 2e-3},
        sides=(
            _ours(2000, 64),
            _keras_hub(512, 64, 0, **_ONCE),
            _keras_hub(128, 256, 64, **_ONCE),
            _hf("HF Trainer, frozen encoder, dynamic padding", 256, 64),
        ),
        floors=(Floor("keras_hub_512", 150), Floor("keras_hub_128", 20), Floor("hf", 15)),
    ),
    Scenario(
        name="full",
        title="Full fine-tune, 3 epochs, short sentences",
        settings={"data": "sentences", "train": "all", "epochs": 3, "length": 128, "rate": 1e-4},
        sides=(
            _ours(2000, 64),
            Side(
                name="kerasft_bf16",
                label="kerasft, bfloat16",
                runner="kerasft",
                # Half of them: without instructions for bfloat16 it takes seven times as long as float32. Of 256, more
                # than half of the time was what is once a run: tracing, the first steps, files of weights.
                examples=1000,
                quick=0,
                changes={"precision": "bfloat16"},
            ),
            _keras_hub(512, 64, 0, **_ONCE),
            _keras_hub(128, 160, 0, **_ONCE),
            _hf("HF Trainer, dynamic padding, float32", 512, 64, **_ONCE),
            _hf(
                "HF Trainer, grouped by length, bfloat16",
                512,
                64,
                "hf_bf16",
                precision="bfloat16",
                grouped=True,
                **_ONCE,
            ),
        ),
        floors=(
            Floor("keras_hub_512", 15),
            Floor("keras_hub_128", 3),
            Floor("hf", 2),
            Floor("hf_bf16", 1, "kerasft_bf16"),
            Floor("hf_bf16", None),
        ),
    ),
    Scenario(
        name="documents",
        title="Full fine-tune, BBC News documents, 256 tokens",
        settings={"data": "documents", "train": "all", "epochs": 1, "length": 256, "rate": 1e-4},
        sides=(
            _ours(256, 32),
            _keras_hub(256, 64, 32),
            _hf("HF Trainer, dynamic padding, float32", 64, 0),
        ),
        floors=(Floor("keras_hub_256", 1.3), Floor("hf", 1.5)),
    ),
    Scenario(
        name="top2",
        title="Top 2 of 6 layers, 5 epochs, short sentences",
        settings={"data": "sentences", "train": "top2", "epochs": 5, "length": 128, "rate": 1e-4},
        sides=(_ours(640, 64), _keras_hub(128, 256, 32, **_ONCE)),
        floors=(Floor("keras_hub_128", 5),),
    ),
    Scenario(
        name="step",
        title="Overhead of a step, tiny head on features in memory",
        # Texts are cut to 8 tokens: features cost little then, and a step with them is the same.
        settings={"kind": "steps", "data": "openings", "train": "head", "epochs": 1, "length": 8, "rate": 2e-3},
        sides=(
            _ours(1024, 1024),
            Side(name="keras", label="Keras `fit` with its defaults", runner="plain_keras", examples=1024, quick=1024),
        ),
        floors=(Floor("keras", 5),),
        unit="step",
    ),
    Scenario(
        name="wrapper",
        title="Cost of the wrapper: identical batches of 32 tokens, all layers",
        settings={"kind": "fit", "data": "openings", "train": "all", "epochs": 1, "length": 32, "rate": 1e-4},
        sides=(
            _ours(512, 64),
            Side(
                name="keras",
                label="Keras `fit` on `kerasft.build` and `kerasft.dataset`",
                runner="plain_keras",
                examples=512,
                quick=64,
            ),
        ),
        floors=(Floor("keras", 0.98),),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Plot:
    """How kerasft's cost grows with one thing.

    Args:
        name: of its file.
        title: for readers.
        axis: what is varied.
        setting: its name in the settings of a run.
        settings: of all points.
        values: of the points.
        quick: the same for ``--quick``.
    """

    name: str
    title: str
    axis: str
    setting: str
    settings: Mapping[str, Any]
    values: Sequence[Any]
    quick: Sequence[Any]

    def specs(self, quick: bool) -> list[dict[str, Any]]:
        """A run for each point."""
        settings = {**self.settings, "examples": 64, "warm": False} if quick else self.settings
        return [{**settings, self.setting: value} for value in (self.quick if quick else self.values)]


PLOTS: Sequence[Plot] = (
    Plot(
        name="examples",
        title="Full fine-tune, one epoch of short sentences",
        axis="examples",
        setting="examples",
        settings={"data": "sentences", "train": "all", "epochs": 1, "length": 128, "rate": 1e-4, "examples": 1200},
        values=(150, 300, 600, 1200),
        quick=(64,),
    ),
    Plot(
        name="length",
        title="Full fine-tune, one epoch of documents",
        axis="most tokens of a text",
        setting="length",
        settings={"data": "documents", "train": "all", "epochs": 1, "length": 256, "rate": 1e-4, "examples": 96},
        values=(16, 32, 64, 128, 256),
        quick=(16,),
    ),
    Plot(
        name="depth",
        title="3 epochs of short sentences",
        axis="what trains",
        setting="train",
        settings={"data": "sentences", "train": "all", "epochs": 3, "length": 128, "rate": 1e-4, "examples": 160},
        values=("head", "top1", "top2", "top3", "top4", "top5", "all"),
        quick=("top2",),
    ),
    Plot(
        name="epochs",
        title="Head only, short sentences",
        axis="epochs",
        setting="epochs",
        settings={"data": "sentences", "train": "head", "epochs": 1, "length": 128, "rate": 2e-3, "examples": 400},
        values=(1, 5, 10, 20),
        quick=(1, 3),
    ),
)
