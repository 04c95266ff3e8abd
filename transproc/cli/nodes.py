# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc nodes`: which machines take part, and what is to be known of each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transproc.cli import common, completing, options
from transproc.errors import TransprocError

if TYPE_CHECKING:
    from transproc.cluster.fleet import NodeState
    from transproc.controller.client import Client

BRING = typer.Option(
    "--bring-criu", help="Put a criu of ours there, with its libraries, for transproc alone."
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def nodes() -> None:
    """The machines that take part: this one (local), the lab's while it is up, and those of nodes.toml.

    \b
    Examples:
      transproc nodes add pi 192.168.1.20
      transproc nodes list
      transproc nodes remove pi
    """


@app.command("list")
def list_nodes(
    *,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="How long nodes have to answer.")
    ] = 5.0,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Lists all nodes: ISA, labels, load, memory, jobs. All are asked at the same time; '?': has not answered in time.

    LOAD is that of the last minute, for each processor: at 1.00 a node has as much to do as it can.

    \b
    Examples:
      transproc nodes list
      transproc nodes list --wait 30 --json
    """
    entries = look(wait)
    if as_json:
        common.show_json(entries)
        return
    header = ("NODE", "STATE", "ISA", "CPUS", "LOAD", "MEMORY FREE", "JOBS", "PRICE", "LABELS")
    common.table([_row(one) for one in entries], header)
    for one in entries:
        if one["error"]:
            typer.echo(one["error"], err=True)


def look(wait: float) -> list[dict[str, Any]]:
    """All nodes, of this host or of the controller."""
    if (there := common.remote()) is None:
        return [entry(node) for node in common.host().fleet(deadline=wait)]
    found = []
    for node in there.get("/nodes")["nodes"]:
        facts, error = node["facts"], (node["error"] or {}).get("message")
        words = {key: node[key] for key in ("name", "labels", "capacity", "price", "jobs")}
        found.append({**words, "state": _state(facts, error), "facts": facts, "error": error})
    return found


def entry(node: NodeState) -> dict[str, Any]:
    """One node for programs."""
    error = node.facts.message if isinstance(node.facts, TransprocError) else None
    facts = None if node.facts is None or isinstance(node.facts, TransprocError) else node.facts
    state = _state(facts.as_dict() if facts else None, error)
    described = {"capacity": node.description.capacity, "price": node.description.price}
    known = {"facts": facts.as_dict() if facts else None, "error": error}
    return {
        **{"name": node.name, "state": state, "labels": sorted(node.labels)},
        **described,
        "jobs": node.jobs,
        **known,
    }


def _state(facts: dict[str, Any] | None, error: str | None) -> str:
    if facts is None:
        return "unreachable" if error else "?"
    return "ok" if facts["criu"] else "no criu"


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    from transproc.text import human

    facts = one["facts"]
    memory = f"{human(facts['available'])} of {human(facts['memory'])}" if facts else "?"
    load = f"{facts['load'] / facts['cpus']:.2f}" if facts else "?"
    limit = "" if one["capacity"] is None else f"/{one['capacity']}"
    own = [label for label in one["labels"] if label not in (one["name"], facts and facts["isa"])]
    return (
        *(one["name"], one["state"], facts["isa"] if facts else "?", facts["cpus"] if facts else "?"),
        *(load, memory, f"{one['jobs']}{limit}"),
        *("-" if one["price"] is None else f"{one['price']:g}", ",".join(own) or "-"),
    )


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.", show_default=False)],
    where: Annotated[
        str, typer.Argument(metavar="[USER@]HOST", help="A name or an address.", show_default=False)
    ],
    *,
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="Who logs in [default: root].")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Of its SSH server.", min=1, max=65535)
    ] = 22,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Your private key [default: ~/.ssh/id_ed25519, …]."),
    ] = None,
    sudo: Annotated[
        bool, typer.Option("--sudo", help="The user becomes root by sudo, without a password.")
    ] = False,
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="May be repeated.")
    ] = None,
    capacity: Annotated[
        int | None, typer.Option("--capacity", metavar="N", help="How many jobs it takes at once.")
    ] = None,
    price: Annotated[
        float | None, typer.Option("--price", metavar="P", help="Of an hour, in your currency.")
    ] = None,
    bridge: Annotated[
        str | None,
        typer.Option("--bridge", metavar="NAME", help="Where jobs with addresses are [default: br0]."),
    ] = None,
    internal: Annotated[
        str | None,
        typer.Option(
            "--internal", metavar="HOST", help="By which other nodes reach it, for memory that goes straight."
        ),
    ] = None,
    compression: Annotated[
        bool, typer.Option("--compression", help="Of what goes there and comes from there: for slow links.")
    ] = False,
    bring_criu: Annotated[bool, BRING] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take the host key as it is.")] = False,
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", metavar="SHA256:…", help="Of the host key; else you are asked."),
    ] = None,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Makes a machine known as a node: connects, and says what it is and what it lacks. Nothing is installed there.

    For systems that have no criu, or too old a one, --bring-criu puts one there, with libraries of its own, in
    /var/lib/transproc alone. Of those that a node has, the newest that works is used.

    It shows the fingerprint of the machine's host key, which you compare with what the machine itself says
    ('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' on its console). The machine is listed in nodes.toml if it can be logged
    into, also if it lacks something: 'transproc nodes check NAME' looks again.

    \b
    Examples:
      transproc nodes add pi 192.168.1.20
      transproc nodes add pi pi@192.168.1.20 --sudo --label cheap --capacity 4
      transproc nodes add edge alpine.local --bring-criu
      transproc nodes add big big.example.org --fingerprint SHA256:Ck4…  --price 1.20
    """
    from transproc.cluster.inventory import Inventory
    from transproc.controller.requests.nodes import AddNode

    if (there := common.remote()) is None:
        Inventory().check_new(name)
    elif key is not None:
        raise typer.BadParameter("a controller logs in with its own key", param_hint="'--key'")
    login, _, host = where.rpartition("@")
    host_key = _confirmed(there, host, port, fingerprint, yes=yes)
    who, own = user or login or "root", None if key is None else str(key.absolute())
    described: dict[str, Any] = {
        **{"labels": labels or [], "capacity": capacity, "price": price},
        **{"bridge": bridge, "internal": internal, "compression": compression},
        "bring_criu": bring_criu,
    }
    done = common.perform(AddNode(name, host, host_key, who, port, own, sudo, **described))
    if as_json:
        common.show_json(done)
        return
    missing = [one for one in done["findings"] if not one["ok"]]
    isa = next(one["found"] for one in done["findings"] if one["name"] == "ISA")
    state = "can be used" if not missing else "cannot be used yet"
    typer.echo(f"{name} ({isa}) is listed in {done['path']}, and {state}")
    common.show_findings(missing)


