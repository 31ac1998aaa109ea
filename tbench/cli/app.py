"""The verbs and their options. Nothing heavy is imported here: `tbench --help` must answer at once."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="tbench",
    help="Benchmark and profiler for the parts of a Transformer: numbers that can be trusted, told plainly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioFile = Annotated[str, typer.Argument(metavar="SCENARIO", help="Scenario file (YAML); - reads standard input.")]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "-k", "--select", metavar="TERMS", help="Only cases that match, e.g. -k 'kernel=flash,naive seq_len=1024'."
    ),
]
Override = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="AXIS=A,B", help="Replace an axis of the scenario, e.g. --set seq_len=512,1024."),
]
Quick = Annotated[bool, typer.Option("--quick", help="The scenario's short form: minutes, wider intervals.")]
Rigorous = Annotated[bool, typer.Option("--rigorous", help="More fresh processes and narrower intervals.")]
Device = Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Where to measure.")]


def version(asked: bool) -> None:
    if asked:
        from tbench import __version__

        typer.echo(f"tbench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    context: typer.Context,
    scenarios: Annotated[
        list[str], typer.Argument(metavar="SCENARIO...", help="Scenario files (YAML); - reads standard input.")
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="The run folder [default: results/NAME/UTC-STAMP]."),
    ] = None,
    device: Device = "auto",
    override: Override = None,
    select: Select = None,
    quick: Quick = False,
    rigorous: Rigorous = False,
    max_time: Annotated[
        float | None, typer.Option("--max-time", metavar="S", help="At most so many seconds of samples per case.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of inputs and of the order.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in -o DIR; start one if there is none.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the cases, predicted memory and time, and what is left out and why.")
    ] = False,
    executor: Annotated[str, typer.Option("--executor", metavar="local", help="Where workers run.")] = "local",
) -> int:
    """Measure scenarios: progress on stderr, the result table on stdout."""
    from tbench.cli.request import Request
    from tbench.cli.run import run

    return run(
        scenarios,
        Request(
            output=output,
            device=device,
            overrides=override or [],
            select=select or [],
            quick=quick,
            rigorous=rigorous,
            max_time=max_time,
            seed=seed,
            resume=resume,
            dry_run=dry_run,
            executor=executor,
            command=context.find_root().obj or (),
        ),
    )


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    format: Annotated[str, typer.Option("--format", metavar="text|md|csv|json", help="What to print.")] = "text",
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Where to; - is standard output.")
    ] = "-",
) -> None:
    """Print any report of a run."""
    from tbench.cli.report import report

    report(run, format, output)


@app.command()
def table(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="Run folders [default: the newest below results/].")
    ] = None,
    lang: Annotated[
        str, typer.Option("--lang", metavar="en|zh", help="The article's words, in English or Chinese.")
    ] = "en",
    format: Annotated[str, typer.Option("--format", metavar="text|md|csv|json", help="What to print.")] = "text",
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="CLAIM", help="How the verdict on one claim came about, e.g. C9.")
    ] = None,
) -> int:
    """The article's comparison table: what was measured, and a verdict beside every claim."""
    from tbench.cli.table import table

    return table(runs or [], lang, format, explain)


@app.command("list")
def list_(
    scenario: Annotated[str | None, typer.Argument(metavar="[SCENARIO]", help="List this scenario's cases.")] = None,
    override: Override = None,
    select: Select = None,
    quick: Quick = False,
    rigorous: Rigorous = False,
    device: Device = "auto",
) -> None:
    """Components, their variants, and why one cannot run here; with a scenario, its cases."""
    from tbench.cli.list import list_command

    list_command(scenario, overrides=override or [], select=select or [], quick=quick, rigorous=rigorous, device=device)


@app.command()
def doctor(
    device: Device = "auto",
    refresh: Annotated[bool, typer.Option("--refresh", help="Forget the ceilings and measure them again.")] = False,
) -> None:
    """This machine: devices, ceilings, noise, threads, clocks, and what to fix."""
    from tbench.cli.doctor import doctor

    doctor(device, refresh)


@app.command()
def schema() -> None:
    """JSON Schema of a scenario, for editors."""
    from tbench.cli.schema import schema

    schema()
