"""What a test is to be, from Locust's options, its user classes and its shape."""

from collections.abc import Mapping
from typing import Any

from bench.locust.options import TestSetup, fields_of, scenario_of, setup_of
from bench.locust.shapes import RateShape
from bench.run.awaited_workers import require_server_of_others
from bench.workload.scenario import Scenario


def planned(options: Mapping[str, Any], environment: Any) -> tuple[TestSetup, Scenario]:
    """Returns the set-up and the scenario of a test with these options, in Locust's environment.

    Raises UsageError or ScenarioError for what no test can be made of.
    """
    setup, scenario = setup_of(options), planned_scenario(options, environment)
    if setup.is_embedded:
        require_server_of_others(scenario, "--start-worker (or expect none, with --enqueue-only)")
    return setup, scenario


def planned_scenario(options: Mapping[str, Any], environment: Any) -> Scenario:
    """Returns the scenario alone, as ``planned``."""
    kinds = {getattr(each, "is_closed_loop", None) for each in environment.user_classes}
    is_closed_loop = next((kind for kind in kinds if kind is not None), None)
    run_time = options.get("run_time")
    shape = environment.shape_class
    stages = None
    fields = fields_of(environment.user_classes)
    if isinstance(shape, RateShape):
        shape.prepare(options)
        stages = None if is_closed_loop else shape.stages_text()
        run_time = shape.duration_s
    return scenario_of(
        options, fields, is_closed_loop, float(run_time) if run_time else None, stages
    )


def can_change_in_page(options: Mapping[str, Any], environment: Any) -> bool:
    """Whether Locust's page asks for something without which no test can be planned.

    That is the choice of the user classes, or the file of a trace.
    """
    shape = environment.shape_class
    lacks_part = isinstance(shape, RateShape) and shape.lacks_part(options)
    return lacks_part or bool(options.get("class_picker"))
