"""The rules of all layouts by name: a new layout joins here too."""

from bench.layouts.asynq import rules as asynq_rules
from bench.layouts.rules import Ruleset
from bench.layouts.runqy import rules as runqy_rules

RULESETS: dict[str, Ruleset] = {
    ruleset.layout.name: ruleset for ruleset in (runqy_rules.RULESET, asynq_rules.RULESET)
}
