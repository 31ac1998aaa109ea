"""The verbs and their options. Nothing heavy is imported here: `tbench --help` must answer at once."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="tbench",
    help="Benchmark Transformer components, with confidence intervals and correctness checks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioFile = Annotated[str, typer.Argument(metavar="SCENARIO", help="Scenario file (YAML).")]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "-k", "--select", metavar="TERMS", help="Only cases that match, e.g. -k 'kernel=flash,naive seq_len=1024'."
    ),
]
Override = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="AXIS=A,B", help="Replace or add an axis, e.g. --set seq_len=512,1024."),
]
Quick = Annotated[bool, typer.Option("--quick", help="The scenario's quick variant: fewer cases, wider intervals.")]
Rigorous = Annotated[bool, typer.Option("--rigorous", help="More fresh processes and narrower intervals.")]
Device = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Device; auto: the first GPU, else the CPU.")
]


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
        float | None, typer.Option("--max-time", metavar="S", help="Maximum seconds of samples per case.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed for inputs and measurement order.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in -o DIR, or start one if there is none.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="List the cases with predicted memory and time, and what is skipped and why."),
    ] = False,
    executor: Annotated[
        str, typer.Option("--executor", metavar="local|ray", help="Measure on this machine, or on a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option("--address", metavar="HOST:PORT", help="The Ray cluster [default: this machine's].")
    ] = None,
    no_user_code: Annotated[
        bool, typer.Option("--no-user-code", help="Refuse custom kernels: only tbench's own code and packages run.")
    ] = False,
    per_node: Annotated[
        int, typer.Option("--per-node", metavar="N", help="Groups a cluster node measures side by side on its CPU.")
    ] = 1,
    cases: Annotated[
        bool, typer.Option("--cases", help="After a suite, print every case as well, part by part.")
    ] = False,
) -> int:
    """Measure scenarios: progress on stderr, the result table on stdout; for a suite, the article's table."""
    from tbench.cli.output import starting

    starting(", ".join(scenarios))
    from tbench.api import Where
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
            cases=cases,
            where=Where(executor, address, per_node),
            user_code=not no_user_code,
            command=context.find_root().obj or (),
        ),
    )


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder; for html also a gate's folder.")],
    format: Annotated[str, typer.Option("--format", metavar="text|md|csv|json|html", help="What to print.")] = "text",
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Output file; - is standard output.")
    ] = "-",
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw small charts in the terminal instead of the table.")
    ] = False,
) -> None:
    """Print the report of a run; --format html makes one self-contained page with charts."""
    from tbench.cli.report import report

    report(run, format, output, plot)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    format: Annotated[
        str,
        typer.Option("--format", metavar="pyperf|github-action|bmf|junit|google-benchmark", help="Format to write."),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Output file; - is standard output.")
    ] = "-",
) -> int:
    """Write a run for other tools: pyperf, github-action-benchmark, Bencher, JUnit, google-benchmark."""
    from tbench.cli.export import export

    return export(run, format, output)


@app.command()
def table(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN...]", help="Run folders [default: the newest suite below results/]."),
    ] = None,
    lang: Annotated[str, typer.Option("--lang", metavar="en|zh", help="Language of the table.")] = "en",
    format: Annotated[str, typer.Option("--format", metavar="text|md|csv|json|html", help="What to print.")] = "text",
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain", metavar="CLAIM", help="Explain how a verdict was reached: of a claim (C9) or of a row (reads)."
        ),
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="The long form: every regime, the ladder and all claims.")
    ] = False,
) -> int:
    """The article's comparison table on one screen: measured and published figures, and a verdict per claim."""
    from tbench.cli.table import table

    return table(runs or [], lang, format, explain, details)


