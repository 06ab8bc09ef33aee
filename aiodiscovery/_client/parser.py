"""Decoding of the service's answers: timestamps in UTC, and little more than ``json.loads``.

The service's model says what an answer may hold. So each output shape is compiled, once for a
client, into a decoder. It turns what ``json.loads`` returned into what botocore's parser would
return. It works in place, and on all structures of a kind at once: a page of a hundred exports is
one list of a hundred dicts, and most checks need no loop in Python. Any answer that is not exactly
as the model says goes to botocore's parser, untouched; so do all errors. Unlike botocore's, the
dicts keep the order in which the service sent their keys.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from aiobotocore.parsers import AioResponseParserFactory
from botocore.utils import parse_timestamp

from .progress import current_call

if TYPE_CHECKING:
    from aiobotocore.session import AioSession
    from botocore.model import Shape

__all__ = ["with_fast_parser"]

# Turns values from json.loads, all at the same place of an answer, into what botocore returns.
# Raises one of _UNEXPECTED if it cannot. The values may be half changed then.
_Decoder = Callable[[list[Any]], None]

# What json.loads, a decoder or datetime raises if an answer is not as the model says: not UTF-8,
# not JSON, another type, a timestamp out of range.
_UNEXPECTED = (TypeError, ValueError, OverflowError, OSError)

_COMPONENT = "response_parser_factory"
# botocore's JSON parser returns values of these types unchanged and unchecked.
_PLAIN = frozenset({"string", "boolean", "integer", "long", "float", "double"})


def with_fast_parser(session: "AioSession") -> "AioSession":
    """Return a session that creates clients as ``session`` does, but decodes as this module does.

    The two share all their state, such as credentials once they are fetched. The original session
    and its clients do not change. If it has a response parser factory of the caller's own, or one
    with other defaults than aiobotocore's, it is returned as it is: the caller decided.
    """
    # botocore looks up the parser factory as a component of the session, for all its clients. There
    # is no public way to set it for a single client. So the client is created in an object that
    # shares the state of the session and differs only in this component.
    factory = session.get_component(_COMPONENT)
    if type(factory) is not AioResponseParserFactory or vars(factory) != vars(
        AioResponseParserFactory()
    ):
        return session
    base: Any = session.__class__
    fast_factory = _ResponseParserFactory()

    class Session(base):  # type: ignore[misc]  # the caller's may be of a class of its own
        def get_component(self, name: str) -> Any:
            return fast_factory if name == _COMPONENT else super().get_component(name)

    derived: AioSession = object.__new__(Session)
    derived.__dict__ = session.__dict__
    return derived


def _parse_timestamp(value: Any) -> datetime:
    """Do what botocore's ``parse_timestamp`` does, in UTC wherever the machine is.

    :param value: seconds since the epoch, as a number or a string, or a date and time as in ISO
        8601 or RFC 822. One without an offset is in UTC.
    :return: in UTC, or in its own zone if it is too close to either end of the calendar for that.
    :raises ValueError, RuntimeError: as botocore does, if it is not a timestamp or out of range.
    """
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        parsed = parse_timestamp(value)
    if parsed.tzinfo is None:
        return parsed.replace(tzinfo=UTC)
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        return parsed  # it is out of range in UTC


class _ResponseParserFactory(AioResponseParserFactory):
    """aiobotocore's factory, for one client, with parsers that decode timestamps in UTC."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=_parse_timestamp)
        self._decoders: dict[Shape, _Decoder | None] = {}

    def create_parser(self, protocol_name: str) -> Any:
        parser = super().create_parser(protocol_name)
        return _FastParser(parser, self._decoders) if protocol_name == "json" else parser


