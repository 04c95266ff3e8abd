# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Batches: a list of programs on a mixed set of nodes, with and without migration, and what that takes and costs.

`model` reads the file, `decide` says where what goes (a pure function of what is known), `runner` does it, `report` tells it.
"""
