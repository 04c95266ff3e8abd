# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules that keep jobs where they should be: read from TOML, evaluated without touching anything, carried out within limits."""

from transproc.automation.policies.engine import Policies, Report
from transproc.automation.policies.evaluate import Attempt, Decision, JobState, Move, Situation, evaluate
from transproc.automation.policies.read import parse, read
from transproc.automation.policies.rules import Limits, Policy

__all__ = [
    "Attempt",
    "Decision",
    "JobState",
    "Limits",
    "Move",
    "Policies",
    "Policy",
    "Report",
    "Situation",
    "evaluate",
    "parse",
    "read",
]
