# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs modules of Python's own tests: python regression.py MODULE...; one line for each test, without times."""

# ruff: noqa: N802 (unittest's names)

import sys
import unittest


class Lines(unittest.TestResult):
    """Prints a word for each test, and the reason where it is not `ok`."""

    def say(self, test, word):
        print(word, test.id(), flush=True)

    def addSuccess(self, test):
        self.say(test, "ok")

    def addSkip(self, test, reason):
        self.say(test, "skipped")

    def addExpectedFailure(self, test, error):
        self.say(test, "ok")

    def addError(self, test, error):
        super().addError(test, error)
        self.say(test, "WRONG")
        print(self.errors[-1][1], file=sys.stderr)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say(test, "WRONG")
        print(self.failures[-1][1], file=sys.stderr)


result = Lines()
unittest.defaultTestLoader.loadTestsFromNames([f"test.{name}" for name in sys.argv[1:]]).run(result)
print("end", "ok" if result.wasSuccessful() else "WRONG")
sys.exit(not result.wasSuccessful())
