# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lists of resume entries name slots; the index says that the values lie there."""

from __future__ import annotations

import numpy as np

from transproc.binary import build, sites, stackmap


def test_slots_of_resume_entries() -> None:
    """Only there, and neither header nor objects: elsewhere a direct location is an address."""
    locations = np.zeros(9, sites.LOCATION)
    locations["kind"] = stackmap.DIRECT
    locations["kind"][[0, 3, 6]] = stackmap.CONSTANT, stackmap.REGISTER, stackmap.CONSTANT
    locations["size"] = 4
    rows = np.zeros(3, sites.SITE)
    rows["location"], rows["narrow"] = [7, 1, 8], [1, 3, 0]
    rows["flags"][1:] = sites.SITE_IN_RESUME
    build._read_slots(locations, rows)
    assert np.flatnonzero(locations["kind"] == stackmap.INDIRECT).tolist() == [1, 2]
    assert locations["size"].tolist() == [4, 8, 8, 4, 4, 4, 4, 4, 4]
