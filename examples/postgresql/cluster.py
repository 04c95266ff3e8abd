# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A new database of PostgreSQL, made by its own `initdb` on this machine.

It may not be root, so it is `nobody` then, as the job is on its nodes (`transproc run --user nobody`).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

USER = "nobody"

SETTINGS = """
shared_buffers = 8MB
max_wal_size = 8MB
min_wal_size = 2MB
fsync = off
"""


def make(tree: Path, place: Path) -> Path:
    """What is to become the job's working directory, in `place`: `share`, which is found beside the program, and `data`.

    Ends this program if `initdb` fails.
    """
    shutil.copytree(tree / "bin", place / "bin")
    work = shutil.copytree(tree / "data/work", place / "data/work")
    who = pwd.getpwnam(USER) if os.getuid() == 0 else None
    if who:
        for path in (place, place / "data", work):
            os.chown(path, who.pw_uid, who.pw_gid)
    options = "--no-locale -E UTF8 -A trust -U postgres --no-sync --wal-segsize=1 -T simple"
    done = subprocess.run(
        [place / "bin/initdb", "-D", work / "data", *options.split()],
        env={"TZ": "GMT", "PATH": os.environ["PATH"]},
        user=who and who.pw_uid,
        group=who and who.pw_gid,
        extra_groups=[] if who else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"initdb: {done.stdout}{done.stderr}")
    with (work / "data/postgresql.conf").open("a") as file:
        file.write(SETTINGS)
    return work
