"""Third-party plugins, one healthy and many broken, as the source of real distributions."""

from dataclasses import dataclass, field
from pathlib import Path

V1 = "kerasft.v1"


@dataclass(frozen=True)
class Project:
    """A distribution with one module; the module has the distribution's name, with underscores."""

    source: str
    entry_points: dict[str, str]  # group -> plugin id
    version: str = "1.0"
    distribution: str = field(default="", kw_only=True)

    @property
    def module(self) -> str:
        return self.distribution.replace("-", "_")

    def write(self, directory: Path) -> None:
        """Writes what `pip wheel` builds from."""
        directory.mkdir(parents=True)
        directory.joinpath(f"{self.module}.py").write_text(self.source)
        groups = "".join(
            f'[project.entry-points."{group}"]\n{id} = "{self.module}"\n' for group, id in self.entry_points.items()
        )
        directory.joinpath("pyproject.toml").write_text(
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            f'[project]\nname = "{self.distribution}"\nversion = "{self.version}"\n'
            f'{groups}[tool.setuptools]\npy-modules = ["{self.module}"]\n'
        )


# Serves two API versions at once: what it declares for v2 is no concern of a kerasft that speaks v1.
HEALTHY = Project(
    distribution="acme-healthy",
    version="3.1",
    entry_points={V1: "healthy", "kerasft.v2": "healthy"},
    source="""
import kerasft

@kerasft.hookimpl
def kerasft_backbones():
    return [
        kerasft.BackboneSpec(
            name="acorn", modality="text", provides=("pooled",), factory="acme_healthy:create",
            presets=(kerasft.PresetSpec(name="tiny"),),
        )
    ]

@kerasft.hookimpl
def kerasft_tasks():
    yield kerasft.TaskSpec(name="counting", requires=("pooled",), factory="acme_healthy:Counting")

@kerasft.hookimpl
def kerasft_recipes():
    yield kerasft.RecipeSpec(name="acorn_news", module="acme_healthy")

@kerasft.hookimpl
def kerasft_callbacks(run):
    import keras

    yield keras.callbacks.CSVLogger(str(run.directory) + "/log.csv")
""",
)

IMPORT_CRASH = Project(
    distribution="acme-import-crash",
    entry_points={V1: "import-crash"},
    source='raise RuntimeError("boom on\\ntwo lines")',
)

IMPORT_EXIT = Project(
    distribution="acme-import-exit", entry_points={V1: "import-exit"}, source="import sys\nsys.exit(3)"
)

# The first spec is good: none of it may be seen.
HOOK_CRASH = Project(
    distribution="acme-hook-crash",
    entry_points={V1: "hook-crash"},
    source="""
import kerasft

@kerasft.hookimpl
def kerasft_tasks():
    yield kerasft.TaskSpec(name="half", requires=("pooled",), factory="acme_hook_crash:Half")
    raise LookupError("boom in the hook")
""",
)

MISSPELT = Project(
    distribution="acme-misspelt",
    entry_points={V1: "misspelt"},
    source="import kerasft\n\n@kerasft.hookimpl\ndef kerasft_backbone():\n    return []\n",
)

UNMARKED = Project(
    distribution="acme-unmarked",
    entry_points={V1: "unmarked"},
    source="def kerasft_tasks():\n    return []\n",
)

WRONG_ARGUMENT = Project(
    distribution="acme-wrong-argument",
    entry_points={V1: "wrong-argument"},
    source="import kerasft\n\n@kerasft.hookimpl\ndef kerasft_callbacks(trainer):\n    return []\n",
)

NEXT_API = Project(
    distribution="acme-next-api",
    entry_points={"kerasft.v2": "next-api"},
    source='raise RuntimeError("a plugin for another API version must not be imported")',
)

WRONG_TYPE = Project(
    distribution="acme-wrong-type",
    entry_points={V1: "wrong-type"},
    source="""
import kerasft

@kerasft.hookimpl
def kerasft_backbones():
    return [kerasft.TaskSpec(name="astray", requires=("pooled",), factory="acme_wrong_type:Astray")]
""",
)

BAD_FIELD = Project(
    distribution="acme-bad-field",
    entry_points={V1: "bad-field"},
    source="""
import kerasft

@kerasft.hookimpl
def kerasft_backbones():
    return [
        kerasft.BackboneSpec(
            name="stringy", modality="text", provides=("pooled"), factory="acme_bad_field:create", tiny=""
        )
    ]
""",
)

NO_RETURN = Project(
    distribution="acme-no-return",
    entry_points={V1: "no-return"},
    source="import kerasft\n\n@kerasft.hookimpl\ndef kerasft_tasks():\n    []\n",
)


def _twin(letter: str) -> Project:
    return Project(
        distribution=f"acme-twin-{letter}",
        version=f"{ord(letter)}.0",
        entry_points={V1: "twin"},
        source=f"""
import kerasft

@kerasft.hookimpl
def kerasft_tasks():
    yield kerasft.TaskSpec(name="task-of-{letter}", requires=("pooled",), factory="acme_twin_{letter}:T")
""",
    )


TWIN_A, TWIN_B = _twin("a"), _twin("b")

# Brings a backbone of the same name as HEALTHY does.
RIVAL = Project(
    distribution="acme-rival",
    version="7.0",
    entry_points={V1: "rival"},
    source="""
import kerasft

@kerasft.hookimpl
def kerasft_backbones():
    yield kerasft.BackboneSpec(
        name="acorn", modality="image", provides=("spatial",), factory="acme_rival:create", tiny=""
    )
""",
)

# Loads well, prints on stdout, and fails later, when training asks for its callbacks.
LATE = Project(
    distribution="acme-late",
    entry_points={V1: "late"},
    source="""
import kerasft

print("hello from a plugin that talks")

@kerasft.hookimpl
def kerasft_callbacks(run):
    if run.wanted == "crash":
        raise LookupError("boom before training")
    return [run.wanted]
""",
)

PROJECTS = [
    HEALTHY,
    IMPORT_CRASH,
    IMPORT_EXIT,
    HOOK_CRASH,
    MISSPELT,
    UNMARKED,
    WRONG_ARGUMENT,
    NEXT_API,
    WRONG_TYPE,
    BAD_FIELD,
    NO_RETURN,
    TWIN_A,
    TWIN_B,
    RIVAL,
    LATE,
]
