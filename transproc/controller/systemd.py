# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A controller as a service of systemd: the unit, and the word that it is ready (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

UNIT = """\
# transproc serve --systemd-unit > /etc/systemd/system/transproc.service
#   useradd --system --home-dir /var/lib/transproc-controller transproc
#   systemctl enable --now transproc
# The state, with the certificate and the tokens, is in /var/lib/transproc-controller; nodes.toml and the keys that it
# names are in /etc/transproc, readable by that user. The node `local` needs root and is not for this unit.

[Unit]
Description=transproc controller
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={command}
User=transproc
Environment=TRANSPROC_STATE=/var/lib/transproc-controller
Environment=TRANSPROC_HOME=/var/cache/transproc
Environment=TRANSPROC_NODES=/etc/transproc/nodes.toml
StateDirectory=transproc-controller
StateDirectoryMode=0700
CacheDirectory=transproc
CacheDirectoryMode=0700
UMask=0077
Restart=always
RestartSec=2
# tasks have {grace:g} s to end by themselves, and are taken back then
TimeoutStopSec={stop:g}
KillMode=mixed
LimitNOFILE=65536

# it opens sockets and starts ssh and tar; everything else is closed
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""


def unit(arguments: Sequence[str], grace: float) -> str:
    """The unit of a controller that is started with these arguments."""
    command = shlex.join([str(Path(sys.executable).with_name("transproc")), "serve", *arguments])
    return UNIT.format(command=command.replace("%", "%%"), grace=grace, stop=grace + 60)


def notify(state: str) -> None:
    """Tells systemd, if that has started us: `READY=1`, `STOPPING=1`."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect("\0" + address[1:] if address.startswith("@") else address)
        line.send(state.encode())