@app.command()
def compare(
    base: Annotated[str, typer.Argument(metavar="BASE", help="Run folder to compare against.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Run folder to check.")],
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="regression",
            help="Exit 1 if a regression is shown, 3 if inconclusive, 4 if a case is broken.",
        ),
    ] = None,
    tolerance: Annotated[str, typer.Option("--tolerance", metavar="5%", help="Accepted slowdown per case.")] = "5%",
    rows: Annotated[
        str | None, typer.Option("--rows", metavar="AXES", help="Print a grid of ratios with these axes as rows.")
    ] = None,
    cols: Annotated[str | None, typer.Option("--cols", metavar="AXIS", help="Axis for the grid's columns.")] = None,
    format: Annotated[str, typer.Option("--format", metavar="text|md|json|html", help="What to print.")] = "text",
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Output file; - is standard output.")
    ] = "-",
) -> int:
    """Compare two finished runs case by case: slower, bigger, broken, missing."""
    from tbench.cli.compare import compare

    return compare(base, new, fail_on=fail_on, tolerance=tolerance, rows=rows, cols=cols, format=format, output=output)


@app.command()
def gate(
    context: typer.Context,
    scenario: ScenarioFile,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="REF", help="Branch, tag or commit to compare against; both sides are measured now."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="RUN", help="Stored baseline (name or `current`) or run folder to compare against."
        ),
    ] = None,
    base_env: Annotated[
        str | None, typer.Option("--base-env", metavar="PYTHON", help="Python interpreter or venv for the base side.")
    ] = None,
    new_env: Annotated[
        str | None, typer.Option("--new-env", metavar="PYTHON", help="Python interpreter or venv for the new side.")
    ] = None,
    device: Device = "auto",
    override: Override = None,
    select: Select = None,
    quick: Quick = False,
    rigorous: Rigorous = False,
    tolerance: Annotated[
        str | None, typer.Option("--tolerance", metavar="5%", help="Accepted slowdown per case.")
    ] = None,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit 0 instead of 3 when a result is inconclusive.")
    ] = False,
    junit: Annotated[str | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Also write a page with charts and every verdict.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Folder to write to [default: results/gate/NAME/UTC-STAMP]."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed for inputs.")] = 0,
) -> int:
    """CI gate: check for cases that became slower, bigger or wrong. One line per case; see the exit code."""
    from tbench.cli.output import starting

    starting(scenario)
    from tbench.cli.compare import share
    from tbench.cli.gate import gate
    from tbench.gate.options import Options

    return gate(
        Options(
            scenario,
            device=device,
            select=select or [],
            overrides=override or [],
            quick=quick,
            rigorous=rigorous,
            seed=seed,
            against=against,
            baseline=baseline,
            base_python=base_env,
            new_python=new_env,
            tolerance=None if tolerance is None else share(tolerance),
            allow_inconclusive=allow_inconclusive,
            junit=junit,
            output=output,
            command=context.find_root().obj or (),
        ),
        html=html,
    )


@app.command()
def calibrate(
    scenario: ScenarioFile,
    same: Annotated[int, typer.Option("--same", metavar="N", help="A/A trials: the same code on both sides.")] = 20,
    injected: Annotated[
        int,
        typer.Option("--injected", metavar="N", help="Trials with an injected slowdown of 3%, 10% and 20%; N each."),
    ] = 0,
    memory: Annotated[
        int,
        typer.Option("--memory", metavar="N", help="Trials in which one case uses more memory: 2%, at least 4 MiB."),
    ] = 0,
    noisy: Annotated[
        int,
        typer.Option(
            "--noisy", metavar="N", help="Trials with injected noise: bimodal, drift, one-sided drift; N each."
        ),
    ] = 0,
    device: Device = "auto",
    override: Override = None,
    select: Select = None,
    quick: Quick = False,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder to write to [default: results/calibration/NAME]."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="Seed for inputs and for choosing which case gets the injected slowdown."
        ),
    ] = 0,
) -> None:
    """Measure the gate's false-alarm rate and sensitivity on this machine. Re-run with larger counts to add trials."""
    from tbench.cli.output import starting

    starting(scenario)
    from tbench.cli.calibrate import calibrate
    from tbench.gate.calibrate import TrialPlan
    from tbench.gate.options import Options

    calibrate(
        Options(
            scenario,
            device=device,
            select=select or [],
            overrides=override or [],
            quick=quick,
            seed=seed,
            output=output,
        ),
        TrialPlan(same=same, injected=injected, memory=memory, noisy=noisy),
    )


