"""botocore's model of the service, and whether JSON values fit it."""

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from ._errors import ServiceError, invalid_value

__all__ = [
    "TARGET_PREFIX",
    "input_shape",
    "operation_names",
    "output_shape",
    "read",
    "read_parameters",
]

_INT32 = range(-(2**31), 2**31)
# The last second of the year 9999, which is the last that a client can read as a date.
_LAST_SECOND = 253_402_300_799


@cache
def _service_model() -> ServiceModel:
    # Only the model that botocore ships: ~/.aws/models could hold a different one.
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    return ServiceModel(loader.load_service_model("discovery", "service-2"), "discovery")


TARGET_PREFIX: str = _service_model().metadata["targetPrefix"]


@cache
def operation_names() -> frozenset[str]:
    """Return the names of all operations of the service, whether the emulator has them or not."""
    return frozenset(_service_model().operation_names)


@cache
def input_shape(operation: str) -> StructureShape:
    """Return the shape of an operation's input."""
    return cast("StructureShape", _service_model().operation_model(operation).input_shape)


@cache
def output_shape(operation: str) -> StructureShape:
    """Return the shape of an operation's output."""
    return cast("StructureShape", _service_model().operation_model(operation).output_shape)


def read(shape: Shape, value: object) -> Any:
    """Read a JSON value as the service does.

    :return: the value without nulls and without members that the shape does not have
    :raises ServiceError: SerializationException if a value has the wrong JSON type,
        InvalidParameterException or InvalidParameterValueException if it breaks a constraint
    """
    known = _deserialize(shape, value, "")
    violations = list(_violations(shape, known, ""))
    if violations:
        plural = "" if len(violations) == 1 else "s"
        raise ServiceError(
            # A number out of range is an invalid value. The others are ill-formed parameters.
            "InvalidParameterValueException"
            if all(code == "range" for code, _ in violations)
            else "InvalidParameterException",
            f"{len(violations)} validation error{plural} detected: "
            + "; ".join(text for _, text in violations),
        )
    return known


def read_parameters(operation: str, parameters: object) -> Any:
    """Read the parameters of an operation; see :func:`read`.

    :raises ServiceError: with a code that the model lists for the operation, if there is one
    """
    try:
        return read(input_shape(operation), parameters)
    except ServiceError as error:
        if error.code == "InvalidParameterException" and error.code not in _error_codes(operation):
            raise invalid_value(error.message) from None
        raise


@cache
def _error_codes(operation: str) -> frozenset[str]:
    shapes = _service_model().operation_model(operation).error_shapes
    return frozenset(shape.name for shape in shapes)


def _deserialize(shape: Shape, value: object, path: str) -> Any:
    match shape:
        case StructureShape():
            members = shape.members
            return {
                name: _deserialize(members[name], item, _join(path, name))
                for name, item in _object(value, path).items()
                if item is not None and name in members
            }
        case MapShape():
            return {
                name: _deserialize(shape.value, item, _join(path, name))
                for name, item in _object(value, path).items()
            }
        case ListShape():
            if not isinstance(value, list):
                raise _wrong_type(path, "a list")
            items = cast("list[object]", value)
            return [
                _deserialize(shape.member, item, f"{path}[{index}]")
                for index, item in enumerate(items)
            ]
        case _:
            return _scalar(shape, value, path)


def _object(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong_type(path, "an object")
    return cast("dict[str, object]", value)


def _scalar(shape: Shape, value: object, path: str) -> object:
    # bool is an int in Python, but not a number in JSON.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match shape.type_name:
        case "string":
            if isinstance(value, str):
                return value
        case "boolean":
            if isinstance(value, bool):
                return value
        case "integer":
            if number and isinstance(value, int) and value in _INT32:
                return value
        case "timestamp":
            if number and isinstance(value, int | float) and abs(value) <= _LAST_SECOND:
                return value
        case _:  # double
            if number and isinstance(value, int | float) and _finite(value):
                return value
    raise _wrong_type(path, f"a valid {shape.type_name}")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that does not fit in a double
        return False


def _wrong_type(path: str, expected: str) -> ServiceError:
    return ServiceError("SerializationException", f"{path or 'The body'} is not {expected}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _violations(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the description of every constraint that a value breaks."""
    match shape:
        case StructureShape():
            for name in shape.required_members:
                if name not in value:
                    yield "missing", f"Value at '{_join(path, name)}' must not be null"
            if shape.is_tagged_union and len(value) != 1:
                yield "union", f"Value at '{path}' must have exactly one member"
            for name, item in value.items():
                yield from _violations(shape.members[name], item, _join(path, name))
        case MapShape():
            for name, item in value.items():
                yield from _violations(shape.key, name, f"{path} key")
                yield from _violations(shape.value, item, _join(path, name))
        case ListShape():
            yield from _size_violations(shape, len(value), path, "length", "length")
            for index, item in enumerate(value):
                yield from _violations(shape.member, item, f"{path}[{index}]")
        case _ if isinstance(value, str):
            yield from _text_violations(shape, value, path)
        case _:
            yield from _size_violations(shape, value, path, "range", "value")


def _text_violations(shape: Shape, value: str, path: str) -> Iterator[tuple[str, str]]:
    allowed = shape.metadata.get("enum")
    if allowed is not None and value not in allowed:
        yield "enum", f"Value at '{path}' must be one of {', '.join(allowed)}"
    too_long_or_short = list(_size_violations(shape, len(value), path, "length", "length"))
    yield from too_long_or_short
    pattern = shape.metadata.get("pattern")
    # The length is checked first, so that no pattern is applied to a text that is too long.
    if pattern is not None and not too_long_or_short and not re.fullmatch(pattern, value):
        yield "pattern", f"Value at '{path}' must match {pattern}"


def _size_violations(
    shape: Shape, size: float, path: str, kind: str, noun: str
) -> Iterator[tuple[str, str]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield kind, f"Member at '{path}' must have {noun} greater than or equal to {least:g}"
    if most is not None and size > most:
        yield kind, f"Member at '{path}' must have {noun} less than or equal to {most:g}"
