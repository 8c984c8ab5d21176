"""With --json a command prints exactly one JSON object on stdout, whatever happens; all else goes to stderr."""

import json
from collections.abc import Callable
from pathlib import Path

import command_line
import pytest
from command_line import Answer
from small_runs import TEST_ROWS, Trained

import kerasft
from kerasft.cli import COMMANDS

Cli = Callable[..., Answer]


def name(value: object) -> str:
    """The name of a test case: its command."""
    return " ".join(value) if isinstance(value, list) else "-"


def listing(kind: str) -> Callable[[dict], bool]:
    return lambda value: bool(value[kind]) and all(row["name"] for row in value[kind])


def works(backbone: str, task: str) -> Callable[[dict], bool]:
    wanted = {"backbone": backbone, "task": task, "works": True}
    return lambda value: any(wanted.items() <= row.items() for row in value["matrix"])


# A command, and what its object must hold.
LIGHT: list[tuple[list[str], Callable[[dict], bool]]] = [
    (["ls", "backbones"], listing("backbones")),
    (["ls", "presets"], listing("presets")),
    (["ls", "tasks"], listing("tasks")),
    (["ls", "recipes"], listing("recipes")),
    (["recipe", "ls"], listing("recipes")),
    (["recipe", "show", "bbc_news_bert"], lambda value: "def main" in value["source"]),
    (["plugins"], lambda value: {p["id"] for p in value["plugins"]} >= {"bert", "classification"}),
    (["plugins", "--requirements"], lambda value: value["requirements"][0].startswith("kerasft==")),
    (["matrix"], works("bert", "classification")),
    (["why", "bert", "classification"], lambda value: value["works"] is True),
    (["which", "bert"], lambda value: value["found"][0]["qualified"] == "bert/bert"),
    (["assets", "ls"], lambda value: isinstance(value["assets"], list) and value["cache"].startswith("/")),
    (["doctor"], lambda value: value["problems"] == [] and "tensorflow" in value["versions"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "holds"), LIGHT, ids=lambda value: " ".join(value) if type(value) is list else ""
)
def test_an_answer_is_one_object(arguments: list[str], holds: Callable[[dict], bool], cli: Cli) -> None:
    answer = cli(*arguments, "--json")
    assert answer.code == 0
    assert holds(answer.json)
    assert answer.stderr == ""


def test_finetune_gives_metrics_by_name_and_shows_progress_on_stderr(trained: Trained) -> None:
    value = trained.answer.json
    assert value["run"] == str(trained.directory)
    answers = kerasft.load(trained.directory).predict([text for text, _ in TEST_ROWS])
    right = sum(answer["label"] == label for answer, (_, label) in zip(answers, TEST_ROWS, strict=True))
    assert value["metrics"]["accuracy"] == pytest.approx(right / len(TEST_ROWS))
    assert right >= 4  # of six, one of which has a wrong label
    assert {"accuracy", "f1"} <= set(value["metrics"])
    lines = trained.answer.stderr.splitlines()
    assert [line for line in lines if line.startswith("all epoch 4/4")]
    ours = ("note: ", "phase ", "  ", "head epoch ", "all epoch ", "frozen layers: ")  # these only on a slow machine
    assert not [line for line in lines if not line.startswith(ours)]  # nor banners of TensorFlow


def test_finetune_tells_what_happens_as_it_happens(trained: Trained) -> None:
    *events, result = trained.answer.objects
    assert result["event"] == "result"
    assert {event["event"] for event in events} == {"phase", "step", "epoch"}
    told = [(event["event"], event.get("train")) for event in events if event["event"] != "step"]
    assert told == [("phase", "head"), ("epoch", None), ("phase", "all"), *[("epoch", None)] * 3]
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4]
    history = json.loads((trained.directory / "history.json").read_text())["epochs"]
    assert [event["val_loss"] for event in epochs] == [record["val_loss"] for record in history]


def test_evaluate_gives_metrics_by_name(trained: Trained, cli: Cli) -> None:
    answer = cli("evaluate", trained.directory, "--data", trained.test, "--json")
    assert answer.code == 0
    assert answer.json["metrics"] == pytest.approx(trained.answer.json["metrics"], abs=1e-5)


