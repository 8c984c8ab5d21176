"""One plugin is loaded apart: what its hooks may be and do, and how each mistake is told."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasft.host.isolate import Broken, Contents, load_apart
from kerasft.host.scan import Found

Load = Callable[[str], Contents]
TASK = 'kerasft.TaskSpec(name="ner", requires=("tokens",), factory="pkg:Ner")'


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Load:
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(source: str) -> Contents:
        module = f"isolated_{abs(hash((request.node.name, source)))}"
        tmp_path.joinpath(f"{module}.py").write_text(f"import kerasft\n{source}")
        return load_apart(Found(id="x", distribution="dist-x", version="1.0", module=module))

    return load


@pytest.mark.parametrize(
    "source",
    [
        f"@kerasft.hookimpl\ndef kerasft_tasks(): return [{TASK}]",
        f"@kerasft.hookimpl\ndef kerasft_tasks(): return ({TASK},)",
        f"@kerasft.hookimpl\ndef kerasft_tasks(): yield {TASK}",
        f'@kerasft.hookimpl(specname="kerasft_tasks")\ndef tasks(): yield {TASK}',
    ],
)
def test_a_hook_may_give_any_iterable(source: str, load: Load) -> None:
    assert [task.name for task in load(source).tasks] == ["ner"]


def test_a_plugin_without_hooks_brings_nothing(load: Load) -> None:
    assert load("import kerasft.specs as kerasft_specs  # neither a function nor a hook") == Contents()


def test_a_hook_of_a_later_release_may_be_marked_optional(load: Load) -> None:
    source = "@kerasft.hookimpl(optionalhook=True)\ndef kerasft_metrics(): raise RuntimeError\n"
    assert load(source) == Contents()


def test_callbacks_may_leave_the_run_out(load: Load) -> None:
    source = "@kerasft.hookimpl\ndef kerasft_callbacks({}): return ['called']"
    for arguments in ("run", ""):
        (callbacks,) = load(source.format(arguments)).callbacks
        assert callbacks("the run") == ["called"]


@pytest.mark.parametrize(
    ("source", "phase", "reason"),
    [
        ("def f(:", "import", "SyntaxError"),
        ("import no_such_module", "import", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise BaseException('odd')", "import", "BaseException: odd"),
        ("class E(Exception):\n  def __str__(self): raise ValueError\nraise E", "import", "str() failed"),
        (
            "def kerasft_task(): pass",
            "hooks",
            "lacks the marker @kerasft.hookimpl; did you mean kerasft_tasks?",
        ),
        (
            "@kerasft.hookimpl\ndef backbones(): pass",
            "hooks",
            "has no hook backbones; did you mean kerasft_backbones?",
        ),
        ("@kerasft.hookimpl\ndef kerasft_tasks(run): pass", "hooks", "can not be found in the hookspec"),
        ("@kerasft.hookimpl(wrapper=True)\ndef kerasft_tasks(): yield", "hooks", "is a hook wrapper"),
        ("@kerasft.hookimpl\ndef kerasft_tasks(): raise SystemExit(2)", "hooks", "SystemExit: 2"),
        (f"@kerasft.hookimpl\ndef kerasft_tasks(): return {TASK}", "specs", "returned TaskSpec; expected an"),
        (
            "@kerasft.hookimpl\ndef kerasft_tasks(): return 'ner'",
            "specs",
            "returned str; expected an iterable",
        ),
        (
            f"@kerasft.hookimpl\ndef kerasft_recipes(): return [{TASK}]",
            "specs",
            "expected RecipeSpec. Received",
        ),
        (
            f"@kerasft.hookimpl\ndef kerasft_tasks(): return [{TASK}, {TASK}]",
            "specs",
            "(name='ner') is brought twice",
        ),
    ],
)
def test_each_mistake_has_its_phase_and_reason(source: str, phase: str, reason: str, load: Load) -> None:
    with pytest.raises(Broken) as error:
        load(source)
    assert error.value.phase == phase
    assert reason in error.value.reason
    assert "\n" not in error.value.reason


@pytest.mark.parametrize(
    "source", ["raise KeyboardInterrupt", "@kerasft.hookimpl\ndef kerasft_tasks(): raise KeyboardInterrupt"]
)
def test_ctrl_c_is_not_the_fault_of_a_plugin(source: str, load: Load) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(source)


def test_what_a_plugin_prints_stays_off_stdout(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(Broken):
        load("print('when imported')\n@kerasft.hookimpl\ndef kerasft_tasks(): print('when called')")
    assert capsys.readouterr() == ("", "when imported\nwhen called\n")
