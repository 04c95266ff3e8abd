# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes one file of Python's standard library, of compiled modules, which load fast: python library.py ARCHIVE LIB [FILE]...

LIB: the library's directory; each FILE is one more module.
"""

import sys
import zipfile
from pathlib import Path

LEFT_OUT = {
    *("test", "tests", "idle_test", "idlelib", "lib2to3", "tkinter", "turtledemo"),
    *("ensurepip", "distutils", "pydoc_data"),
}

archive, library, *files = sys.argv[1:]
with zipfile.PyZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
    for place in [library, *files]:
        out.writepy(place)
    for package in sorted(Path(library).iterdir()):
        if (package / "__init__.py").exists() and package.name not in LEFT_OUT:
            out.writepy(package, filterfunc=lambda path: not LEFT_OUT & set(Path(path).parts[-2:]))
