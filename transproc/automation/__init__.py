# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What moves jobs without a person who types each step: plans, policies, batches. Thin callers of `cluster.operations`."""
