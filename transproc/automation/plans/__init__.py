# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans: files that say what is to be done with programs on which nodes, in which order, and when.

`reading.read` makes a `model.Plan` of a file in either format, with all that is wrong in it; `check` looks at what the file
alone cannot tell; `executor` carries it out by the operations of `transproc.cluster`; `records` keeps the log.
"""
