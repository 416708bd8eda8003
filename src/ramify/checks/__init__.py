"""Rules for the types and ranges of settings.

A class lists one rule per parameter in ``RULES``. ``check_settings`` applies them before work begins and raises an
InputError that names the setting, the value and the limits. Estimators call it in ``fit``, because ``clone`` of
scikit-learn requires that ``__init__`` accepts all values; frozen dataclasses call it when they are made.
"""

from ramify.checks.arguments import existing_path, given_path, real_number, thread_count, whole_number
from ramify.checks.rules import (
    AUTO,
    COUNT,
    MAX_THREADS,
    SEED,
    THREADS,
    THRESHOLD,
    OneOf,
    OrAuto,
    Pair,
    Parsed,
    Real,
    Rule,
    Several,
    Whole,
    YesNo,
)
from ramify.checks.settings import (
    INDEXER,
    REPRESENTATION,
    Checked,
    CheckedWhenMade,
    Instance,
    Own,
    Rules,
    check_inside,
    rules_of,
)

__all__ = [
    "AUTO",
    "COUNT",
    "INDEXER",
    "MAX_THREADS",
    "REPRESENTATION",
    "SEED",
    "THREADS",
    "THRESHOLD",
    "Checked",
    "CheckedWhenMade",
    "Instance",
    "OneOf",
    "OrAuto",
    "Own",
    "Pair",
    "Parsed",
    "Real",
    "Rule",
    "Rules",
    "Several",
    "Whole",
    "YesNo",
    "check_inside",
    "existing_path",
    "given_path",
    "real_number",
    "rules_of",
    "thread_count",
    "whole_number",
]