def test_predict_gives_one_answer_per_text(trained: Trained, cli: Cli) -> None:
    answer = cli("predict", trained.directory, "the a is good", "the b is bad", "--json")
    assert answer.code == 0
    assert [row["label"] for row in answer.json["predictions"]] == ["kind", "<rude>"]


def test_a_process_keeps_its_stdout_clean_of_the_recipe_it_runs(tmp_path: Path) -> None:
    answer = command_line.run("recipe", "run", "bbc_news_bert", "--json", "--", "--help", cwd=tmp_path)
    assert answer.code == 0
    assert answer.json == {"name": "bbc_news_bert", "exit_code": 0}
    for option in ("--data", "--backbone", "--epochs", "--batch-size", "--learning-rate", "--length", "--seed"):
        assert option in answer.stderr
    assert not list(tmp_path.iterdir())


ERRORS: list[tuple[list[str], int, str, str]] = [
    # an error of ours, and errors that the parser of the command line finds
    (["which", "brt"], 2, "UnknownNameError", "Did you mean bert"),
    (["why", "bert", "clasification"], 2, "UnknownNameError", "Did you mean classification?"),
    (["recipe", "show", "bbc_news"], 2, "UnknownNameError", "Did you mean bbc_news_bert?"),
    (["recipe", "cp", "bbc_news"], 2, "UnknownNameError", "Did you mean bbc_news_bert?"),
    (["assets", "rm", "pypi://no==1/x"], 2, "UnknownNameError", "no cached asset"),
    (["ls", "presets", "--block", "berd"], 2, "UnknownNameError", "Did you mean bert"),
    (["finetune"], 2, "UsageError", "Missing --backbone, --task, --train"),
    (["evaluate", "no-run", "--data", "no.csv"], 1, "RunError", "no-run is not a run directory"),
    (["predict", "no-run", "text"], 1, "RunError", "no-run is not a run directory"),
    (["resume", "no-run"], 1, "RunError", "no-run is not a run directory"),
    (["lr", "--backbone", "brt/tiny", "--task", "x", "--train", "x"], 2, "UnknownNameError", "Did you mean bert?"),
    (["data", "check", "--backbone", "bert/tiny", "--task", "nr", "--train", "x"], 2, "UnknownNameError", "mean ner?"),
    (["grid", "--backbone", "bert/tiny", "--train", "x"], 2, "UsageError", "a grid is of images"),
    (["export", "no-run", "--out", "nowhere"], 1, "RunError", "no-run is not a run directory"),
    (["finetun"], 2, "UsageError", "Did you mean finetune?"),
    (["finetune", "--epochs", "many"], 2, "BadParameter", "'many' is not a valid integer"),
    (["finetune", "--epoch", "3"], 2, "NoSuchOption", "--epochs"),
    (["ls", "backbone"], 2, "BadParameter", "backbones"),
    (["ls"], 2, "MissingParameter", "backbones"),
    (["recipe", "shw", "x"], 2, "", "show"),
    (["doctor", "x"], 2, "UsageError", "unexpected extra argument"),
]


@pytest.mark.parametrize(("arguments", "code", "kind", "says"), ERRORS, ids=name)
def test_an_error_is_one_object_too(arguments: list[str], code: int, kind: str, says: str, cli: Cli) -> None:
    answer = cli(*arguments, "--json")
    assert answer.code == code
    assert answer.json["exit_code"] == code
    assert says in answer.json["error"]["message"]
    assert answer.json["error"]["type"].endswith(kind)
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_without_json_an_error_leaves_stdout_empty(cli: Cli) -> None:
    for arguments in (["which", "brt"], ["finetune", "--epoch", "3"], ["finetun"]):
        answer = cli(*arguments)
        assert (answer.code, answer.stdout) == (2, "")
        assert "Did you mean" in answer.stderr


def test_every_command_is_asked_for_json() -> None:
    asked = {arguments[0] for arguments, _ in LIGHT} | {arguments[0] for arguments, *_ in ERRORS}
    assert set(COMMANDS) - asked == {"demo", "plan"}  # in test_demo.py and test_cli_plan.py
