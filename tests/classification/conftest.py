"""Shared by the tests of the classification task."""

from collections.abc import Callable
from typing import Any

import pytest
from rows import where


@pytest.fixture
def create() -> Callable[..., Any]:
    """The task as the core makes it: by name, through its plugin."""
    from kerasft import host
    from kerasft.specs import load_object

    return load_object(host.load().task("classification").factory, "test")


@pytest.fixture
def adapted(create: Callable[..., Any]) -> Callable[..., Any]:
    """`adapted(targets, **options)` makes a task that has learned its label space."""

    def make(targets: Any, **options: Any) -> Any:
        task = create(**options)
        task.adapt(targets, where)
        return task

    return make
