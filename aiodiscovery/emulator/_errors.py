"""The ends of a call other than an answer, and the errors for wrong settings."""

import math

__all__ = [
    "DroppedConnection",
    "ServiceError",
    "check_finite",
    "check_not_negative",
    "invalid_value",
]


class ServiceError(Exception):
    """An error as the service answers it.

    :param code: the service's code for the error, such as ``InvalidParameterException``
    :param message: its message
    :param status: the HTTP status of the answer
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class DroppedConnection(Exception):  # noqa: N818 - it says what happened
    """The call was read and is not answered, because a test asked for that."""


def invalid_value(message: str) -> ServiceError:
    """Make the error for a parameter that is well formed but has an invalid value."""
    return ServiceError("InvalidParameterValueException", message)


def check_not_negative(**numbers: float | None) -> None:
    """Check settings.

    :raises ValueError: for a negative number or NaN, with the name of the setting
    """
    for name, number in numbers.items():
        # Written so that NaN is refused too.
        if number is not None and not number >= 0:
            raise ValueError(f"{name} must not be negative, but is {number}")


def check_finite(**numbers: float | None) -> None:
    """Check numbers that a calculation needs.

    :raises ValueError: for NaN or an infinite number, with the name of the number
    """
    for name, number in numbers.items():
        if number is not None and not math.isfinite(number):
            raise ValueError(f"{name} must be a finite number, but is {number}")
