"""Text from elsewhere, as it is shown.

The places: ids, statuses and messages of the service in the command's output and in logs
(``cli``, ``_watching``, ``_exports``), error codes (``failures``), headers of downloads
(``_exports.answers``), names of files in archives (``_exports.archive``).
"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodiscovery._client import hide_signatures, printable

SECRET = "5ec7e7"
PRESIGNED = (
    f"https://b.s3.amazonaws.com/a.zip?X-Amz-Security-Token={SECRET}&X-Amz-Signature={SECRET}"
)


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]52;c;cm0gLXJm\x07",  # sets the clipboard of a terminal
        "\x1b[2J\x1b[1;1H",  # clears the screen
        "\x9b2J",  # the same with a C1 control
        "one\ntwo\rthree\x0b\x0c\x85\u2028\u2029",  # further lines
        "\u202egnp.exe\u2066\u200f",  # read from right to left
        "\x00\x08\x7f",
        "\ud800",  # cannot be encoded
        "\ufeff\u200b\u00ad",  # not seen
        "\U000e0041",  # a tag
    ],
)
def test_what_is_not_printable_is_escaped(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert shown.isascii() or not text.isascii()
    shown.encode()


def test_what_is_printable_stays_as_it_is() -> None:
    text = r"Größe 10 m², 東京, 🚀, C:\temp, 100 %"

    assert printable(text) == text


@pytest.mark.parametrize("value", [None, 7, ["a\n"], {"a": "\x1b"}, b"\x1b"])
def test_what_is_no_text_is_shown_as_one(value: object) -> None:
    assert printable(value).isprintable()


@given(st.text(), st.integers(10, 100))
def test_it_is_on_one_line_and_within_its_limit(text: str, limit: int) -> None:
    shown = printable(text * 3, limit)

    assert shown.isprintable()
    assert len(shown) <= limit


def test_what_is_cut_off_says_so() -> None:
    assert printable("x" * 20, 10) == "xxxxxxx..."
    assert printable("\n" * 9, 10) == r"\n\n\n\..."[:10]
    assert printable("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    "text",
    [
        PRESIGNED,
        PRESIGNED.replace("?", "%3F"),
        PRESIGNED.replace("?", "%253f"),
        PRESIGNED.replace("?", "\\u003f").replace("&", "\\u0026"),
        PRESIGNED.partition("&")[0],  # cut off before its signature
        f"https://d.cloudfront.net/a?Policy={SECRET}&Signature={SECRET}&Key-Pair-Id=K",
        f"https://b.s3.amazonaws.com/a?AWSAccessKeyId=AKIA&Signature={SECRET}",
        f"?a=1,{PRESIGNED}",
        f"'{PRESIGNED}'",
    ],
)
def test_presigned_urls_lose_their_query(text: str) -> None:
    assert SECRET not in hide_signatures(text)
    assert SECRET not in printable(text)


@given(st.integers(0, len(PRESIGNED) + 2000), st.integers(20, 300))
def test_no_cut_lets_part_of_a_signed_query_through(before: int, limit: int) -> None:
    text = "x" * (before % 2000) + " " + PRESIGNED + "z" * 3000

    assert SECRET[:4] not in printable(text, limit)


def test_other_queries_stay() -> None:
    assert hide_signatures("GET https://a/?page=2 why?") == "GET https://a/?page=2 why?"


@pytest.mark.parametrize("piece", ["?", "%3F", "%25", "?a", "\\u003f", "Signature", "X-Amz-", "? "])
def test_it_takes_linear_time(piece: str) -> None:
    # The quadratic rule took two minutes for 80 kB; this allows for a slow machine.
    text = piece * (200_000 // len(piece))
    started = time.process_time()

    hide_signatures(text)
    printable(text)

    assert time.process_time() - started < 5
