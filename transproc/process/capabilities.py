# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Capabilities as the kernel shows and names them (capabilities(7), include/uapi/linux/capability.h)."""

from __future__ import annotations

NAMES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast "
    "net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice "
    "sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog "
    "wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
).split()
"""By bit number."""


def names(mask: int) -> list[str]:
    """What libcap calls the capabilities of a set; those that are newer than this table by number."""
    bits = (bit for bit in range(mask.bit_length()) if mask >> bit & 1)
    return [f"cap_{NAMES[bit]}" if bit < len(NAMES) else f"cap_{bit}" for bit in bits]
