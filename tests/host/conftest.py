"""Real wheels of third-party plugins, and real installations of them."""

import importlib.metadata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from plugin_environment import Environment, pip
from plugin_projects import PROJECTS, Project


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every project built as a wheel, by the name of its distribution."""
    root = tmp_path_factory.mktemp("wheels")
    for project in PROJECTS:
        project.write(root / "src" / project.distribution)

    def build(projects: list[Project]) -> None:
        sources = [str(root / "src" / project.distribution) for project in projects]
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(root), *sources)

    with ThreadPoolExecutor() as pool:
        list(pool.map(build, [PROJECTS[::2], PROJECTS[1::2]]))
    return {project.distribution: next(root.glob(f"{project.module}-*.whl")) for project in PROJECTS}


@pytest.fixture(scope="session")
def install(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    """`install(project, …)` makes an environment of third-party plugins, beside the first-party ones."""
    first_party = {point.name for point in importlib.metadata.entry_points(group="kerasft.v1")}
    assert first_party >= {"bert", "classification"}, "kerasft is not installed: pip install --no-deps -e ."

    def make(*projects: Project) -> Environment:
        target = tmp_path_factory.mktemp("environment") / "site-packages"
        files = [str(wheels[project.distribution]) for project in projects]
        pip("install", "--no-deps", "--no-index", "--target", str(target), *files)
        return Environment((target,))

    return make
