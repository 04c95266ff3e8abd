# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc serve`: jobs and nodes as a service, over HTTPS, with a web page. A thin caller of `cluster.operations`."""
