"""kerasft export"""

import click

from kerasft.cli.command import Output, command


@command("export", heavy=True)
@click.argument("run")
@click.option("--out", required=True, help="Directory to write.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
def export(run: str, out: str, overwrite: bool) -> Output:
    """Write a SavedModel of RUN: raw inputs in, answers out, nothing of ours needed.

    Done means verified: a fresh process without kerasft has given the same answers for real inputs.
    """
    import kerasft

    loaded = kerasft.load(run)
    path = loaded.export(out, overwrite=overwrite)

    def show() -> None:
        print(f"Exported to {path}: verified on {len(loaded.samples)} inputs in a process without kerasft.")

    return Output({"run": run, "export": str(path), "verified_on": len(loaded.samples)}, show)


command = export
