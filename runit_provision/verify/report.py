"""What verify found, for people (text), for CI servers (JUnit XML) and for test harnesses (TAP 13)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from runit_provision.verify.expect import Finding

_CHECK = "everything on disk is as the data says"


@dataclass(frozen=True, slots=True)
class Report:
    """Every promise that was held against the host.

    seconds: how long it took until all were kept, or it was given up. differences: what apply would do, a line each. refused: why
    nothing could be held against the host, a line each, as data that are wrong.
    """

    findings: tuple[Finding, ...]
    seconds: float
    differences: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """True when the host is, and lives, as the data says."""
        return not self.refused and not self.differences and not self.faults

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What is not so."""
        return tuple(finding for finding in self.findings if not finding.kept)

    def lines(self) -> Iterator[str]:
        """Give a table of what is not so, a row for each service with what it should be and how it fares, then the counts.

        The check of the files is one of the promises, as in the other forms.
        """
        broken: dict[tuple[str, str], list[str]] = {}
        for finding in self.faults:
            broken.setdefault((finding.service, finding.fault), []).append(finding.promise)
        if broken:
            rows = [(service, ", ".join(promises), fault) for (service, fault), promises in broken.items()]
            yield from _columns(("service", "should be", "but"), rows)
        services = len({finding.service for finding in self.findings})
        word = "service" if services == 1 else "services"
        promises = len(self.findings) + 1
        kept = promises - len(self.faults) - bool(self.refused or self.differences)
        yield f"{services} {word}, {kept} of {promises} promises kept ({self.seconds:.1f} s)"


def _columns(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    table = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)][:-1]
    for *cells, last in table:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last])


def junit(report: Report) -> str:
    """Give JUnit XML as Jenkins, GitLab and GitHub's actions read it: a suite for the check of the files, one for the services.

    A test case for each promise has the service as its class.
    """
    root = ElementTree.Element("testsuites")
    on_disk = [("check", _CHECK, _count(report), "\n".join(report.refused or report.differences))]
    promises = [(finding.service, finding.promise, finding.fault, f"{finding.service}: {finding.fault}") for finding in report.findings]
    for name, seconds, cases in (("check", 0.0, on_disk), ("services", report.seconds, promises)):
        counts = {
            "tests": str(len(cases)),
            "failures": str(sum(bool(fault) for _, _, fault, _ in cases)),
            "errors": "0",
            "skipped": "0",
        }
        suite = ElementTree.SubElement(root, "testsuite", {"name": f"runit-provision {name}", **counts, "time": f"{seconds:.3f}"})
        for owner, promise, fault, text in cases:
            case = ElementTree.SubElement(suite, "testcase", {"classname": owner, "name": promise, "time": "0"})
            if fault:
                ElementTree.SubElement(case, "failure", {"message": fault, "type": "difference"}).text = text
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def tap(report: Report) -> str:
    """Give TAP version 13: a test point for the check of the files, and one for each promise."""
    points = [(_CHECK, _count(report), report.refused or report.differences)]
    points += [(f"{finding.service} {finding.promise}", finding.fault, ()) for finding in report.findings]
    lines = ["TAP version 13", f"1..{len(points)}"]
    for number, (point, fault, details) in enumerate(points, start=1):
        lines.append(f"{'not ok' if fault else 'ok'} {number} - {point}".replace("#", r"\#"))
        if fault:
            lines += ["  ---", f"  message: {_quoted(fault)}"]
            told = [f"    {line}" for detail in details for line in detail.split("\n")]
            lines += [f"  {'problems' if report.refused else 'differences'}: |", *told] if told else []
            lines.append("  ...")
    return "\n".join(lines) + "\n"


def _count(report: Report) -> str:
    number, word = (len(report.refused), "problem") if report.refused else (len(report.differences), "difference")
    return f"{number} {word}{'s' * (number != 1)}" if number else ""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
