"""`kerasft.strategy` by itself, and what becomes of workers whose peers end."""

import signal
import time
from pathlib import Path

import pytest
from placed_fleet import Fleet, cluster, finish
from test_placement_equality import phase, scenario

import kerasft


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_one_device_is_the_default_strategy():
    import tensorflow as tf

    for devices, kind in (("auto", "auto"), ("cpu", "auto"), (1, "auto"), ("1", "mirrored"), ("auto", "one")):
        assert kerasft.strategy(devices, kind) is tf.distribute.get_strategy()


PLAIN_KERAS = """
import kerasft

with kerasft.strategy(2).scope():
    model = kerasft.build("placed/tiny", "classification", labels=["ham", "spam"])
    model.compile("adam", model.assembly.task.loss(), metrics=["accuracy"])
data = kerasft.dataset(model, ["a b c", "d", "e f", "g h", "i"], ["ham", "spam", "ham", "spam", "ham"], batch_size=4)
logs = model.fit(data, epochs=2, verbose=0).history
print(len(logs["loss"]), sorted(model.evaluate(data, verbose=0, return_dict=True)), model.predict(data).shape)
"""


def test_a_model_that_is_compiled_and_fitted_by_hand(fleet: Fleet):
    (answer,) = finish([fleet.start("-c", PLAIN_KERAS)])
    assert answer.code == 0, answer.stderr[-4000:]
    assert answer.stdout.splitlines()[-1] == "2 ['accuracy', 'loss'] (5, 2)"


CHIEF = "import kerasft; from kerasft.engine.placement import is_chief; print(is_chief(kerasft.strategy()))"


def test_a_worker_with_index_0_beside_a_chief_is_none(fleet: Fleet):
    answers = finish([fleet.start("-c", CHIEF, TF_CONFIG=config) for config in cluster(chief=True)])
    assert [answer.stdout.split() for answer in answers] == [["True"], ["False"]], answers[0].stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_whose_peer_is_killed_says_so(fleet: Fleet, victim: int):
    scenarios = {"long": scenario(40, phase(epochs=3000))}
    workers = [fleet.train(f"worker {i}", scenarios, "auto", TF_CONFIG=config) for i, config in enumerate(cluster())]
    checkpoints = fleet.out("worker 0") / "long" / "run" / "checkpoints"
    while not list(checkpoints.glob("*.safetensors")):  # one is made every epoch
        assert workers[0].poll() is None and workers[1].poll() is None
        time.sleep(0.2)
    workers[victim].send_signal(signal.SIGKILL)
    answers = finish(workers)
    assert answers[1 - victim].code == 1
    assert "RunError: Another worker of TF_CONFIG has stopped" in answers[1 - victim].stderr
