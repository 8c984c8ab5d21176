"""What the model of a run is fed with: encoded once, in planned batches, from its frozen part on where there is one."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kerasft import augmentations, keras_private
from kerasft.assets.cache import cache_dir
from kerasft.engine import prefix
from kerasft.engine.augment import Augmentation
from kerasft.engine.pipeline import Batches, target_tensor
from kerasft.engine.plan import BatchPlan
from kerasft.engine.prefix import Features
from kerasft.engine.prepare import Part, Prepared
from kerasft.engine.settings import Settings
from kerasft.engine.store import Store, StoreError
from kerasft.engine.views import Inputs, Views
from kerasft.errors import UsageError
from kerasft.model import Split, Together, TrainedModel

_NAMED = 8  # examples of a batch that a message names
# What Keras does between two calls of TensorFlow takes some 0.4 ms, in which a core multiplies about so often. Calls
# of fifty times that make it vanish.
_OVERHEAD = 2e7
_MOST_STEPS = 64


class Feed:
    """Batches for training and validation.

    Args:
        model: whose backbone encodes.
        prepared: the data.
        settings: of the run.
        strategy: of `tf.distribute`.

    Attributes:
        plan: which training example stands in which batch.
        encodings: of each part, by its name.

    Raises:
        UsageError: classes are to be balanced, and the task has none.
    """

    def __init__(self, model: TrainedModel, prepared: Prepared, settings: Settings, strategy: tf.distribute.Strategy):
        self._model = model
        self._task = model.assembly.task
        self._settings = settings
        self._strategy = strategy
        self._train, self._validation = prepared.train, prepared.validation
        parts = [part for part in (prepared.train, prepared.validation) if part is not None]
        self.encodings = {part.name: model.assembly.encodings(part.inputs) for part in parts}
        self.plan = self._plan(prepared.train, settings.seed, self._classes(prepared.train))
        self._store = Store(cache_dir() / "features", int(settings.cache_gigabytes * 1e9))
        self._features: dict[str, Features] = {}
        self._made: dict[str, Batches] = {}
        augmentations.check(settings.augment, placed=self._task.placed)
        self._augmentation = Augmentation(settings.augment, self._task.mix) if settings.augment else None
        self._views: Views | None = None

    @property
    def cached(self) -> bool:
        """Whether batches begin behind the frozen part."""
        return bool(self._features)

    @property
    def element_spec(self) -> Any:
        """Of one training batch, whole: replicas get parts of it, and calls several."""
        several = self._model.steps_per_execution if self._strategy.num_replicas_in_sync == 1 else 1
        spec = self._batches(self._train, self.plan).dataset(each=several).element_spec
        return spec.examples if isinstance(spec, Together) else spec

    @property
    def validation_plan(self) -> BatchPlan | None:
        """The same in every epoch; None if there are no validation data."""
        return None if self._validation is None else self._plan(self._validation)

    def begin_phase(self, progress: Callable[[int, int], None], tell: Callable[[str], None]) -> None:
        """Computes the outputs of the frozen part, or finds them on disk, if that saves anything."""
        self._features, self._made = {}, {}
        split = self.kept(tell)
        if split is None:
            return
        found: dict[str, Features] = {}
        try:
            for name, inputs in self.frozen_inputs().items():
                found[name] = prefix.compute(self._model, split, inputs, self._store, tell, progress)
        except StoreError as error:
            tell(f"The frozen layers are computed anew in every epoch: {error}")
            return
        self._features = found
        tell(self._describe(prefix.kernel_weights(split.prefix)))

    def kept(self, tell: Callable[[str], None]) -> Split | None:
        """The model cut where outputs of its frozen part are to be kept; None if that saves nothing or cannot be."""
        split = self._model.split
        if split is None or not self._store.limit or not prefix.is_worth_it(split):
            if self._settings.views:
                tell("No views are kept: there are no frozen layers whose outputs are worth keeping.")
            return None
        if self._settings.augment and not self._settings.views:
            tell("The frozen layers are computed anew in every epoch: images are augmented.")
            return None
        if keras_private.is_multi_worker(self._strategy):
            if self._settings.views:
                tell("No views are kept: several machines train.")
            return None  # each would compute all examples to use its share of them
        if reason := prefix.obstacle(split):
            tell(f"The frozen layers are computed anew in every epoch: {reason}.")
            return None
        return split

    def frozen_inputs(self) -> Mapping[str, Inputs]:
        """What the frozen part is computed for, by part: the examples, or augmented copies of them."""
        if self._augmentation is not None and self._views is None:
            encodings = self.encodings[self._train.name]
            targets = target_tensor(encodings.of_examples(self._train.encoded))
            settings = self._settings
            self._views = Views(
                *(encodings, self._task, targets, self._augmentation),
                strengths=settings.augment,
                count=settings.views,
                seed=settings.seed,
            )
        return {**self.encodings, **({self._train.name: self._views} if self._views else {})}

    def train(self, epochs: range, step: int = 0) -> Any:
        """Batches of these epochs, of the first from `step` on; spread over replicas if there are several."""
        batches = self._batches(self._train, self.plan)
        if self._strategy.num_replicas_in_sync == 1:
            return batches.dataset(epochs, step, self._model.steps_per_execution)
        return batches.distributed(self._strategy, epochs, step)

    def validation(self) -> tuple[Any, int | None]:
        """All batches of the validation data, and how many; ``(None, None)`` if there are no data."""
        plan = self.validation_plan
        if self._validation is None or plan is None:
            return None, None
        batches = self._batches(self._validation, plan)
        alone = self._strategy.num_replicas_in_sync == 1
        return batches.dataset() if alone else batches.distributed(self._strategy), plan.steps()

    def steps_per_execution(self, epochs: int, watched: bool = False, cached: bool | None = None) -> int:
        """How many updates TensorFlow makes in one call: more than one if they are small.

        Args:
            epochs: of the phase, which is at least four calls, so that it can be watched.
            watched: whether somebody wants to hear of every batch.
            cached: whether batches begin behind the frozen part, if not as they do now.
        """
        if watched or self._strategy.num_replicas_in_sync > 1:  # Keras #19246
            return 1
        split = self._model.split if (self.cached if cached is None else cached) else None
        # Each weight of a kernel multiplies once per position, forward, and twice backward.
        positions = self._positions(split.prefix.outputs if split else self._model.inputs)
        work = 6 * prefix.kernel_weights(split.suffix if split else self._model) * self._settings.batch_size * positions
        steps = self.plan.steps()
        steps = min(_MOST_STEPS, max(1, round(50 * _OVERHEAD / max(1, work))), max(1, steps * epochs // 4), steps)
        every = self._settings.checkpoint_steps
        return math.gcd(steps, every) if every else steps

    def name_batch(self, epoch: int, batch: int) -> str:
        """The examples of a batch as they are called in the data."""
        index = next(self.plan.batches(epoch, start=batch))
        if (inputs := self.encodings[self._train.name].inputs_of) is not None:
            index = np.unique(inputs[index])
        named = ", ".join(self._train.examples.where(int(i)) for i in index[:_NAMED])
        return named + (f" and {len(index) - _NAMED} more" if len(index) > _NAMED else "")

    def _batches(self, part: Part, plan: BatchPlan) -> Batches:
        if part.name not in self._made:
            own = self._features.get(part.name)
            table = own.table if own else None
            augmentation = self._augmentation if part is self._train else None
            encodings = self.encodings[part.name]
            targets = encodings.of_examples(part.encoded)
            views = self._views if augmentation else None
            self._made[part.name] = Batches(encodings, self._task, targets, plan, table, augmentation, views)
        return self._made[part.name]

    def _plan(self, part: Part, seed: int | None = None, classes: np.ndarray | None = None) -> BatchPlan:
        encodings = self.encodings[part.name]
        return BatchPlan(
            examples=len(encodings),
            batch_size=self._settings.batch_size,
            seed=seed,
            lengths=encodings.lengths,
            limit=encodings.limit,
            batch_tokens=self._settings.batch_tokens,
            classes=None if classes is None else encodings.of_examples(classes),
        )

    def _classes(self, part: Part) -> np.ndarray | None:
        if not self._settings.balance:
            return None
        strata = self._task.strata(part.targets)
        if strata is None:
            raise UsageError("balance needs a task whose examples have one class each.")
        return np.unique([str(stratum) for stratum in strata], return_inverse=True)[1]

    def _positions(self, tensors: Any) -> float:
        """Positions of an example, of text or image, on which the kernels behind these tensors multiply."""
        lengths = self.encodings[self._train.name].lengths
        mean = 1.0 if lengths is None else float(lengths.mean())

        def of(shape: Any) -> float:
            positions = shape[1:-1] if len(shape) > 2 else [d for d in shape[1:] if d is None]
            return math.prod(mean if d is None else d for d in positions)

        return max(of(tensor.shape) for tensor in tensors)

    def _describe(self, weights: int) -> str:
        found = self._features.values()
        examples = sum(len(inputs) for inputs in self.frozen_inputs().values())
        computed = sum(features.computed for features in found)
        size = sum(features.size for features in found)
        how = "were computed before" if not computed else "are computed once"
        if 0 < computed < examples:
            how = f"were computed before for all but {computed:,}"
        copies = f", {self._views.count} augmented copies of each training image among them," if self._views else ""
        notes = {features.note for features in found if features.note}
        return " ".join(
            [
                f"The outputs of the frozen layers for {examples:,} examples{copies} {how} and kept "
                f"({_megabytes(size)} in the cache): an epoch leaves out {weights:,} weights.",
                *sorted(notes),
            ]
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"
