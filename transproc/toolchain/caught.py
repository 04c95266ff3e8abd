# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""No handler is lost: at each call of an object that has a landing pad, the same exceptions are caught by both halves, and by the
resume entries.

1. Each copy of such a call, in a function and in its resume entry, has a landing pad, and all have the same list of handlers: the
   same types in the same order, and whether there is a cleanup.
2. The resume entry can raise an exception (`__transproc_raise`) under each of these lists, at exactly as many places as sites
   have it. Which place is for which site is not in any table: that is the pass's (addRaise in llvm/lib/Resume.cpp).
3. The same calls have a landing pad in both halves, with the same lists.

Which calls have one the pass says (`.transproc.values`). Tables alone do not: a call that cannot throw may lie between two that
have the same landing pad. A call for which the pass did not say it, as no earlier version did, is noticed by (2): the resume
entry can raise an exception for it. What a landing pad does is not looked at: it is code, made of the same IR.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from transproc.binary.handlers import PASSES, TERMINATES, Clauses, Handlers
from transproc.binary.lines import LANDS, VALUES_SECTION, site_of
from transproc.binary.relocatable import Place, Relocatable
from transproc.errors import BinaryError
from transproc.text import plural
from transproc.toolchain.calls import Decoder, decoder_of, owner
from transproc.toolchain.dual import MACHINES

Record = tuple[str, int, Place, int]
"""Of a stack map: the function's name, the site's id, the place of the function or resume entry, the end of the call in it."""
Lists = dict[int, tuple[str, Clauses]]
"""Each such call's function, and what is caught there, by the site's id."""
_RAISE = "__transproc_raise"


Half = tuple[Relocatable, dict[Place, str], list[Record]]
"""Of an object, with the functions' names by their places and those of their resume entries."""


def compare(what: str, *halves: Half) -> Iterator[str]:
    """Every disagreement, of the halves in the order of `MACHINES`."""
    found: list[Lists] = []
    for isa, (elf, names, records) in zip(MACHINES, halves, strict=True):
        landing = _landing(elf)
        lists: Lists = {}
        handlers = Handlers(elf)
        yield from _read(lists, elf, [r for r in records if r[1] in landing], handlers)
        yield from _not_raised(lists, elf, names, decoder_of(isa), handlers)
        found.append(lists)
    first, second = found
    common = {record[1] for record in halves[0][2]} & {record[1] for record in halves[1][2]}
    for site in sorted(
        (first.keys() ^ second.keys()) & common
    ):  # a back end drops calls that are never reached
        name, _ = (first | second)[site]
        yield f"{what}: {_site(name, site)}: has a landing pad in one half only"
    of_first, of_second = MACHINES
    for site in sorted(first.keys() & second.keys()):
        if first[site] != second[site]:
            name, clauses = first[site]
            yield f"{what}: {_site(name, site)}: {_text(clauses)} in {of_first}, {_text(second[site][1])} in {of_second}"


def _landing(elf: Relocatable) -> set[int]:
    """Calls that have a landing pad, by whole ids."""
    section = elf.find(VALUES_SECTION)
    text = "" if section is None else elf.contents(section).decode(errors="replace")
    try:
        return {site_of(line) for line in text.split("\0") if line.partition("\t")[0].endswith(LANDS)}
    except ValueError as error:
        raise BinaryError(f"{VALUES_SECTION} is damaged", path=elf.what) from error


def _read(lists: Lists, elf: Relocatable, records: list[Record], handlers: Handlers) -> Iterator[str]:
    for name, site, place, offset in records:
        found = handlers.at(place, offset - 1)
        _, first = lists.setdefault(site, (name, found))
        where = elf.name_of(place)
        if found in (PASSES, TERMINATES):
            yield f"{elf.what}: {_site(name, site)}: has no landing pad in {where}"
        elif found != first:
            yield f"{elf.what}: {_site(name, site)}: {_text(first)}, but {_text(found)} in {where}"


def _not_raised(
    lists: Lists, elf: Relocatable, names: dict[Place, str], decoder: Decoder, handlers: Handlers
) -> Iterator[str]:
    """Functions whose resume entries cannot raise an exception under the handlers of each site, or also can elsewhere."""
    wanted, raised = Counter(lists.values()), Counter[tuple[str, Clauses]]()
    starts = sorted(elf.functions)
    for place, callee in decoder.calls(elf):
        if elf.name_of(callee) == _RAISE and (resume := owner(elf, starts, place)) in names:
            raised[names[resume], handlers.at(resume, place[1] - resume[1] - 1)] += 1
    for (name, clauses), count in sorted((wanted - raised).items()):
        yield f"{elf.what}: {name}: its resume entry lacks the handlers of {plural(count, 'site')} ({_text(clauses)})"
    unsaid = {f" of {name}" for name, _ in raised - wanted}
    if unsaid and not wanted:
        unsaid = {""}  # an earlier version's: once for all functions
    for which in sorted(unsaid):
        yield f"{elf.what}: does not say which calls{which} have landing pads: compile it again, with this version"


def _site(name: str, site: int) -> str:
    return f"{name}, site {site & 0xFFFFFF:#x}"


def _text(clauses: Clauses) -> str:
    return "; ".join(clauses) if clauses else "nothing is caught"
