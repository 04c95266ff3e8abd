# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc serve`: a controller."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from transproc.cli import common


def serve(
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS[:PORT]", help="Where to answer; port 0: any free one.")
    ] = "127.0.0.1:8421",
    *,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE", help="PEM, with --key [default: one of its own]."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The certificate's, PEM.")] = None,
    at_once: Annotated[int, typer.Option("--tasks", min=1, max=256, help="Tasks that run at once.")] = 16,
    per_node: Annotated[
        int, typer.Option("--tasks-per-node", min=1, max=256, help="Tasks that run at once with one node.")
    ] = 4,
    grace: Annotated[
        float, typer.Option("--grace", metavar="SECONDS", help="For tasks to end when it is stopped.")
    ] = 30.0,
    job_user: Annotated[
        str | None,
        typer.Option("--job-user", metavar="USER", help="Whom jobs run as, of all who are no admins."),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            "--log", metavar="FORMAT", help="text or json [default: text on a terminal, else json]."
        ),
    ] = None,
    unit: Annotated[
        bool, typer.Option("--systemd-unit", help="Only print a unit of systemd that starts it so.")
    ] = False,
) -> None:
    """Answers requests over HTTPS, from 'transproc --controller', browsers and programs, until it is stopped.

    It works with the records of this host and reaches the nodes as every command here does. At its first start it makes a
    certificate, whose fingerprint it prints. Who may use it is said by 'transproc token'. When it starts, what an
    earlier one has left half done is finished or undone.

    \b
    Examples:
      transproc serve                  and 'transproc token add alice --role operate'
      transproc serve --listen 0.0.0.0 --systemd-unit > /etc/systemd/system/transproc.service
      transproc serve --listen 0.0.0.0:8421 --certificate cert.pem --key key.pem
    """
    if (certificate is None) != (key is None):
        raise typer.BadParameter("a certificate needs its key", param_hint="'--certificate'")
    if log_format not in (None, "text", "json"):
        raise typer.BadParameter(f"{log_format}: expected text or json", param_hint="'--log'")
    address, port = _place(listen)
    if unit:
        from transproc.controller import systemd

        words = [word for word in sys.argv[1:] if word not in ("serve", "--systemd-unit")]
        typer.echo(systemd.unit(words, grace), nl=False)
        return
    from transproc.controller import certificate as certificates
    from transproc.controller import logs
    from transproc.controller.server import Server
    from transproc.controller.server import listen as bind
    from transproc.controller.server import serve as answer
    from transproc.controller.service import Service, Settings

    service = Service(
        common.host(), Settings(at_once=at_once, per_node=per_node, grace=grace, job_user=job_user)
    )
    if certificate and key:  # noqa: SIM108 (shorter lines)
        shown = certificates.read(certificate, key)
    else:
        shown = certificates.ensure(service.directory, address)
    place = bind(address, port)
    host = f"[{address}]" if ":" in address else address
    logs.begin(as_json=log_format == "json" or (log_format is None and not sys.stderr.isatty()))
    typer.echo(f"https://{host}:{place.getsockname()[1]} sha256:{shown.fingerprint}")
    service.start()
    answer(Server(service, shown), place)


def _place(text: str) -> tuple[str, int]:
    """ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    address, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "8421")
    if not address or not port.isdecimal() or int(port) > 65535:
        raise typer.BadParameter(
            f"{text}: expected ADDRESS or ADDRESS:PORT, as in 127.0.0.1:8421 or [::1]:8421",
            param_hint="'--listen'",
        )
    return address.strip("[]"), int(port)


app = common.application(serve)
