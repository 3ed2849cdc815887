"""What verify found, for people (text), for CI servers (JUnit XML) and for test harnesses (TAP 13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from runit_provision.verify.expect import Finding


@dataclass(frozen=True, slots=True)
class Report:
    """Every promise that was held against the host. seconds: how long it took until all were kept, or it was given up."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def kept(self) -> bool:
        """True when the host lives as the data says."""
        return all(finding.kept for finding in self.findings)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What is not so."""
        return tuple(finding for finding in self.findings if not finding.kept)

    def lines(self) -> Iterator[str]:
        """Give a line for each service with what it should be and how it fares, then how many promises are kept."""
        broken: dict[tuple[str, str], list[str]] = {}
        for finding in self.faults:
            broken.setdefault((finding.service, finding.fault), []).append(finding.promise)
        for (service, fault), promises in broken.items():
            yield f"{service}: promised {', '.join(promises)}: {fault}"
        services = len({finding.service for finding in self.findings})
        word = "service" if services == 1 else "services"
        kept = len(self.findings) - len(self.faults)
        yield f"{services} {word}, {kept} of {len(self.findings)} promises kept ({self.seconds:.1f} s)"


def junit(report: Report) -> str:
    """Give JUnit XML: one test case for each promise, with the service as its class."""
    counts = {"tests": str(len(report.findings)), "failures": str(len(report.faults)), "time": f"{report.seconds:.3f}"}
    suite = ElementTree.Element("testsuite", {"name": "runit-provision verify", **counts, "errors": "0", "skipped": "0"})
    for finding in report.findings:
        case = ElementTree.SubElement(suite, "testcase", {"classname": finding.service, "name": finding.promise, "time": "0"})
        if not finding.kept:
            ElementTree.SubElement(case, "failure", {"message": finding.fault}).text = f"{finding.service}: {finding.fault}"
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def tap(report: Report) -> str:
    """Give TAP version 13: one test point for each promise."""
    lines = ["TAP version 13", f"1..{len(report.findings)}"]
    for number, finding in enumerate(report.findings, start=1):
        lines.append(f"{'ok' if finding.kept else 'not ok'} {number} - {finding.service} {finding.promise}".replace("#", r"\#"))
        if not finding.kept:
            lines += ["  ---", f"  message: {_quoted(finding.fault)}", "  ..."]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
