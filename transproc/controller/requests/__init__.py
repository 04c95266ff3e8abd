# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be asked for: one class for each operation, with its parameters as fields, and a result that JSON can hold.

The command line makes one and performs it on this host, or sends it to a controller, which performs it there; so the two can
never differ. A new operation is a class in a module here and its line in `registry.ALL`: it then has a command's seam, an
endpoint with its description, a record, limits, and the roles that may use it.

Nothing is imported here: a command needs one of them, and all of them take a tenth of a second.
"""
