"""A comparison as JUnit XML: one test case for correctness, and one for each gated metric."""

from xml.etree import ElementTree

from bench.analysis.rule import Decision
from bench.inert import visible
from bench.records.comparison_record import GateRecord
from bench.reports.gate import text


def junit(gate: GateRecord) -> str:
    """Returns one test suite as XML; an inconclusive metric counts as skipped, not as passed."""
    gated = [row for row in gate.rows if row.is_gated]
    failed = sum(row.decision == Decision.REGRESSION for row in gated) + bool(gate.faults)
    skipped = sum(row.decision == Decision.INCONCLUSIVE for row in gated)
    suite = ElementTree.Element(
        "testsuite",
        name=f"bench {gate.title}",
        tests=str(len(gated) + 1),
        failures=str(failed),
        errors="0",
        skipped=str(skipped),
        timestamp=gate.made_at,
        time=f"{gate.duration_s or 0:.3f}",
    )
    ledger = ElementTree.SubElement(suite, "testcase", classname=gate.title, name="correctness")
    if gate.faults:
        failure = ElementTree.SubElement(ledger, "failure", message="; ".join(gate.faults))
        failure.text = "\n".join(gate.faults)
    for row in gated:
        case = ElementTree.SubElement(suite, "testcase", classname=gate.title, name=row.metric)
        figures = f"{text.figures(row)}, p {text.probability(row)}"
        if row.decision == Decision.REGRESSION:
            ElementTree.SubElement(case, "failure", message=figures).text = text.verdict(row)
        elif row.decision == Decision.INCONCLUSIVE:
            ElementTree.SubElement(case, "skipped", message=f"{text.verdict(row)}: {figures}")
        else:
            ElementTree.SubElement(case, "system-out").text = f"{text.verdict(row)}: {figures}"
    out = ElementTree.SubElement(suite, "system-out")
    out.text = "\n".join([text.legend(gate), *text.footer(gate), text.rerun(gate)])
    ElementTree.indent(suite)
    document = ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
    # XML has no escapes for control characters: a reader would refuse the whole document.
    return visible(document, keep="\n") + "\n"
