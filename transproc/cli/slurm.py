# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc slurm`: programs in jobs of Slurm, which go on in a partition of the other ISA."""

from __future__ import annotations

import os
import resource
import signal
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import common, options
from transproc.errors import TransprocError

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
JOB = typer.Argument(metavar="JOBID", help="As squeue shows it.", show_default=False)


@app.callback()
def slurm() -> None:
    """Programs in jobs of Slurm: they leave by a checkpoint, and go on in a partition of either ISA (docs/slurm.md).

    \b
    Examples:
      transproc slurm migrate 4711 --partition arm
      sbatch --requeue --signal=B:USR1@60 --partition=x86,arm job.sh      its last line: transproc slurm exec -- ./prog
      transproc slurm list
    """


@app.command("exec", context_settings=options.PASS_ON)
def execute(
    program: Annotated[str, options.PROGRAM],
    arguments: Annotated[list[str] | None, options.ARGUMENTS] = None,
    *,
    files: Annotated[Path | None, options.FILES] = None,
    stdin: Annotated[
        Path | None,
        typer.Option("--stdin", metavar="FILE", help="Its standard input [default: the job's, if a file]."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Gets the files it leaves [default: slurm-JOBID.files, if there are any].",
        ),
    ] = None,
    warning: Annotated[
        str, typer.Option("--signal", metavar="NAME", help="The one that sbatch --signal names.")
    ] = "USR1",
    before: Annotated[
        float, typer.Option("--before", metavar="SECONDS", help="Leave so long before the time limit.")
    ] = 60.0,
    poll: Annotated[
        float, typer.Option("--poll", metavar="SECONDS", min=1.0, help="How often the controller is asked.")
    ] = 15.0,
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Checkpoints in between: 90s, 10m, 2h.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Tells programs of one script apart [default: by what is started]."),
    ] = None,
) -> None:
    """Runs PROG, compiled with transproc-cc, in a job's script, and passes its output, status and signals on.

    When the job is preempted, meets its time limit, is requeued, or its node is drained, it is written to a checkpoint and
    the job goes back into the queue; started again, on whatever ISA, it goes on. It has a working directory of its own.

    \b
    Examples:
      transproc slurm exec -- ./prog 1000
      transproc slurm exec --files input --results output --every 10m -- ./prog
    """
    from transproc.slurm import configuration
    from transproc.slurm.ending import await_end
    from transproc.slurm.execution import Execution
    from transproc.slurm.helped import Helped, Sent
    from transproc.slurm.identity import Identity, Terms, name_of

    job = Identity.of(os.environ)
    what = common.program(program, arguments, stdin or _own_input(), files)
    sent = Sent(what.pair(), what.argv, dict(os.environ), files, what.stdin)
    terms = Terms(
        _signal(warning), before, poll, None if every is None else common.duration(every, "'--every'")
    )
    settings = configuration.read()
    with Helped(settings.helper_command()) as helped:
        place = results or Path.cwd() / f"slurm-{job.number}.files"
        execution = Execution(helped, job, sent, name_of(sent, name), place, terms)
        status = execution.run()
    if status is None:
        await_end(job, told=execution.told)
    _end_as(status)


@app.command()
def migrate(
    job: Annotated[str, JOB],
    partition: Annotated[
        str, typer.Option("--partition", "-p", metavar="NAME", help="Where it goes on.", show_default=False)
    ],
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For it to make its checkpoint.")
    ] = 300.0,
) -> None:
    """Moves a running job to another partition: it makes a checkpoint, is requeued there, and goes on when there is room.

    \b
    Example:
      transproc slurm migrate 4711 --partition arm
    """
    from transproc import log
    from transproc.automation import schedulers
    from transproc.cluster.events import Signals
    from transproc.slurm.adapter import Slurm

    schedulers.migrate(Slurm(), job, partition, events=log, cancel=Signals(log), timeout=timeout)


@app.command("list")
def list_hosts(as_json: Annotated[bool, options.JSON] = False) -> None:
    """Lists the cluster's nodes with their ISAs, as Slurm knows them.

    \b
    Example:
      transproc slurm list
    """
    import dataclasses

    from transproc.slurm.adapter import Slurm

    hosts = Slurm().hosts()
    if as_json:
        common.show_json([dataclasses.asdict(host) for host in hosts])
        return
    rows = [(host.name, host.isa, ",".join(host.places), "open" if host.open else "closed") for host in hosts]
    common.table(rows, ("NODE", "ISA", "PARTITIONS", "STATE"))


@app.command("clean")
def clean_up(
    job: Annotated[str | None, typer.Argument(metavar="[JOBID]", help="[default: $SLURM_JOB_ID]")] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Instead, those of jobs that Slurm does not know any more.")
    ] = False,
) -> None:
    """Removes what a job that was killed has left on this node; for Slurm's Epilog, as root. Its checkpoints stay.

    \b
    Examples:
      transproc slurm clean                     in a script that Epilog= in slurm.conf names
      transproc slurm clean --checkpoints       once a day, on one node
    """
    from transproc.slurm import clean, commands, configuration

    if checkpoints:
        for number in clean.clean_state(configuration.read(), commands.known()):
            typer.echo(number)
        return
    clean.clean(configuration.read(), job or os.environ.get("SLURM_JOB_ID", ""))


@app.command(hidden=True)
def helper() -> None:
    """Root's half of 'exec', which starts it by sudo."""
    from transproc.slurm import configuration, helper

    helper.main(configuration.read(), sys.stdin.buffer, sys.stdout.buffer)


def _own_input() -> Path | None:
    """What `sbatch --input` names."""
    found = os.fstat(0)
    return Path("/proc/self/fd/0") if stat.S_ISREG(found.st_mode) and found.st_size else None


def _signal(name: str) -> signal.Signals:
    try:
        return signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]
    except KeyError:
        raise typer.BadParameter(f"{name}: no such signal", param_hint="'--signal'") from None


def _end_as(status: str | None) -> None:
    """As the program has ended: Slurm records that of us."""
    kind, _, number = (status or "status 0").partition(" ")
    if kind == "status":
        raise typer.Exit(int(number))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core is the program's, not ours
    sys.stdout.flush()
    signal.signal(int(number), signal.SIG_DFL) if int(number) not in (
        signal.SIGKILL,
        signal.SIGSTOP,
    ) else None
    os.kill(os.getpid(), int(number))
    raise TransprocError(f"the program has ended by signal {number}")
