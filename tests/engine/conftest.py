"""What tests of resuming and of the store share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from interrupted_runs import Whole
from small_stores import AMPLE

from kerasft.engine.store import Store


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run that nothing interrupted. Read only: `copy` is for resuming."""
    return Whole(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def home() -> Iterator[Path]:
    """In memory where the system has that: on a busy disk, the thousands of calls of fsync here take half a minute."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory) / "store"


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home, AMPLE)
