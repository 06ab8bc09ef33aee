"""How the service is called: clients, their answers and failures, and when to try again."""

from .answers import answer_error, item_id, undecodable
from .backoff import Backoff
from .call import call, call_of
from .client import check_client, create_client
from .failures import (
    CALL_ERRORS,
    advise,
    concerns_the_request,
    describe_error,
    error_code,
    is_of_credentials,
    is_of_the_clock,
    is_throttling,
    may_pass,
)
from .feature_ids import FeatureId
from .text import hide_signatures, hide_signatures_in_logs, printable

__all__ = [
    "CALL_ERRORS",
    "Backoff",
    "FeatureId",
    "advise",
    "answer_error",
    "call",
    "call_of",
    "check_client",
    "concerns_the_request",
    "create_client",
    "describe_error",
    "error_code",
    "hide_signatures",
    "hide_signatures_in_logs",
    "is_of_credentials",
    "is_of_the_clock",
    "is_throttling",
    "item_id",
    "may_pass",
    "printable",
    "undecodable",
]
