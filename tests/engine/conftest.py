"""What tests of resuming share."""

import pytest
from interrupted_runs import Whole


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run that nothing interrupted. Read only: `copy` is for resuming."""
    return Whole(tmp_path_factory.mktemp("whole"))