baseline_app = typer.Typer(help="Manage baselines stored in the repository.", no_args_is_help=True)
app.add_typer(baseline_app, name="baseline")


@baseline_app.command()
def save(
    context: typer.Context,
    scenario: ScenarioFile,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the baseline [default: a UTC timestamp].")
    ] = None,
    device: Device = "auto",
    override: Override = None,
    select: Select = None,
    quick: Quick = False,
    rigorous: Rigorous = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed for inputs and measurement order.")] = 0,
) -> None:
    """Measure a scenario together with reference benchmarks and store the run as a baseline."""
    from tbench.cli.output import starting

    starting(scenario)
    from tbench.cli.baseline import save
    from tbench.gate.options import Options

    options = Options(
        scenario,
        device=device,
        select=select or [],
        overrides=override or [],
        quick=quick,
        rigorous=rigorous,
        seed=seed,
        command=context.find_root().obj or (),
    )
    save(options, name)


@baseline_app.command("list")
def list_baselines() -> None:
    """List the baselines in results/baselines and mark the current one."""
    from tbench.cli.baseline import show

    show()


@baseline_app.command()
def promote(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A baseline as SCENARIO/NAME, or any run folder.")],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of the copy.")] = None,
) -> None:
    """Make a run the current baseline; a run from elsewhere is copied into the repository."""
    from tbench.cli.baseline import promote

    promote(run, name)


@app.command()
def profile(
    scenario: ScenarioFile,
    select: Select = None,
    override: Override = None,
    quick: Quick = False,
    device: Device = "auto",
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Folder to write to [default: results/profiles/NAME/UTC-STAMP]."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed for inputs.")] = 0,
) -> None:
    """Show where a case spends its time and memory, or compare two: operators, a Perfetto trace, allocations."""
    from tbench.cli.output import starting

    starting(scenario)
    from tbench.cli.profile import profile

    profile(
        scenario, select=select or [], overrides=override or [], quick=quick, device=device, output=output, seed=seed
    )


@app.command("list")
def list_(
    scenario: Annotated[str | None, typer.Argument(metavar="[SCENARIO]", help="List this scenario's cases.")] = None,
    override: Override = None,
    select: Select = None,
    quick: Quick = False,
    rigorous: Rigorous = False,
    device: Device = "auto",
) -> None:
    """List components and kernels, and why some cannot run here; with a scenario, its cases."""
    from tbench.cli.list import list_command

    list_command(scenario, overrides=override or [], select=select or [], quick=quick, rigorous=rigorous, device=device)


@app.command()
def doctor(
    device: Device = "auto",
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Discard the stored peaks and measure them again.")
    ] = False,
    format: Annotated[str, typer.Option("--format", metavar="text|json", help="What to print.")] = "text",
) -> None:
    """Check this machine: devices, peak throughput, noise, kernels, clocks, and what to fix."""
    from tbench.cli.output import starting

    starting("doctor")
    from tbench.cli.doctor import doctor

    doctor(device, refresh, format)


@app.command()
def prove(
    device: Device = "auto",
    select: Select = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Evidence file [default: in ~/.cache/tbench]."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--from", metavar="RUN", help="Take the evidence of a finished run instead.")
    ] = None,
) -> int:
    """Run every kernel once at small sizes: is it correct, which device kernels run, can it be queued and captured?"""
    from tbench.cli.output import starting

    if run is None:
        starting("prove")
    from tbench.cli.prove import prove

    return prove(device, select or [], output, run)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    from tbench.scenario.schema import schema_text

    typer.echo(schema_text(), nl=False)
