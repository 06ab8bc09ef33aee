"""README: its claims can be checked again."""

import re
from pathlib import Path

import pytest
from correctness import CASES, Case, run_case

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_a_row_of_the_table_is_true(case: Case) -> None:
    before, after = await run_case(case, ours=False), await run_case(case, ours=True)

    row = f"| {(case.__doc__ or '').rstrip('.')} | {before} | {after} |"
    assert row in README.read_text(encoding="utf-8").splitlines()


def test_it_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_each_guide_that_it_links_is_there() -> None:
    pages = re.findall(
        r"aiodiscovery\.readthedocs\.io/en/latest/([\w-]+)\.html", README.read_text("utf-8")
    )

    assert {page for page in pages if not (README.parent / "docs" / f"{page}.md").exists()} == set()
