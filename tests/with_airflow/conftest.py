"""What the tests with Airflow share: a home for it that is gone afterwards."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Airflow reads its settings when it is imported, and the tests import it.
HOME = Path(tempfile.mkdtemp(prefix="aiodiscovery-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in list(os.environ):
    if name.startswith("AIRFLOW_"):
        del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}
