"""An answer that is not the service's loses no page, however a listing is read.

It may come for the first page, one in the middle or the last, and with any way of reading: pages,
items, search results, the full result, and each of them ahead. Each raises botocore's
ResponseParserError after it has returned what came before. Its resume token then points before the
missing page. The kinds of such answers, and all other calls of the service, are in
``tests/client``.
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
