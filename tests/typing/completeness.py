"""Check that a type checker knows the type of everything that is public.

    python tests/typing/completeness.py

It asks ``pyright --verifytypes``. Airflow has its own environment. If it is not installed, types
that are made of its classes cannot be known, and ``aiodiscovery.airflow`` is left out.
"""

import json
import subprocess
import sys
from importlib.util import find_spec


def main() -> int:
    command = ["pyright", "--verifytypes", "aiodiscovery", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    report = json.loads(done.stdout)["typeCompleteness"]
    left_out = () if find_spec("airflow") else ("aiodiscovery.airflow.",)
    symbols = [symbol for symbol in report["symbols"] if not symbol["name"].startswith(left_out)]
    unknown = [
        symbol for symbol in symbols if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
    ]
    for symbol in unknown:
        reasons = [diagnostic["message"] for diagnostic in symbol["diagnostics"]]
        sys.stdout.write("\n    ".join([symbol["name"], *reasons]) + "\n")
    known = len(symbols) - len(unknown)
    sys.stdout.write(f"{known} of {len(symbols)} symbols have a known type\n")
    return 1 if unknown or not symbols else 0


if __name__ == "__main__":
    sys.exit(main())
