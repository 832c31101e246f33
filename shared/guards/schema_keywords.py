"""The keywords of JSON Schema draft 7.

Source: draft-handrews-json-schema-validation-01. Each keyword pays for the elements
that it reads; `ValidationRun` pays for keywords and schemas.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.guards import formats
from shared.guards.schema_run import Keyword, NotASchema, Path, ValidationRun, Violation
from shared.guards.schema_values import TYPES, is_equal, is_multiple, is_number, key_of

Schema = Mapping[str, Any]
Violations = Iterator[Violation]


def _is_object(instance: Any) -> bool:
    return isinstance(instance, Mapping)


def _mapping(keyword: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NotASchema(f"{keyword} must be an object")
    return value


def _list(keyword: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise NotASchema(f"{keyword} must be a list")
    return value


def _type(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    names = argument if isinstance(argument, list) else [argument]
    run.budget.pay_nodes(len(names))
    for name in names:
        is_of_type = TYPES.get(name) if isinstance(name, str) else None
        if is_of_type is None:
            raise NotASchema(f"unknown type {str(name)[:80]!r}")
        if is_of_type(instance):
            return
    yield Violation(path, "type", argument, instance, schema)


def _enum(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if not any(
        is_equal(value, instance, run.budget) for value in _list("enum", argument)
    ):
        yield Violation(path, "enum", argument, instance, schema)


def _const(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if not is_equal(argument, instance, run.budget):
        yield Violation(path, "const", argument, instance, schema)


def _limit(
    name: str,
    applies: Callable[[Any], bool],
    breaks: Callable[[Any, Any], bool],
) -> Keyword:
    """A keyword that compares a number of the instance with its argument."""

    def check(
        _: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
    ) -> Violations:
        if not is_number(argument):
            raise NotASchema(f"{name} must be a number")
        if applies(instance) and breaks(instance, argument):
            yield Violation(path, name, argument, instance, schema)

    return check


def _pattern(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if isinstance(instance, str) and not run.matches(argument, instance):
        yield Violation(path, "pattern", argument, instance, schema)


def _format(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if (
        run.checks_formats
        and isinstance(instance, str)
        and not formats.conforms(argument, instance)
    ):
        yield Violation(path, "format", argument, instance, schema)


def _unique_items(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if argument is not True or not isinstance(instance, list):
        return
    keys: set[str] = set()
    for index, item in enumerate(instance):
        key = key_of(item, run.budget)
        if key in keys:
            yield Violation(path, "uniqueItems", argument, instance, schema, index)
            return
        keys.add(key)


def _items(
    run: ValidationRun, argument: Any, instance: Any, _: Schema, path: Path
) -> Violations:
    if not isinstance(instance, list):
        return
    if isinstance(argument, list):
        for index, (item, schema) in enumerate(zip(instance, argument, strict=False)):
            yield from run.check(schema, item, (*path, index))
        return
    for index, item in enumerate(instance):
        yield from run.check(argument, item, (*path, index))


def _additional_items(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    listed_schemas = schema.get("items")
    if not isinstance(instance, list) or not isinstance(listed_schemas, list):
        return
    if argument is False and len(instance) > len(listed_schemas):
        detail = len(listed_schemas)
        yield Violation(path, "additionalItems", argument, instance, schema, detail)
        return
    for index in range(len(listed_schemas), len(instance)):
        yield from run.check(argument, instance[index], (*path, index))


def _contains(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if isinstance(instance, list) and not any(
        run.accepts(argument, item) for item in instance
    ):
        yield Violation(path, "contains", argument, instance, schema)


def _properties(
    run: ValidationRun, argument: Any, instance: Any, _: Schema, path: Path
) -> Violations:
    if not _is_object(instance):
        return
    members = _mapping("properties", argument)
    run.budget.pay_nodes(len(members))
    for name, schema in members.items():
        if name in instance:
            yield from run.check(schema, instance[name], (*path, name))


def _pattern_properties(
    run: ValidationRun, argument: Any, instance: Any, _: Schema, path: Path
) -> Violations:
    if not _is_object(instance):
        return
    for pattern, schema in _mapping("patternProperties", argument).items():
        for name, value in instance.items():
            if run.matches(pattern, str(name)):
                yield from run.check(schema, value, (*path, name))


def _additional_properties(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if not _is_object(instance):
        return
    extra = _additional(run, instance, schema)
    if argument is False and extra:
        yield Violation(path, "additionalProperties", argument, instance, schema, extra)
        return
    for name in extra:
        yield from run.check(argument, instance[name], (*path, name))


def _additional(
    run: ValidationRun, instance: Mapping[str, Any], schema: Schema
) -> list[str]:
    """The names that neither `properties` nor `patternProperties` cover."""
    run.budget.pay_nodes(len(instance))
    properties = _mapping("properties", schema.get("properties", {}))
    patterns = _mapping("patternProperties", schema.get("patternProperties", {}))
    return [
        name
        for name in instance
        if name not in properties
        and not any(run.matches(pattern, str(name)) for pattern in patterns)
    ]


def _property_names(
    run: ValidationRun, argument: Any, instance: Any, _: Schema, path: Path
) -> Violations:
    if _is_object(instance):
        for name in instance:
            yield from run.check(argument, name, path)


def _required(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if not _is_object(instance):
        return
    names = _list("required", argument)
    run.budget.pay_nodes(len(names))
    for name in names:
        if name not in instance:
            yield Violation(path, "required", argument, instance, schema, name)


def _dependencies(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if not _is_object(instance):
        return
    dependencies = _mapping("dependencies", argument)
    run.budget.pay_nodes(len(dependencies))
    for name, dependency in dependencies.items():
        if name not in instance:
            continue
        if not isinstance(dependency, list):
            yield from run.check(dependency, instance, path)
            continue
        run.budget.pay_nodes(len(dependency))
        for required in dependency:
            if required not in instance:
                detail = (required, name)
                yield Violation(
                    path, "dependencies", argument, instance, schema, detail
                )


def _all_of(
    run: ValidationRun, argument: Any, instance: Any, _: Schema, path: Path
) -> Violations:
    for schema in _list("allOf", argument):
        yield from run.check(schema, instance, path)


def _any_of(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if not any(run.accepts(choice, instance) for choice in _list("anyOf", argument)):
        yield Violation(path, "anyOf", argument, instance, schema)


def _one_of(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    accepting = 0
    for choice in _list("oneOf", argument):
        accepting += run.accepts(choice, instance)
        if accepting > 1:
            break
    if accepting != 1:
        yield Violation(path, "oneOf", argument, instance, schema, accepting)


def _not(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    if run.accepts(argument, instance):
        yield Violation(path, "not", argument, instance, schema)


def _if(
    run: ValidationRun, argument: Any, instance: Any, schema: Schema, path: Path
) -> Violations:
    branch = "then" if run.accepts(argument, instance) else "else"
    if branch in schema:
        yield from run.check(schema[branch], instance, path)


def _is_text(instance: Any) -> bool:
    return isinstance(instance, str)


def _is_list(instance: Any) -> bool:
    return isinstance(instance, list)


_SIZES: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any, Any], bool]]] = {
    "minimum": (is_number, lambda value, limit: value < limit),
    "maximum": (is_number, lambda value, limit: value > limit),
    "exclusiveMinimum": (is_number, lambda value, limit: value <= limit),
    "exclusiveMaximum": (is_number, lambda value, limit: value >= limit),
    "multipleOf": (is_number, lambda value, limit: not is_multiple(value, limit)),
    "minLength": (_is_text, lambda value, limit: len(value) < limit),
    "maxLength": (_is_text, lambda value, limit: len(value) > limit),
    "minItems": (_is_list, lambda value, limit: len(value) < limit),
    "maxItems": (_is_list, lambda value, limit: len(value) > limit),
    "minProperties": (_is_object, lambda value, limit: len(value) < limit),
    "maxProperties": (_is_object, lambda value, limit: len(value) > limit),
}

KEYWORDS: Mapping[str, Keyword] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    **{name: _limit(name, *rule) for name, rule in _SIZES.items()},
    "pattern": _pattern,
    "format": _format,
    "uniqueItems": _unique_items,
    "items": _items,
    "additionalItems": _additional_items,
    "contains": _contains,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "required": _required,
    "dependencies": _dependencies,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
}
