# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Images of the lab's machines, made from Debian packages without running foreign code.

mmdebstrap downloads and unpacks a tree for each ISA (`downloads/`); what a machine needs is copied from it into a small
root (`lab/images/<digest>/<isa>/root`) and archived as an initramfs. Signatures are always checked, by apt, against the host's
Debian keyring. The digest names the recipe, so a changed recipe makes new images and an unchanged one costs a look-up.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path

from transproc import log, paths
from transproc.errors import CommandError, LabError
from transproc.lab import closure, cpio
from transproc.lab.profile import Profile
from transproc.lab.qemu import GUESTS, Guest
from transproc.run import run

SUITE = "trixie"
SUITES = {"stable": SUITE, "testing": "forky"}
"""Releases of Debian of which machines can be, by what they are at present."""
PACKAGES = ("criu", "busybox-static", "dash", "dropbear-bin", "tar", "openssh-server", "openssh-client")
PROGRAMS = (
    *("usr/sbin/criu", "usr/sbin/dropbear", "usr/bin/tar", "usr/bin/dash", "usr/bin/busybox"),
    # by which memory goes straight from one machine to the other; dropbear starts faster, and knows no other configuration
    *("usr/bin/ssh", "usr/sbin/sshd", "usr/lib/openssh/sshd-session", "usr/lib/openssh/sshd-auth"),
)
MODULES = (
    *("virtio_net", "virtio_rng"),
    # socket diagnostics, by which criu reads sockets
    *("unix_diag", "inet_diag", "tcp_diag", "udp_diag", "raw_diag", "netlink_diag", "af_packet_diag"),
    # criu locks the network of a process with TCP connections by nftables
    *("nf_tables", "nf_conntrack", "nft_ct", "nft_reject_inet"),
    *("tun", "veth", "bridge"),
)
HERE = Path(__file__).resolve().parent
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "sshd:x:101:65534:sshd:/run/sshd:/bin/false\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/inittab": "::sysinit:/etc/boot.sh\n"
    "::respawn:/usr/sbin/dropbear -F -s -j -k -W 1048576 -P /run/dropbear.pid 2>/run/dropbear.log\n"
    "::once:/etc/ready.sh\n",
}


@dataclass(frozen=True)
class Image:
    """What QEMU boots, and the unpacked root (whose x86_64 criu also serves the host)."""

    kernel: Path
    initrd: Path
    root: Path


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds `path` exclusively, across processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        flock(file, LOCK_EX)
        yield


def images(profile: Profile | None = None, suite: str = SUITE) -> dict[str, Image]:
    """Images of all machines, by ISA; made (in parallel, some seconds) where missing. Raises LabError."""
    missing = [guest.isa for guest in GUESTS if not _place(guest, profile, suite).exists()]
    step = log.step(f"guest images for {' and '.join(missing)}") if missing else nullcontext()
    with step, ThreadPoolExecutor(len(GUESTS)) as pool:
        made = pool.map(lambda guest: image(guest, profile, suite), GUESTS)
        return dict(zip((guest.isa for guest in GUESTS), made, strict=True))


def image(guest: Guest, profile: Profile | None = None, suite: str = SUITE) -> Image:
    """The image of one machine; made when missing."""
    place = _place(guest, profile, suite)
    result = Image(place / "vmlinuz", place / "base.cpio", place / "root")
    if not place.exists():
        with lock(place.parent / f"{guest.isa}.lock"):
            if not place.exists():
                _build(guest, place, profile, suite)
    return result


def _place(guest: Guest, profile: Profile | None, suite: str) -> Path:
    recipe = [
        HERE / "rootfs.py",
        HERE / "closure.py",
        HERE / "cpio.py",
        *sorted((HERE / "guest").glob("*.sh")),
    ]
    extra = [*profile.packages, *profile.modules] if profile else []
    extra += [suite] if suite != SUITE else []
    return paths.home() / "lab" / "images" / paths.digest(recipe, paths.mirror(), *extra) / guest.isa