def _confirmed(there: Client | None, host: str, port: int, wanted: str | None, *, yes: bool) -> str:
    """The host key that the user vouches for; the machine is asked by whoever will log in there."""
    from transproc.cluster import inventory

    if there is None:
        found = inventory.host_keys(host, port)
    else:
        answer = there.get("/nodes/keys", host=host, port=port)
        found = [one["key"] for one in answer["keys"]]
        if answer["login"]:
            typer.echo(f"the controller logs in with the key {answer['login']}", err=True)
    if wanted is not None:
        return inventory.choose_key(host, found, wanted)
    shown = f"{found[0].split()[0]} {inventory.fingerprint(found[0])}"
    typer.echo(f"the host key of {host} is {shown}", err=True)
    if yes:
        return found[0]
    if not sys.stdin.isatty():
        raise TransprocError(
            f"nobody has confirmed the host key of {host}",
            hint=f"compare it on the machine's console; then add --fingerprint {shown.split()[1]}",
        )
    file = f"/etc/ssh/ssh_host_{found[0].split()[0].removeprefix('ssh-').partition('-')[0]}_key.pub"
    typer.echo(f"on its console, 'ssh-keygen -lf {file}' shows the same if it is that machine", err=True)
    if not typer.confirm("is it?", err=True):
        raise TransprocError(f"the host key of {host} is not the one that is expected: it is not listed")
    return found[0]


@app.command()
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Nodes to look at.",
            show_default="all but local",
            autocompletion=completing.nodes,
        ),
    ] = None,
    *,
    bring_criu: Annotated[bool, BRING] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Says what nodes lack, and how to get it there. Exits with 1 if something is missing, or a node cannot be reached.

    \b
    Examples:
      transproc nodes check
      transproc nodes check pi --bring-criu
      transproc nodes check pi --json
    """
    from transproc.controller.requests.nodes import CheckNodes

    found = common.perform(CheckNodes(names or [], bring_criu))
    if as_json:
        common.show_json(found)
    else:
        for name, result in found.items():
            _show(name, result)
    if not all(isinstance(result, list) and all(one["ok"] for one in result) for result in found.values()):
        raise typer.Exit(1)


def _show(name: str, result: Any) -> None:
    typer.echo(f"{name}:")
    if isinstance(result, dict):
        typer.echo(f"  MISSING  {result['error']}" + (f"  → {result['hint']}" if result["hint"] else ""))
    else:
        common.show_findings(result)


@app.command()
def remove(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Of a node of nodes.toml.",
            show_default=False,
            autocompletion=completing.nodes,
        ),
    ],
) -> None:
    """Takes a node out of nodes.toml; refused while jobs are there. Nothing is changed on the machine itself.

    \b
    Example:
      transproc nodes remove pi
    """
    from transproc.controller.requests.nodes import RemoveNode

    path = common.perform(RemoveNode(name))["path"]
    typer.echo(f"{name} is no longer listed in {path}")
