# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which addresses a job can have, and what is told to the nodes about them."""

from __future__ import annotations

import pytest

from transproc.cluster import addresses, description
from transproc.cluster.addresses import Seen
from transproc.cluster.job import Job
from transproc.errors import TransprocError


def job(*found: str, gateways: list[str] | None = None) -> Job:
    return Job("j", "na", ["prog"], id="1", addresses=list(found), gateways=gateways or [])


@pytest.mark.parametrize(
    "found",
    [
        "10.77.0.5", "10.77.0.5/33", "10.77.0.0/24", "10.77.0.255/24", "127.0.0.1/8", "224.0.0.1/4", "0.0.0.0/0", "::/64",
        "::1/128", "fe80::1/64", "ff02::1/64", "fd77::/64", "x/24", "10.77.0.5/24,1.2.3.4/5", "10.77.0.5/-1", "",
    ],
)  # fmt: skip
def test_what_is_no_address(found: str) -> None:
    with pytest.raises(TransprocError, match="address"):
        addresses.check([found], [])


@pytest.mark.parametrize("found", ["10.77.0.5/24", "10.0.0.0/31", "10.0.0.1/32", "fd77::5/64", "fd77::/127"])
def test_what_is_one(found: str) -> None:
    addresses.check([found], [])


@pytest.mark.parametrize(
    ("found", "gateways", "message"),
    [
        (["10.7.0.5/24", "10.7.0.5/16"], [], "twice"),
        ([], ["10.7.0.1"], "without an address"),
        (["10.7.0.5/24"], ["10.8.0.1"], "in the network of no address"),
        (["10.7.0.5/24"], ["10.7.0.5"], "in the network of no address"),
        (["10.7.0.5/24"], ["10.7.0.1", "10.7.0.2"], "more than one gateway"),
        (["10.7.0.5/24"], ["10.7.0.1/24"], "expected an address"),
        ([f"10.7.0.{n}/24" for n in range(1, 19)], [], "more than 16"),
    ],
)
def test_what_does_not_fit(found: list[str], gateways: list[str], message: str) -> None:
    with pytest.raises(TransprocError, match=message):
        addresses.check(found, gateways)


def test_what_the_pause_tool_is_told() -> None:
    told = addresses.network(job("10.77.0.5/24", "fd77::5/64", gateways=["10.77.0.1"]), "br7")
    assert told == "br7,026b86b273ff,0a4d0005/24,fd770000000000000000000000000005/64,>0a4d0001"
    assert addresses.network(job(), "br7") is None


def test_each_job_has_a_hardware_address_of_its_own_for_one_interface() -> None:
    found = {addresses.hardware(Job("j", "na", ["prog"])) for _ in range(100)}
    assert len(found) == 100
    assert all(int(text[:2], 16) & 3 == 2 for text in found)


def test_who_may_answer_where_a_job_goes() -> None:
    mine, moving = addresses.hardware(job()), job("10.77.0.5/24")

    def free(answer: str, *, bridge: bool = True, reached: bool = True) -> None:
        addresses.free(
            moving, "nb", "br0", Seen(bridge, {"10.77.0.5": answer} if bridge else {}), reached=reached
        )

    free(mine)
    free("", reached=False)
    with pytest.raises(TransprocError, match="in use by the node itself"):
        free(addresses.OWN)
    with pytest.raises(TransprocError, match="in use by 02:00:00:00:00:01"):
        free("020000000001")
    with pytest.raises(TransprocError, match="not seen there"):
        free("")
    with pytest.raises(TransprocError, match="has no bridge br0") as caught:
        free("", bridge=False)
    assert caught.value.hint and "nodes.toml" in caught.value.hint


@pytest.mark.parametrize("bridge", ["", "a/b", "br0,x", "a" * 16, "-x", 7, ["br0"]])
def test_what_is_no_bridge(bridge: object) -> None:
    with pytest.raises(TransprocError, match="bridge cannot be"):
        description.read({"bridge": bridge})


def test_a_damaged_record_has_no_addresses() -> None:
    data = job("10.77.0.5/24").as_dict()
    assert Job.from_dict(data).addresses == ["10.77.0.5/24"]
    with pytest.raises(TypeError):
        Job.from_dict(data | {"addresses": [7]})