def host_criu(suite: str = SUITE) -> list[str]:
    """Start of a command line that runs the lab's criu on this machine, with its own libraries and dynamic loader.

    Debian 12's criu 3.17 does not start on current kernels. Raises LabError if the lab has no machine of this ISA.
    """
    guest = next((guest for guest in GUESTS if guest.isa == platform.machine()), None)
    if guest is None:
        raise LabError(f"the lab has no criu for this machine's ISA, {platform.machine()}")
    root = image(guest, suite=suite).root
    libraries = next((root / "usr/lib").glob("*/libc.so.6")).parent
    return [str(root / guest.loader), "--library-path", str(libraries), str(root / "usr/sbin/criu")]


def tree(guest: Guest, profile: Profile | None = None, suite: str = SUITE) -> Path:
    """All packages of one ISA, unpacked; kept, since it takes long only the first time."""
    packages = [*PACKAGES, guest.kernel_package, *(profile.packages if profile else ())]
    place = (
        paths.home() / "downloads" / f"{suite}-{guest.debian}-{paths.digest([], paths.mirror(), *packages)}"
    )
    if place.exists():
        return place
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        draft = Path(temporary) / "tree"
        options = ["--variant=extract", f"--architectures={guest.debian}", f"--include={','.join(packages)}"]
        if suite != SUITE:
            # Its index is valid for a week, and a mirror may stand still: what is signed is enough for the lab.
            options.append("--aptopt=Acquire::Check-Valid-Until false")
        try:
            run(["mmdebstrap", *options, suite, draft, paths.mirror()], timeout=900)
        except CommandError as error:
            raise LabError(
                f"packages for {guest.isa} could not be had: {error}", hint=_download_hint(error, suite)
            ) from error
        shutil.rmtree(draft / "usr/share")
        draft.rename(place)
    return place


def _download_hint(error: CommandError, suite: str) -> str:
    if "NO_PUBKEY" in error.stderr or "not signed" in error.stderr:
        return f"the host does not know {suite}'s signing keys: apt-get install debian-archive-keyring"
    return f"is {paths.mirror()} reachable? TRANSPROC_MIRROR names another mirror"


def _build(guest: Guest, place: Path, profile: Profile | None, suite: str) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        unpacked = tree(guest, profile, suite)
        new = Path(temporary) / "new"
        root = new / "root"
        _populate(guest, unpacked, root, [*MODULES, *(profile.modules if profile else ())])
        shutil.copy2(_kernel(unpacked), new / "vmlinuz")
        with (new / "base.cpio").open("wb") as sink:
            cpio.write_tree(sink, root)
        new.rename(place)


def _kernel(tree: Path) -> Path:
    """Debian 14 has it beside its modules."""
    return next(
        path for place in ("boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz") for path in tree.glob(place)
    )


def _populate(guest: Guest, tree: Path, root: Path, modules: Sequence[str]) -> None:
    """Copies from the tree what the machine needs and adds its own few files."""
    for directory in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "root", "proc", "mnt", "var/lib"):
        (root / directory).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    # busybox's own shell would prefer its own commands to those in PATH; its tar knows no sparse files.
    (root / "usr/bin/sh").symlink_to("dash")
    programs = [tree / program for program in PROGRAMS]
    for source in [*programs, *closure.libraries(tree, programs, tree / guest.loader)]:
        target = root / source.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    _copy_modules(tree, root, modules)
    for name, text in FILES.items():
        (root / name).write_text(text)
    for script in (HERE / "guest").glob("*.sh"):
        target = root / ("init" if script.stem == "init" else f"etc/{script.name}")
        shutil.copyfile(script, target)
        target.chmod(0o755)


def _copy_modules(tree: Path, root: Path, modules: Sequence[str]) -> None:
    source = next((tree / "usr/lib/modules").iterdir())
    target = root / "usr/lib/modules" / source.name
    found = closure.modules(source, modules)
    for module in found.values():
        path = target / module.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(module.data)
    for name, text in closure.module_index(found).items():
        (target / name).write_text(text)
