"""The project's checks: ``nox`` runs all of them, ``nox -l`` lists them."""

import os
import shutil
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "virtualenv"
# The tests run on each of these Pythons. One that the machine lacks is left out.
nox.options.error_on_missing_interpreters = False

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
AIRFLOW = "aiodiscovery/airflow"
# One Python is enough for Airflow: the oldest, which has the fewest releases to choose from.
AIRFLOW_PYTHON = next((python for python in PYTHONS if shutil.which(f"python{python}")), None)
# The Python that also measures the coverage.
NEWEST = max(
    (python for python in PYTHONS if shutil.which(f"python{python}")),
    key=PYTHONS.index,
    default=None,
)
# More processes than a small machine has processors: some tests wait for processes and servers.
PARALLEL = ("-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal", "-q")
# What the tests and the type checkers need.
EXTRAS = ".[cli,download,examples,tables,trio]"


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


def oldest_dependencies(path: Path) -> Path:
    """Write constraints that pin the dependencies of pyproject.toml to their oldest versions."""
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    lines = set[str]()
    for text in [
        *PYPROJECT["project"]["dependencies"],
        *(requirement for extra in extras for requirement in extra),
    ]:
        requirement = Requirement(text)
        (oldest,) = (bound.version for bound in requirement.specifier if bound.operator == ">=")
        lines.add(f"{requirement.name}=={oldest}\n")
    path.write_text("".join(sorted(lines)))
    return path


def forget(session: nox.Session) -> None:
    """Uninstall the package, because pip does not replace a wheel of the same version."""
    session.run("pip", "uninstall", "--quiet", "--yes", PYPROJECT["project"]["name"], silent=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of the code."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy and pyright, and that everything public has one."""
    # As users install it: pyright finds no completeness in an editable installation.
    forget(session)
    session.install(EXTRAS, *group("types"), *group("tests"), "nox")
    session.run("mypy")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")
    session.run("python", "tests/typing/completeness.py")


def install_package(session: nox.Session, *constraints: str) -> None:
    """Install the wheel and the tests' requirements, and keep the checkout out of the path.

    The tests run against the installed package, not against the checkout.
    """
    forget(session)
    session.install(*constraints, EXTRAS, *group("tests"))
    # Otherwise pytest's processes would find the checkout before the installed package.
    session.env["PYTHONSAFEPATH"] = "1"


@nox.session(default=False)
def tests(session: nox.Session) -> None:
    """Run the tests with this Python and the newest dependencies, in minutes."""
    install_package(session)
    session.run("pytest", *(session.posargs or PARALLEL))


@nox.session
@nox.parametrize(
    ("python", "dependencies"),
    [(PYTHONS[0], "oldest"), *((python, "newest") for python in PYTHONS[1:])],
)
def matrix(session: nox.Session, dependencies: str) -> None:
    """Run the tests on each Python: on the oldest one with the oldest dependencies.

    The newest available Python also measures the coverage of the package.
    """
    constraints = []
    if dependencies == "oldest":
        constraints = ["-c", str(oldest_dependencies(Path(session.create_tmp()) / "oldest.txt"))]
    install_package(session, *constraints)
    if session.python != NEWEST or session.posargs:
        session.run("pytest", *(session.posargs or PARALLEL))
        return
    session.env["COVERAGE_FILE"] = str(Path(session.create_tmp()) / ".coverage")
    session.run("coverage", "erase")
    pytest = str(Path(session.bin) / "pytest")
    session.run("coverage", "run", pytest, *PARALLEL)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", f"--omit=*/{AIRFLOW}/*")


@nox.session(python=AIRFLOW_PYTHON)
def airflow(session: nox.Session) -> None:
    """Run the tests that need Airflow, including a whole one, and check types and coverage there.

    Airflow's dependencies clash with others, so they have their own pinned environment.
    """
    folder = Path("tests/with_airflow")
    session.install(
        *("-c", str(folder / "constraints.txt"), "-e", ".[airflow,download]"),
        *("coverage", "pytest", "pytest-asyncio", "mypy", "pyright[nodejs]"),
        *("types-aiobotocore", "types-python-dateutil"),
    )
    files = [*Path(AIRFLOW).rglob("*.py"), *folder.rglob("*.py"), Path("examples/airflow_dag.py")]
    session.run("mypy", *map(str, files))
    session.run("pyright", "--project", str(folder), "--pythonpath", f"{session.bin}/python")
    session.env["COVERAGE_FILE"] = str(Path(session.create_tmp()) / ".coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", str(folder), "-q", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    if not session.posargs:
        session.run("coverage", "report", f"--include={AIRFLOW}/*")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation. A warning is an error."""
    session.install("-e", ".[cli,download,tables]", *group("docs"))
    folder = Path(session.create_tmp()) / "html"
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder))
    session.log(f"the documentation is in {folder}")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the package beside its peers, and simulate the watcher. Takes some ten minutes."""
    forget(session)
    session.install(".[tables,trio]")
    session.run("python", "benchmarks/compare.py", *session.posargs)
    session.run("python", "benchmarks/watcher_simulation.py", *session.posargs)
    session.run("python", "benchmarks/tables.py", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the source archive and the wheel from it, and try the wheel on its own."""
    session.install("build")
    folder = Path(session.create_tmp()) / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(folder), silent=True)
    (built,) = folder.glob("*.whl")
    forget(session)
    session.install(str(built))
    session.run("python", "-W", "error", "examples/list_exports.py", silent=True)
