"""Writes plain values as YAML that readers of YAML 1.1 and 1.2 read alike.

A text that one of them would read as a number, a date, a boolean or null is quoted. No
aliases are written.
"""

import math
import re
from typing import Any

import yaml

from shared.contracts.errors import Invalid
from shared.guards.trees import DEPTH, NODES, check_tree
from shared.guards.yaml_scalars import WrittenNumber, resolve, resolve_old

#: A text of characters that numbers and times have in any dialect: `0o17`, `-0x1f`,
#: `1e3`, `1_000`, `1:30`, `5319e7`.
_NUMERIC = re.compile(r"[-+]?\.?[0-9][0-9a-fA-FoOxX_.:+-]*")
_TEXT_TAG = "tag:yaml.org,2002:str"
#: libyaml writes these characters unescaped, but cannot read them back.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def dump_yaml(
    value: Any, *, width: int = 100, blocks: bool = True, label: str = "YAML"
) -> str:
    """`value` as one YAML document, with keys in their own order.

    A `WrittenNumber` keeps its written form.

    Args:
        value: Made of dict, list and JSON's scalars.
        width: The column at which long plain texts may be folded.
        blocks: Whether texts of several lines are written as blocks (`|`).
        label: Names the value in errors.

    Raises:
        Invalid: if the value is too deep or too large, or holds what JSON cannot say.
    """
    check_tree(value, label=label, nodes=NODES, depth=DEPTH)
    dumper = _BlockDumper if blocks else _Dumper
    try:
        text = yaml.dump(
            value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=width
        )
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise Invalid(f"{label}: cannot be written as YAML: {error}") from error
    return str(text)


def _is_ambiguous(text: str) -> bool:
    return (
        resolve(text) is not text
        or resolve_old(text) is not text
        or _NUMERIC.fullmatch(text) is not None
    )


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


class _BlockDumper(_Dumper):
    """Writes texts of several lines as blocks."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.Node:
    style = "'" if _is_ambiguous(text) else None
    if _UNSAFE.search(text):
        style = '"'
    return dumper.represent_scalar(_TEXT_TAG, text, style=style)


def _represent_block(dumper: yaml.CSafeDumper, text: str) -> yaml.Node:
    if "\n" in text and not _UNSAFE.search(text):
        return dumper.represent_scalar(_TEXT_TAG, text, style="|")
    return _represent_text(dumper, text)


def _represent_float(dumper: yaml.CSafeDumper, number: float) -> yaml.Node:
    if not math.isfinite(number):
        return dumper.represent_none(None)
    return dumper.represent_float(number)


def _represent_written(dumper: yaml.CSafeDumper, number: WrittenNumber) -> yaml.Node:
    # With the tag that libyaml would resolve, no tag is written.
    tag = dumper.resolve(  # type: ignore[no-untyped-call]
        yaml.ScalarNode, number.text, (True, False)
    )
    return dumper.represent_scalar(tag, number.text)


for _kind in (_Dumper, _BlockDumper):
    _kind.add_representer(float, _represent_float)
    _kind.add_representer(WrittenNumber, _represent_written)
_Dumper.add_representer(str, _represent_text)
_BlockDumper.add_representer(str, _represent_block)
