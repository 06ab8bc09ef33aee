"""A local AWS Application Discovery Service, for demos and for tests without an AWS account.

::

    with Emulator(exports=250) as emulator:
        client = boto3.client("discovery", **emulator.client_kwargs)

It speaks the service's protocol over loopback HTTP from its own thread, so every client can call
it, whatever it runs on. ``python -m aiodiscovery.emulator`` runs it alone.
"""

from ._emulator import Emulator
from ._errors import DroppedConnection, ServiceError
from ._foreign import ForeignAnswer, ForeignKind
from ._options import OPTIONS, Option, run
from ._quirks import Quirks
from ._requests import RecordedDownload, RecordedRequest

__all__ = [
    "OPTIONS",
    "DroppedConnection",
    "Emulator",
    "ForeignAnswer",
    "ForeignKind",
    "Option",
    "Quirks",
    "RecordedDownload",
    "RecordedRequest",
    "ServiceError",
    "run",
]
