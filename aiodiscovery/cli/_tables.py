"""``aiodiscovery tables``."""

from pathlib import Path

import click

__all__ = ["tables"]


@click.command(
    short_help="List or convert the tables in archives.",
    epilog="""\b
Examples:
  aiodiscovery tables archives
  aiodiscovery tables archives/export-1.zip --head 3
  aiodiscovery tables archives --to parquet
""",
)
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, readable=True, path_type=Path),
)
@click.option(
    "--head",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the first N rows of each table instead.",
)
@click.option(
    "--to",
    "directory",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    metavar="DIR",
    help="Write the tables into this directory as Parquet files.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="With json, stdout gets one JSON object per line and nothing else.",
)
@click.option("--debug", is_flag=True, help="Show logs and tracebacks on stderr.")
def tables(
    *, paths: tuple[Path, ...], head: int | None, directory: Path | None, output: str, debug: bool
) -> int:
    """List the tables in archives of exports, or write them as Parquet files.

    PATH is an archive, or a folder with archives in it. Tables have the names and columns of AWS's
    own Athena tables. With --to there is one file for each archive and table. Existing files are
    left as they are. If an archive cannot be read, the others still are, and the exit status is 1.
    """
    if head is not None and directory is not None:
        raise click.UsageError("give --head or --to, not both")
    from . import _tables_action  # noqa: PLC0415  # the import takes long

    return _tables_action.run(
        paths, head=head, directory=directory, as_json=output == "json", debug=debug
    )
