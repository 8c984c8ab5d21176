"""The batch plan and the optimizer: small, pure, and measured rather than read."""

import keras
import numpy as np
import pytest

from kerasft.engine import optim
from kerasft.engine.optim import WarmupThenLinear
from kerasft.engine.plan import BatchPlan


class TestPlan:
    @pytest.mark.parametrize("seed", [None, 0, 1, 12345])
    @pytest.mark.parametrize("batch_size", [1, 3, 7, 10, 100])
    @pytest.mark.parametrize("examples", [1, 9, 10, 11, 64])
    def test_every_example_exactly_once_in_every_epoch(self, examples, batch_size, seed):
        plan = BatchPlan(examples=examples, batch_size=batch_size, seed=seed)
        for epoch in range(3):
            batches = list(plan.batches(epoch))
            assert len(batches) == plan.steps
            assert [len(batch) for batch in batches[:-1]] == [batch_size] * (plan.steps - 1)
            assert 1 <= len(batches[-1]) <= batch_size
            assert sorted(np.concatenate(batches)) == list(range(examples))
            assert all(batch.dtype == np.int64 for batch in batches)

    def order(self, epoch, seed=7, examples=50, batch_size=8):
        plan = BatchPlan(examples=examples, batch_size=batch_size, seed=seed)
        return np.concatenate(list(plan.batches(epoch))).tolist()

    def test_an_order_depends_on_seed_and_epoch_and_on_nothing_else(self):
        assert self.order(3) == self.order(3)
        np.random.seed(0)
        assert self.order(3) == self.order(3, batch_size=50)
        assert len({tuple(self.order(epoch, seed)) for epoch in range(5) for seed in range(5)}) == 25

    def test_an_epoch_does_not_depend_on_which_were_drawn_before(self):
        """So that training resumes at any epoch."""
        plan = BatchPlan(examples=50, batch_size=8, seed=7)
        for epoch in (0, 1, 2):
            list(plan.batches(epoch))
        assert np.concatenate(list(plan.batches(3))).tolist() == self.order(3)

    def test_the_same_order_on_every_machine(self):
        assert self.order(0, seed=0, examples=8) == [2, 4, 3, 6, 5, 0, 1, 7]
        assert self.order(1, seed=0, examples=8) == [1, 3, 7, 6, 0, 4, 2, 5]

    def test_without_a_seed_the_order_of_the_data(self):
        assert self.order(0, seed=None) == self.order(4, seed=None) == list(range(50))


class TestSchedule:
    def rates(self, steps, peak=1.0):
        schedule = WarmupThenLinear(peak, steps)
        return [float(schedule(step)) for step in range(steps + 1)]

    def test_up_in_the_first_tenth_down_to_zero_in_the_rest(self):
        rates = self.rates(100, peak=2e-5)
        assert rates[:10] == pytest.approx([2e-6 * (i + 1) for i in range(10)])
        assert rates[10:] == pytest.approx([2e-5 * (100 - i) / 90 for i in range(10, 101)])
        assert max(rates) == pytest.approx(2e-5) and rates[-1] == 0.0

    @pytest.mark.parametrize("steps", [1, 2, 5, 9, 10, 11, 1000])
    def test_every_step_trains_and_none_above_the_peak(self, steps):
        rates = self.rates(steps, peak=0.1)
        assert all(0.0 < rate <= 0.1 + 1e-8 for rate in rates[:-1])
        assert max(rates) == pytest.approx(0.1)
        top = rates.index(max(rates))
        assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)

    def test_beyond_the_end_it_stays_at_zero(self):
        assert float(WarmupThenLinear(0.1, 10)(15)) == 0.0

    def test_its_config_makes_it_again(self):
        schedule = WarmupThenLinear(0.1, 50)
        saved = keras.optimizers.schedules.serialize(schedule)
        again = keras.optimizers.schedules.deserialize(saved)
        assert float(again(20)) == float(schedule(20))


class TestAdamW:
    @pytest.fixture
    def model(self):
        """Everything that may be decayed or not; a layer whose name contains "bias"."""
        inputs = keras.Input((4,), dtype="int32")
        x = keras.layers.Embedding(5, 6, name="embedding")(inputs)
        x = keras.layers.LayerNormalization(name="norm")(x)
        x = keras.layers.MultiHeadAttention(2, 3, name="attention")(x, x)
        x = keras.layers.Dense(6, name="debias")(x)
        x = keras.layers.BatchNormalization(name="batch_norm")(x)
        model = keras.Model(inputs, keras.layers.Dense(2, name="gamma_beta")(x))
        for weight in model.trainable_variables:
            weight.assign(np.ones(weight.shape))
        return model

    def test_only_kernels_and_embeddings_shrink_when_there_is_no_gradient(self, model):
        """Measured by updates with zero gradients, in which weight decay is all that acts."""
        optimizer = optim.adamw(model, learning_rate=0.5, steps=1)
        optimizer.apply([np.zeros(weight.shape, np.float32) for weight in model.trainable_variables])
        shrunk = {w.path for w in model.trainable_variables if np.allclose(w.numpy(), 1.0 - 0.5 * optim.WEIGHT_DECAY)}
        still = {w.path for w in model.trainable_variables if np.array_equal(w.numpy(), np.ones(w.shape))}
        assert shrunk == {
            "embedding/embeddings", "attention/query/kernel", "attention/key/kernel", "attention/value/kernel",
            "attention/attention_output/kernel", "debias/kernel", "gamma_beta/kernel",
        }  # fmt: skip
        assert shrunk | still == {w.path for w in model.trainable_variables}

    def test_the_rate_follows_the_schedule(self, model):
        optimizer = optim.adamw(model, learning_rate=0.1, steps=20)
        rates = []
        for _ in range(20):
            rates.append(float(optimizer.learning_rate))
            optimizer.apply([np.zeros(weight.shape, np.float32) for weight in model.trainable_variables])
        assert rates == pytest.approx([float(WarmupThenLinear(0.1, 20)(step)) for step in range(20)])

    def test_frozen_weights_are_left_out(self, model):
        model.get_layer("embedding").trainable = False
        optimizer = optim.adamw(model, learning_rate=0.5, steps=1)
        optimizer.apply([np.zeros(weight.shape, np.float32) for weight in model.trainable_variables])
        assert np.array_equal(model.get_layer("embedding").embeddings.numpy(), np.ones((5, 6)))

    def test_a_training_step_is_traced_once(self, model):
        """Variables made by the first step would have TensorFlow trace it twice: seconds for a large model."""
        traces = []

        class Loss(keras.losses.MeanSquaredError):
            def call(self, y_true, y_pred):
                traces.append(None)
                return super().call(y_true, y_pred)

        model.compile(optim.adamw(model, learning_rate=0.1, steps=4), Loss(), jit_compile=False)
        model.fit(np.ones((4, 4), np.int32), np.ones((4, 4, 2), np.float32), batch_size=2, epochs=2, verbose=0)
        assert len(traces) == 1
