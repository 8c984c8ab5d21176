"""Memory that is not enough: a real process with a real limit."""

import json
import platform
from pathlib import Path

import command_line
import pytest
from small_runs import separable, write_csv

# Once its threads run, limits its own address space to what it has and 192 MiB; then comes a batch whose embeddings
# alone (16,384 x 128 x 32 x 4 bytes) are 256 MiB. Many smaller tensors would not do: what fails then may be a buffer of
# Eigen's, or of `tf.unique` where embeddings train, and that ends the process, with no error that could be caught.
SCRIPT = """
import resource, sys
import keras
import kerasft

class Limit(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + 3 * 2**26
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

try:
    kerasft.finetune("bert/tiny", "classification", sys.argv[1], out=sys.argv[2], validation=None, batch_size=16384,
                     phases=[kerasft.Phase("top1")], cache_gigabytes=0, backbone_options={"length": 128},
                     callbacks=[Limit()])
except kerasft.KerasftError as error:
    print(error)
"""


@pytest.mark.slow
def test_what_to_try_is_said(tmp_path: Path) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("limits of memory are set by what /proc says: Linux only")
    rows = [(f"{text} " * 20, label) for text, label in separable(16384)]
    data = write_csv(tmp_path / "data.csv", rows)
    answer = command_line.python("-c", SCRIPT, data, tmp_path / "run")
    assert answer.code == 0, answer.stderr
    assert "Memory is not enough for batches of 16384 in 1 pieces. Try --accumulation 2" in answer.stdout
    assert "--batch-size 8192, or --length 64." in answer.stdout
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "failed"


FREED = """
from kerasft.engine import memory
import contextlib, resource, sys
import numpy as np

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for megabytes in range(40, 56):  # no block is as large as the last one
        np.ones(megabytes << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
alone = faults()
with memory.kept():
    faults()
    kept = faults()
resident = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
print(alone, kept, faults(), resident >> 20)
"""


def test_freed_memory_is_kept_while_training_and_given_back_afterwards() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc can be told to keep memory")
    answer = command_line.python("-c", FREED)
    assert answer.code == 0, answer.stderr
    alone, kept, after, megabytes = map(int, answer.stdout.split())
    assert kept < alone / 10 and after > alone / 2
    assert megabytes < 1000
