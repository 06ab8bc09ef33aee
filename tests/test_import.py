"""The cost of importing the package."""

import subprocess
import sys

import aiodiscovery

SCRIPT = """
import sys
import aiobotocore.session
before = set(sys.modules)
import aiodiscovery
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
print(*(name in set(sys.modules) - before for name in ("aiodiscovery.emulator", "sqlite3")))
"""


def test_the_import_brings_nothing_that_is_not_needed_to_list_and_to_wait() -> None:
    output = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    ).stdout
    packages, loaded = output.splitlines()

    assert loaded == "False False"
    assert not {"trio", "starlette", "uvicorn", "boto3", "types_aiobotocore_discovery"} & set(
        packages.split()
    )
    assert set(packages.split()) - set(sys.stdlib_module_names) <= {"aiodiscovery", "anyio"}


def test_a_name_that_is_imported_when_it_is_used_is_the_same_each_time() -> None:
    report = aiodiscovery.CollectionReport

    assert report is aiodiscovery.CollectionReport
    assert "CollectionReport" in vars(aiodiscovery)
    assert not hasattr(aiodiscovery, "nonsense")
