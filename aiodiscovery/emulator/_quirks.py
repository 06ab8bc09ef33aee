"""What may vary from archive to archive."""

from dataclasses import dataclass, fields
from typing import Literal, Self, get_args

from ._times import TIMESTAMP_FORMS, TimestampForm

__all__ = ["HeaderCase", "Quirks"]

HeaderCase = Literal["usual", "lower", "upper", "snake"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What may vary in the service's archives. A reader must cope with all of it.

    :param timestamps: the format of times: ``us`` (``01/31/2025 01:05:00 pm``, as in the User
        Guide), ``iso`` (``2025-01-31T13:05:00``), ``iso-z`` (``2025-01-31T13:05:00Z``), ``space``
        (``2025-01-31 13:05:00``) or ``space-z`` (``2025-01-31 13:05:00Z``). All are in UTC
    :param byte_order_mark: whether files begin with one
    :param crlf: whether lines end with CR and LF
    :param folder: the folder that contains the files, such as ``exports/2025``; empty: none
    :param empty_files: whether a type without rows has a file, with only a header
    :param command_columns: whether connections have two more columns: the path of the command and
        its parameters
    :param header: the case of the header: ``usual`` (``agentId``), ``lower`` (``agentid``),
        ``upper`` (``AGENTID``) or ``snake`` (``agent_id``)
    :raises ValueError: for an unknown format or case, or an invalid folder
    """

    timestamps: TimestampForm = "us"
    byte_order_mark: bool = False
    crlf: bool = False
    folder: str = ""
    empty_files: bool = False
    command_columns: bool = False
    header: HeaderCase = "usual"

    def __post_init__(self) -> None:
        if self.timestamps not in TIMESTAMP_FORMS:
            forms = ", ".join(TIMESTAMP_FORMS)
            raise ValueError(f"timestamps must be one of {forms}, not {self.timestamps!r}")
        if self.header not in get_args(HeaderCase):
            cases = ", ".join(get_args(HeaderCase))
            raise ValueError(f"header must be one of {cases}, not {self.header!r}")
        parts = self.folder.removesuffix("/").split("/")
        if self.folder and not all(part.strip(". ") for part in parts):
            raise ValueError(f"folder must be a relative path such as a/b, not {self.folder!r}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read quirks from a text such as ``crlf,folder=a/b,timestamps=iso``.

        :raises ValueError: for an unknown name or value, with what is allowed
        """
        values: dict[str, object] = {}
        defaults = {field.name: field.default for field in fields(cls)}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = part.partition("=")
            name = name.strip().replace("-", "_")
            if name not in defaults:
                known = ", ".join(known.replace("_", "-") for known in defaults)
                raise ValueError(f"must be some of {known}: {part}")
            if isinstance(defaults[name], bool) == bool(equals):
                wanted = "no value" if equals else "a value"
                raise ValueError(f"{name.replace('_', '-')} takes {wanted}: {part}")
            values[name] = value.strip() if equals else True
        return cls(**values)  # type: ignore[arg-type]  # checked above, and by the class
