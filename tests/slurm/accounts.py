# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Accounts of a cluster (cluster.py): Debian's slurmdbd and MariaDB, in its namespaces.

Every user needs an association, some partitions are closed to the test's user, and jobs of quality `urgent` preempt the others.
"""

from __future__ import annotations

from pathlib import Path

PROGRAMS = ("slurmdbd", "sacctmgr", "mariadbd", "mariadb-install-db")
START_SECONDS = 180.0
"""A database and its tables are made first: 15 s on a quiet machine."""
_CLUSTER = """\
PreemptType=preempt/qos
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStorageEnforce=associations,limits,qos
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1"""
_DATABASE = """\
AuthType=auth/munge
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=accounts
LogFile={state}/slurmdbd.log
PidFile=/run/slurmdbd.pid
"""


def configure(directory: Path, host: str, port: int) -> str:
    """Writes slurmdbd's configuration; returns what belongs into that of the cluster."""
    path = directory / "slurmdbd.conf"
    path.touch(0o600)  # it is refused if others can read it
    path.write_text(_DATABASE.format(host=host, port=port, state=directory))
    return _CLUSTER.format(port=port)
