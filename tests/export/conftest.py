"""One export of the trained run."""

from pathlib import Path

import command_line
import pytest
from command_line import Answer
from small_runs import Trained


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `exporting` has put its export."""
    return tmp_path_factory.mktemp("exports") / "news"


@pytest.fixture(scope="session")
def exporting(trained: Trained, exported: Path) -> Answer:
    """What `kerasft export --overwrite --json` said when it replaced an older export by that of the trained run."""
    (exported / "variables").mkdir(parents=True)
    (exported / "kerasft_export.json").write_text("{}")
    (exported / "variables" / "old").write_text("old")
    answer = command_line.here("export", trained.directory, "--out", exported, "--overwrite", "--json")
    assert answer.code == 0, answer.stderr
    return answer
