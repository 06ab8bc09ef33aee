"""An answer that is not the service's takes no page away, whichever way a listing is read.

It may come for the first page, one in the middle or the last, and to any of the ways to read:
pages, items, what is found, the full result, each of them ahead too. Each raises botocore's
ResponseParserError, hands out what came before, and its resume token stands before the page that is
missing. Which answers these are, and all else that asks the service, is in ``tests/client``.
"""

from typing import TYPE_CHECKING

import pytest
from botocore.parsers import ResponseParserError
from support.listings import WAYS, ids_in, list_exports, read_into, reading

from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", [0, 1, 2])
async def test_every_way_of_reading_goes_on_with_the_page_that_is_missing(
    client: "Client", emulator: Emulator, after: int, way: tuple[str, bool]
) -> None:
    how, ahead = way
    pages = list_exports(client, PageSize=10)
    came: list[str] = []
    emulator.inject_foreign_answer("portal", after=after)

    async with reading(pages, ahead=ahead) as reader:
        before = reader.resume_token
        with pytest.raises(ResponseParserError):
            await read_into(came, reader, how)

    assert came == ([] if how == "full result" else list(emulator.export_ids[: 10 * after]))
    assert how != "full result" or pages.resume_token == before
    emulator.clear_faults()
    rest = list_exports(client, StartingToken=pages.resume_token)
    assert came + await ids_in(rest) == list(emulator.export_ids)
