"""What Airflow learns about this package. Read early and often, so nothing is imported here."""

from typing import Any

__all__ = ["get_provider_info"]

_INTEGRATION = "AWS Application Discovery Service"


def get_provider_info() -> dict[str, Any]:
    """Return what ``airflow providers`` shows."""

    def modules(name: str) -> list[dict[str, Any]]:
        return [
            {"integration-name": _INTEGRATION, "python-modules": [f"aiodiscovery.airflow.{name}"]}
        ]

    return {
        "package-name": "aiodiscovery",
        "name": "aiodiscovery",
        "description": (
            "Exports of the AWS Application Discovery Service, "
            "awaited with one poller for each triggerer."
        ),
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.aws.amazon.com/application-discovery/",
                "tags": ["aws"],
            }
        ],
        "hooks": modules("hooks"),
        "operators": modules("operators"),
        "sensors": modules("sensors"),
        "triggers": modules("triggers"),
    }
