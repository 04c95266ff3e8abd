# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lab: two small virtual machines, x86_64 and aarch64, on one host, from unmodified Debian packages.

`lab.Lab` starts and stops them; `rootfs` makes their images; `doctor` says what a host lacks, `checkup` what a node lacks.
"""
