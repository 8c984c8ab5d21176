"""Optimizers and schedules."""

import keras

# Share of all steps: the warmup of BERT's own fine-tuning script (Devlin et al. 2018, run_classifier.py).
WARMUP_FRACTION = 0.1
WEIGHT_DECAY = 0.01


def adamw(model: keras.Model, *, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """AdamW with a linear warmup to `learning_rate`, then a linear decay to zero over the rest of `steps`.

    Biases and normalization weights are not decayed, as in BERT's own `AdamWeightDecayOptimizer`.
    """
    optimizer = keras.optimizers.AdamW(WarmupThenLinear(learning_rate, steps), weight_decay=WEIGHT_DECAY)
    # As variables: names are matched as substrings, and "bias" would also exempt the kernel of a layer "debias".
    undecayed = [v for v in model.trainable_variables if v.path.endswith(("/bias", "/gamma", "/beta"))]
    optimizer.exclude_from_weight_decay(var_list=undecayed)
    # Now: variables made by the first step would have TensorFlow trace the whole training step twice.
    optimizer.build(model.trainable_variables)
    return optimizer


@keras.saving.register_keras_serializable("kerasft")
class WarmupThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` over the first tenth of `steps`, then falls linearly to zero."""

    def __init__(self, peak: float, steps: int):
        self.peak = peak
        self.steps = steps

    def __call__(self, step: "keras.KerasTensor") -> "keras.KerasTensor":
        """Learning rate at an update, counted from 0."""
        step = keras.ops.cast(step, "float32")
        warmup = max(1.0, WARMUP_FRACTION * self.steps)
        rising = (step + 1.0) / warmup
        falling = (self.steps - step) / max(1.0, self.steps - warmup)
        return self.peak * keras.ops.clip(keras.ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, float]:
        """Arguments of the constructor."""
        return {"peak": self.peak, "steps": self.steps}
