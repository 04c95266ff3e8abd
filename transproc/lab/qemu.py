# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How each kind of lab machine is emulated: one row for each ISA, and the command line made from it.

A new ISA needs one more row; nothing else in the lab names an ISA.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transproc.errors import LabError

GUEST_SSH_PORT = 22
KVM = Path("/dev/kvm")


@dataclass(frozen=True)
class Guest:
    """What differs between the lab's machines.

    `accel_tcg`, `cpu_tcg`: emulation, model and features of the emulated CPU. `kernel_args`: beside those that all machines get.
    """

    isa: str
    """as `uname -m` says it"""
    node: str
    """name of the machine as a node"""
    debian: str
    """Debian's name of the architecture"""
    kernel_package: str
    loader: str
    """dynamic loader, relative to the root of a tree"""
    binary: str
    """the emulator"""
    machine: str
    accel_tcg: str
    cpu_tcg: str
    console: str
    kernel_args: tuple[str, ...] = ()


GUESTS: tuple[Guest, ...] = (
    Guest(
        isa="x86_64",
        node="x86",
        debian="amd64",
        kernel_package="linux-image-cloud-amd64",
        loader="usr/lib64/ld-linux-x86-64.so.2",
        binary="qemu-system-x86_64",
        machine="q35",
        # One host thread for all virtual CPUs. The kernel patches its code by breakpoints (text_poke_bp), as it does
        # in the scheduler for each hardware breakpoint that criu sets; with a thread for each, QEMU 7.2 may execute
        # such a breakpoint after it is gone, and the guest panics ("Oops: int3").
        accel_tcg="tcg,thread=single",
        # QEMU 7.2 computes the flags after cmpxchg16b from a stale value; an interrupt right behind it, of which
        # an allocation in the kernel has many, then crashes the guest within minutes. Baseline x86_64 lacks it.
        cpu_tcg="max,-cx16",
        console="ttyS0",
        # The emulator counts cycles in host time: nothing to calibrate or to distrust.
        kernel_args=("tsc=reliable", "no_timer_check"),
    ),
    Guest(
        isa="aarch64",
        node="arm",
        debian="arm64",
        kernel_package="linux-image-cloud-arm64",
        loader="usr/lib/ld-linux-aarch64.so.1",
        binary="qemu-system-aarch64",
        machine="virt",
        # As for x86_64: with a thread for each, a busy host was seen to lose an interrupt between the two virtual CPUs
        # ("soft lockup" in smp_call_function_single, when criu sets a hardware breakpoint), and the guest hung.
        accel_tcg="tcg,thread=single",
        # The architected hash of pointer authentication takes most of the run time when it is emulated.
        cpu_tcg="max,pauth-impdef=on",
        console="ttyAMA0",
        # Without pointer authentication emulated programs run faster: its instructions do nothing.
        kernel_args=("arm64.nopauth",),
    ),
)


@dataclass(frozen=True)
class Size:
    """Resources of one machine; `root` is the limit of its root file system, as tmpfs takes it."""

    memory_mb: int = 1024
    cpus: int = 2
    root: str = "75%"


def kvm_possible(guest: Guest) -> bool:
    """Whether hardware virtualisation may be tried for this guest: its ISA is the host's and /dev/kvm opens."""
    return guest.isa == platform.machine() and os.access(KVM, os.R_OK | os.W_OK)


def command(
    guest: Guest,
    *,
    kernel: Path,
    initrd: Path,
    console: Path,
    ssh_port: int,
    size: Size,
    kvm: bool,
    lan: Sequence[int] = (),
    more: Sequence[str] = (),
) -> list[str]:
    """The emulator's command line; of `more`, what a profile adds.

    The guest reaches nothing but what connects to 127.0.0.1:`ssh_port` on the host, the other machines, and what a profile adds.
    `lan`: UDP ports of 127.0.0.1, one for each machine, by which a second network card joins them.
    """
    arguments = [
        f"console={guest.console}",
        "quiet",
        "panic=-1",
        "rdinit=/init",
        "mitigations=off",
        f"transproc.root={size.root}",
        *(("transproc.selftest",) if kvm else ()),
        *((f"transproc.lan={GUESTS.index(guest) + 1}",) if lan else ()),
        *guest.kernel_args,
    ]
    return [
        guest.binary,
        *("-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none"),
        *("-machine", guest.machine),
        *(("-accel", "kvm", "-cpu", "host") if kvm else ("-accel", guest.accel_tcg, "-cpu", guest.cpu_tcg)),
        *("-smp", str(size.cpus)),
        *("-m", str(size.memory_mb)),
        *("-kernel", str(kernel)),
        *("-initrd", str(initrd)),
        *("-append", " ".join(arguments)),
        *("-chardev", f"file,id=console,path={console}"),
        *("-serial", "chardev:console"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{ssh_port}-:{GUEST_SSH_PORT}"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *(_card(GUESTS.index(guest), lan) if lan else ()),
        *more,
    ]


def internal(name: str) -> str:
    """The address of a machine in the network that joins them (guest/boot.sh)."""
    return f"10.77.0.{[guest.node for guest in GUESTS].index(name) + 1}"


def _card(own: int, lan: Sequence[int]) -> list[str]:
    """Frames go to the one other machine as datagrams: QEMU's `socket` has no switch but multicast, which gives its own back."""
    if len(lan) != 2:
        raise LabError(f"the lab's network joins two machines, not {len(lan)}")
    ends = f"udp=127.0.0.1:{lan[1 - own]},localaddr=127.0.0.1:{lan[own]}"
    device = f"virtio-net-pci,netdev=lan,romfile=,mac=52:54:00:77:00:0{own + 1}"
    return ["-netdev", f"socket,id=lan,{ends}", "-device", device]