class _FastParser:
    """A parser of answers in the ``json`` protocol, in front of botocore's."""

    def __init__(self, botocores: Any, decoders: "dict[Shape, _Decoder | None]") -> None:
        self._botocores = botocores
        self._decoders = decoders

    async def parse(self, response: dict[str, Any], shape: "Shape | None") -> Any:
        """Parse an answer, with the parameters, result and exceptions of botocore's parser."""
        body = response["body"]
        if response["status_code"] == 200 and type(body) is bytes and shape is not None:
            decode = self._decoder(shape)
            if decode is not None:
                progress = current_call.get()
                parsed: Any = None if progress is None else progress.take(body)
                try:
                    if parsed is None:
                        parsed = json.loads(body.decode())
                    decode([parsed])
                except _UNEXPECTED:
                    pass
                else:
                    # Without a shape botocore reads only the metadata.
                    parsed.update(await self._botocores.parse(response, None))
                    return parsed
        return await self._botocores.parse(response, shape)

    def _decoder(self, shape: "Shape") -> _Decoder | None:
        """Return the decoder of answers of the shape, or None if they are left to botocore."""
        try:
            return self._decoders[shape]
        except KeyError:
            pass
        try:
            decoder = _compile(shape, frozenset())
        except _UnknownShapeError:
            decoder = None
        self._decoders[shape] = decoder
        return decoder


class _UnknownShapeError(Exception):
    """A shape holds something that no answer of the service held when this was written."""


def _compile(shape: Any, enclosing: frozenset[str]) -> _Decoder | None:
    """Return a decoder of values of the shape, or None if they need no decoding."""
    # The serialization says whether a member has another wire name, a place outside the body, ...
    if shape.serialization or shape.name in enclosing:
        raise _UnknownShapeError
    if shape.type_name in _PLAIN:
        return None
    if shape.type_name == "structure":
        return _compile_structure(shape, enclosing | {shape.name})
    if shape.type_name == "list":
        return _compile_list(shape, enclosing | {shape.name})
    if shape.type_name == "map":
        if _compile(shape.key, enclosing) or _compile(shape.value, enclosing):
            raise _UnknownShapeError
        return _expect_dicts
    raise _UnknownShapeError


def _compile_structure(shape: Any, enclosing: frozenset[str]) -> _Decoder:
    if shape.is_document_type or shape.is_tagged_union or shape.event_stream_name:
        raise _UnknownShapeError
    known = frozenset(shape.members)
    timestamps = []
    nested = []
    for name, member in shape.members.items():
        if member.type_name == "timestamp" and not member.serialization:
            timestamps.append(name)
        elif (decoder := _compile(member, enclosing)) is not None:
            nested.append((name, decoder))

    def decode(structures: list[Any]) -> None:
        _expect_dicts(structures)
        if None in chain.from_iterable(map(dict.values, structures)):
            _drop_nulls(structures)
        names: set[str] = set().union(*structures)
        if not names <= known:
            _drop(structures, names - known)
        from_timestamp = datetime.fromtimestamp
        for name in timestamps:
            for structure in structures:
                if name in structure:
                    structure[name] = from_timestamp(structure[name], UTC)
        for name, decode_nested in nested:
            if name in names:
                decode_nested([structure[name] for structure in structures if name in structure])

    return decode


def _compile_list(shape: Any, enclosing: frozenset[str]) -> _Decoder:
    decode_elements = _compile(shape.member, enclosing)
    if decode_elements is None:
        return _expect_lists

    def decode(lists: list[Any]) -> None:
        _expect_lists(lists)
        # botocore leaves a null in a list unchanged.
        decode_elements([value for value in chain.from_iterable(lists) if value is not None])

    return decode


def _expect_dicts(values: list[Any]) -> None:
    if not {dict}.issuperset(map(type, values)):
        raise TypeError


def _expect_lists(values: list[Any]) -> None:
    if not {list}.issuperset(map(type, values)):
        raise TypeError


def _drop_nulls(structures: list[Any]) -> None:
    for structure in structures:
        for name in [name for name, value in structure.items() if value is None]:
            del structure[name]


def _drop(structures: list[Any], names: set[str]) -> None:
    for structure in structures:
        for name in names & structure.keys():
            del structure[name]
