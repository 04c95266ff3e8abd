# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs of Slurm that go on in a partition of the other ISA. A thin caller of `cluster.operations`."""
