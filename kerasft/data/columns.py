"""Which column is the input and which the target."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kerasft.data.examples import Examples
from kerasft.data.images import looks_like_image
from kerasft.errors import UsageError

_TEXT_NAMES = (
    "text texts sentence content review document body comment message tweet article question query utterance "
    "headline description abstract tokens words"
)
"""Column names that mean the text, in lower case."""

_IMAGE_NAMES = "image images img picture photo file filename file_name path filepath file_path image_path image_file"

ROW_NAMES = frozenset({"", "id", "idx", "index", "uid", "uuid", "guid", "unnamed: 0", "__index_level_0__"})
"""Column names that number the rows, in lower case: never taken without being named."""


@dataclass(frozen=True)
class Columns:
    """The columns a run uses; `target` is None when none was wanted."""

    input: str
    target: str | None = None


@dataclass(frozen=True)
class InputRule:
    """How the input column of a modality is recognized.

    Args:
        names: well-known names of it, in lower case.
        is_obvious: whether the values of a column leave no doubt that it is the input; receives the column,
            and the other one when there are two in question (else None).
    """

    names: frozenset[str]
    is_obvious: Callable[[pa.ChunkedArray, pa.ChunkedArray | None], bool]


def _is_obviously_text(column: pa.ChunkedArray, other: pa.ChunkedArray | None) -> bool:
    """Text that is alone; or long, mostly distinct and much longer than the other (Chinese has no blanks)."""
    length, distinct = _text_shape(column)
    if other is None:
        return length > 0
    return length >= 12 and distinct > 0.5 and length >= 3 * _text_shape(other)[0]


def _text_shape(column: pa.ChunkedArray) -> tuple[float, float]:
    """Mean length in characters and share of distinct values of the first thousand; zeros if not text."""
    values = column.slice(0, 1000).drop_null()
    if not is_text(column.type) or len(values) == 0:
        return 0.0, 0.0
    return pc.mean(pc.utf8_length(values)).as_py(), pc.count_distinct(values).as_py() / len(values)


def _is_obviously_image(column: pa.ChunkedArray, other: pa.ChunkedArray | None) -> bool:
    values = column.slice(0, 1000).drop_null().to_pylist()
    return bool(values) and all(map(looks_like_image, values))


INPUTS: Mapping[str, InputRule] = {
    "text": InputRule(frozenset(_TEXT_NAMES.split()), _is_obviously_text),
    "image": InputRule(frozenset(_IMAGE_NAMES.split()), _is_obviously_image),
}
"""By modality. For any other the input column must be named, or be called like the modality."""


def infer_columns(
    examples: Examples,
    *,
    modality: str,
    input_column: str | None = None,
    target_column: str | None = None,
    target_names: Collection[str] = (),
    with_target: bool = True,
) -> Columns:
    """Finds the input and target columns, or asks for them by name.

    A column is taken when it was named, when it is the only one with a well-known name, or when it is the
    input (by its values, beyond doubt) or the target in a table of two columns. Columns that number the rows,
    such as ``id``, do not count.

    Args:
        examples: what was read.
        modality: of the backbone, for example ``"text"``.
        input_column: the input's name, if the user gave it.
        target_column: the target's name, if the user gave it.
        target_names: well-known names of the task's target column, in lower case.
        with_target: False to predict: a target is neither needed nor returned, unless it is named.

    Raises:
        UnknownNameError: a named column does not exist; suggests the nearest.
        UsageError: in doubt; lists the columns with an example of each.
    """
    for named in (input_column, target_column):
        if named is not None:
            examples.arrow(named)  # raises if there is none
    rule = INPUTS.get(modality, InputRule(frozenset({modality}), lambda column, other: False))
    columns = [name for name in examples.columns if name.strip().lower() not in ROW_NAMES]
    target = target_column or _well_known(columns, target_names, input_column)
    found = input_column or _well_known(columns, rule.names, target) or _obvious(examples, columns, target, rule)
    if not with_target and target_column is None:
        target = None
    elif found and target is None:
        target = _only([name for name in columns if name != found])
    asked = [] if found else [f"holds the {modality}? Say --input-column NAME (Python: input_column=…)."]
    if target is None and with_target:
        asked.append("holds the target? Say --target-column NAME (Python: target_column=…).")
    if asked:
        raise _doubt(examples, asked)
    if found == target:
        raise UsageError(f"{examples.source}: column {found!r} cannot be both the input and the target.")
    return Columns(str(found), target)


def columns_of_part(
    examples: Examples, known: Columns, *, modality: str, target_names: Collection[str]
) -> tuple[Columns, list[str]]:
    """The columns of another part of the data, which may be of another format than the training part, and notes.

    They are called as those are. Where neither is there, they are found in the same way.

    Args:
        examples: of the part.
        known: columns of the training part.
        modality, target_names: as for `infer_columns`.

    Raises:
        UnknownNameError: one of the two columns is there, and the other one is not.
        UsageError: in doubt.
    """
    if known.target is None or known.input in examples.columns or known.target in examples.columns:
        return known, []
    found = infer_columns(examples, modality=modality, target_names=target_names)
    return found, [
        f"{examples.source} has neither {known.input!r} nor {known.target!r}: "
        f"read its columns {found.input!r} and {found.target!r}."
    ]


def is_text(arrow_type: pa.DataType) -> bool:
    """Whether arrow values of this type are text."""
    return pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type)


def is_words(arrow_type: pa.DataType) -> bool:
    """Whether arrow values of this type are lists of text."""
    lists = pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type)
    return lists and is_text(arrow_type.value_type)


def joined(values: Sequence[Any]) -> Sequence[Any]:
    """Texts; those that are lists of words with blanks between them."""
    return [value if isinstance(value, str) or value is None else " ".join(value) for value in values]


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _well_known(columns: list[str], known: Collection[str], other: str | None) -> str | None:
    return _only([name for name in columns if name.strip().lower() in known and name != other])


def _obvious(examples: Examples, columns: list[str], target: str | None, rule: InputRule) -> str | None:
    """The input in a table of two columns, row numbers aside: by what its values look like."""
    rest = [name for name in columns if name != target]
    if len(rest) == 1:
        return _only([name for name in rest if rule.is_obvious(examples.arrow(name), None)])
    if len(rest) != 2 or target is not None:
        return None
    first, second = (examples.arrow(name) for name in rest)
    likely = [rule.is_obvious(first, second), rule.is_obvious(second, first)]
    return _only([name for name, fits in zip(rest, likely, strict=True) if fits])


def _doubt(examples: Examples, asked: list[str]) -> UsageError:
    width = max(len(name) for name in examples.columns)
    lines = [f"{examples.source}: it is not clear which column is which."]
    lines += [f"Which one {question}" for question in asked]
    lines += [f"  {name:<{width}}  {_sample(examples.arrow(name))}" for name in examples.columns]
    if examples.source.lower().endswith((".csv", ".tsv")):
        lines.append("If these are not names of columns, the file lacks its header line.")
    return UsageError("\n".join(lines))


def _sample(column: pa.ChunkedArray) -> str:
    """The first value of a column, cut short."""
    values = column.slice(0, 1000).drop_null()
    if len(values) == 0:
        return "(empty)"
    shown = repr(values[0].as_py())
    return f"for example {shown if len(shown) <= 60 else shown[:60] + '…'}"
