"""What `kerasft.plan` has found, as data and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

_AS_FAST = 1.05  # of the best time per example: what is measured twice differs by as much
_OF_MEMORY = 0.8  # of what is available


@dataclass(frozen=True, kw_only=True)
class PhaseEstimate:
    """One phase.

    Args:
        train: what trains.
        weights: of the model.
        trained_weights: of them, those that train.
        epochs: as asked for; with early stopping there may be fewer.
        steps: updates.
        padding: share of the tokens in training batches that is padding, a fraction of 1.
        cached: whether the frozen layers are computed once and kept.
        cache_bytes: that this phase adds to the cache.
        peak_bytes: most memory of the process.
        seconds: from its beginning to its end, validation included.
    """

    train: str
    weights: int
    trained_weights: int
    epochs: int
    steps: int
    padding: float
    cached: bool
    cache_bytes: int
    peak_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BatchSize:
    """What was measured with other batch sizes, in the phase that takes longest.

    Args:
        sizes: examples of a batch.
        seconds: per example, on texts of median length.
        peak_bytes: of the process with the longest texts, by the two largest sizes measured; memory grows linearly.
        suggested: the smallest that is as fast as the fastest, within 5 %, and needs at most 80 % of the memory there
            is; None if none does.
    """

    sizes: Sequence[int]
    seconds: Sequence[float]
    peak_bytes: Sequence[int]
    suggested: int | None

    @classmethod
    def of(
        cls,
        sizes: Sequence[int],
        seconds: Sequence[float],
        measured: Sequence[int],
        asked: int,
        peak: int,
        available: int,
    ) -> "BatchSize":
        """From what was measured on median texts, and the peak with the longest ones of the batch size asked for."""
        per_example = max(0, measured[-1] - measured[0]) / max(1, sizes[-1] - sizes[0])
        peaks = [max(0, round(peak + per_example * (size - asked))) for size in sizes]
        fits = [i for i, bytes in enumerate(peaks) if not available or bytes <= _OF_MEMORY * available]
        best = min((seconds[i] for i in fits), default=0.0)
        suggested = next((sizes[i] for i in fits if seconds[i] <= _AS_FAST * best), None)
        return cls(sizes=sizes, seconds=seconds, peak_bytes=peaks, suggested=suggested)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A run that has not been made.

    Args:
        phases: in order.
        examples: by part.
        preparation_seconds: for making the data ready, once they are read.
        peak_bytes: most memory of the process.
        available_bytes: memory that it could have; 0 if the system does not say.
        batch_size: as asked for.
        batch_sizes: how others would do.
    """

    phases: Sequence[PhaseEstimate]
    examples: Mapping[str, int]
    preparation_seconds: float
    peak_bytes: int
    available_bytes: int
    batch_size: int
    batch_sizes: BatchSize

    @property
    def seconds(self) -> float:
        """Of training: what ``training_seconds`` in ``report.json`` will be."""
        return self.preparation_seconds + sum(phase.seconds for phase in self.phases)

    @property
    def cache_bytes(self) -> int:
        """That the run adds to the cache of frozen layers, if nothing of it is there yet."""
        return sum(phase.cache_bytes for phase in self.phases)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {**asdict(self), "seconds": self.seconds, "cache_bytes": self.cache_bytes}

    def print(self, console: Console | None = None) -> None:
        """Shows it as a table in a terminal (stdout by default)."""
        console = console or Console()
        table = Table(box=None, pad_edge=False)
        table.add_column("phase")
        for name in ("weights", "trained", "epochs", "updates", "padding", "peak memory", "time"):
            table.add_column(name, justify="right")
        for phase in self.phases:
            table.add_row(
                *(phase.train, f"{phase.weights:,}", f"{phase.trained_weights:,}", str(phase.epochs)),
                *(f"{phase.steps:,}", f"{100 * phase.padding:.1f} %", megabytes(phase.peak_bytes)),
                duration(phase.seconds),
            )
        steps = sum(phase.steps for phase in self.phases)
        epochs = sum(phase.epochs for phase in self.phases)
        table.add_row(
            *("in all", "", "", str(epochs), f"{steps:,}", "", megabytes(self.peak_bytes), duration(self.seconds))
        )
        console.print(table, highlight=False)

        def line(text: str) -> None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

        there = f", of {megabytes(self.available_bytes)} that there are" if self.available_bytes else ""
        line(
            f"\nPeak memory of the process{there}. In all, with {duration(self.preparation_seconds)} to make the data "
            "ready; without starting up, and the evaluation at the end."
        )
        cached = ", ".join(phase.train for phase in self.phases if phase.cached)
        if cached:
            line(f"Cache: {megabytes(self.cache_bytes)} for the outputs of frozen layers ({cached}).")
        else:
            line("Cache: none; no phase has frozen layers whose outputs are worth keeping.")
        found = self.batch_sizes
        measured = zip(found.sizes, found.seconds, found.peak_bytes, strict=True)
        for size, seconds, peak in measured:
            line(f"Batch size {size}: {1000 * seconds:.3g} ms per example of median length, {megabytes(peak)}.")
        if found.suggested is None:
            line("Suggested batch size: less than half of it; memory is not enough. See also --accumulation.")
        else:
            asked = " (as it is)" if found.suggested == self.batch_size else ""
            line(f"Suggested batch size: {found.suggested}{asked}.")


def megabytes(size: int) -> str:
    """``1,234 MB``, and what is small in kB."""
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def duration(seconds: float) -> str:
    """``4.2 s``, or minutes and seconds: ``2:05``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole // 60 % 60:0{2 if hours else 1}d}:{whole % 60:02d}"
