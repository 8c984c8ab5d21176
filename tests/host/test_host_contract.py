"""The contract kerasft.v1 only grows: `tests/contract_v1.json` is what third parties have been promised.

After an addition, run this file as a script to write it down; it refuses to write anything else.
"""

import inspect
import json
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import pytest

from kerasft import hookspecs, specs

SNAPSHOT = Path(__file__).parents[1] / "contract_v1.json"


def contract() -> dict[str, Any]:
    """Group, fields of every spec and signature of every hook, as the code has them."""
    kinds = (specs.PresetSpec, specs.BackboneSpec, specs.TaskSpec, specs.RecipeSpec)
    hooks = [hook for name, hook in vars(hookspecs).items() if hasattr(hook, "kerasft_spec")]
    return {
        "group": hookspecs.GROUP,
        "specs": {kind.__name__: {field.name: _field(field) for field in fields(kind)} for kind in kinds},
        "hooks": {hook.__name__: _hook(hook) for hook in hooks},
    }


def _field(field: "Field[Any]") -> dict[str, Any]:
    described: dict[str, Any] = {"type": inspect.formatannotation(field.type)}
    if field.default is not MISSING:
        described["default"] = repr(field.default)
    elif field.default_factory is not MISSING:
        described["default"] = repr(field.default_factory())
    return described


def _hook(hook: Any) -> dict[str, Any]:
    signature = inspect.signature(hook)
    # A hook may gain arguments, since implementations name only those they use; it may not lose one.
    return {
        "arguments": list(signature.parameters),
        "returns": inspect.formatannotation(signature.return_annotation).strip("'"),
    }


def broken_promises(promised: dict[str, Any], code: dict[str, Any]) -> list[str]:
    """What the code changed or lost since the snapshot, and what it gained that breaks old plugins."""
    broken = [] if promised["group"] == code["group"] else [f"the group became {code['group']}"]
    for name, old in promised["specs"].items():
        new = code["specs"].get(name, {})
        broken += [f"{name}.{field} changed" for field in old if new.get(field) != old[field]]
        broken += [f"{name}.{field} is new and has no default" for field in new.keys() - old.keys()
                   if "default" not in new[field]]  # fmt: skip
    for name, old in promised["hooks"].items():
        new = code["hooks"].get(name, {"arguments": [], "returns": ""})
        if set(old["arguments"]) - set(new["arguments"]) or old["returns"] != new["returns"]:
            broken.append(f"{name} changed")
    return broken


def test_no_promise_is_broken() -> None:
    assert broken_promises(json.loads(SNAPSHOT.read_text()), contract()) == []


def test_what_was_added_is_promised_too() -> None:
    assert json.loads(SNAPSHOT.read_text()) == contract(), f"run: python {Path(__file__).name}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["specs"]["TaskSpec"].pop("summary"), "TaskSpec.summary changed"),
        (lambda c: c["specs"]["TaskSpec"]["name"].update(type="int"), "TaskSpec.name changed"),
        (lambda c: c["specs"]["BackboneSpec"]["tiny"].pop("default"), "BackboneSpec.tiny changed"),
        (lambda c: c["specs"]["TaskSpec"].update(x={"type": "str"}), "TaskSpec.x is new and has no default"),
        (lambda c: c["hooks"]["kerasft_callbacks"].update(arguments=[]), "kerasft_callbacks changed"),
        (lambda c: c["hooks"].pop("kerasft_recipes"), "kerasft_recipes changed"),
        (lambda c: c.update(group="kerasft.v2"), "the group became kerasft.v2"),
    ],
)
def test_a_break_would_be_noticed(change: Any, message: str) -> None:
    code = contract()
    change(code)
    assert broken_promises(contract(), code) == [message]


def test_growth_with_defaults_is_welcome() -> None:
    code = contract()
    code["specs"]["TaskSpec"]["icon"] = {"type": "str", "default": "''"}
    code["hooks"]["kerasft_callbacks"]["arguments"].append("phase")
    code["hooks"]["kerasft_metrics"] = {"arguments": [], "returns": "Iterable[str]"}
    assert broken_promises(contract(), code) == []


if __name__ == "__main__":
    if SNAPSHOT.exists() and (broken := broken_promises(json.loads(SNAPSHOT.read_text()), contract())):
        raise SystemExit("\n".join(broken))
    SNAPSHOT.write_text(json.dumps(contract(), indent=2) + "\n")
