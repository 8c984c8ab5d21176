"""Names of examples, as the data readers give them to a task."""


def where(index: int) -> str:
    """The header is line 1."""
    return f"train.csv:{index + 2}"
