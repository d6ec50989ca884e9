#!/usr/bin/env python3
"""Compares two reports of `gossamer gpu`, or checks one.

    compare.py OLD NEW     what changed by more than 3 %, what is missing; exit code 1 where a figure is more than 10 % worse
    compare.py REPORT      exit code 1 where it is not a report as docs/cli.md has it

Reports of two cards, or of one card by two names, are not compared: exit code 2. Standard library only.
"""
import json
import math
import sys
from pathlib import Path
from typing import Any

FORMAT = 1
MOST_WORSE = 0.10  # of a figure, from one report to the next
WORTH_SAYING = 0.03
# A model's bytes and operations cannot pass the card's; what is beyond this is a mistake of the figure, not of the clock.
MOST_OF_ROOF = 1.05

Report = dict[str, Any]


def load(path: Path | str) -> Report:
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    return report if isinstance(report, dict) else {}


def device_of(report: Report) -> str:
    return str(report.get("device", {}).get("name", "?"))


def figures_of(report: Report) -> dict[str, float]:
    """Every figure of a report under a name of its own, as something of which more is better."""
    figures = {f"roof: {name}": value if name.endswith("_per_s") else 1 / value
               for name, value in report.get("roof", {}).items()
               if isinstance(value, (int, float)) and value > 0 and name.endswith(("_per_s", "_us"))}
    for model, part in report.get("models", {}).items():
        figures |= {f"{model}: {figure['name']}": figure["tokens_per_s"] for figure in part["figures"]}
    for model, part in report.get("bench", {}).items():
        figures |= {f"kernels of {model}: {figure['name']}": 1 / figure["us"] for figure in part["figures"]}
    return figures


def is_number(value: Any, least: float = 0) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= least


def faults_of_figure(figure: Any, numbers: list[str]) -> list[str]:
    if not isinstance(figure, dict) or not isinstance(figure.get("name"), str):
        return ["a figure has no name"]
    name = figure["name"]
    faults = [f"{name}: {key} is {figure.get(key)!r} and no number" for key in numbers if not is_number(figure.get(key))]
    if "of_roof" not in figure or not (figure["of_roof"] is None or is_number(figure["of_roof"])):
        faults.append(f"{name}: of_roof is {figure.get('of_roof')!r}, neither a share nor null")
    return faults


def faults_of_model(name: str, part: Any) -> list[str]:
    if not isinstance(part, dict) or not isinstance(part.get("figures"), list):
        return [f"{name} has no figures"]
    faults = [f"{name}: the measurement ended with an error: {part['error']}"] if "error" in part else []
    for figure in part["figures"]:
        found = faults_of_figure(figure, ["tokens", "tokens_per_s", "ms", "least_ms", "runs", "bytes", "flops", "gb_per_s", "tflop_per_s"])
        if not found:
            by_time = figure["tokens"] / figure["ms"] * 1e3 if figure["ms"] > 0 else 0
            if not math.isclose(by_time, figure["tokens_per_s"], rel_tol=0.01):
                found.append(f"{figure['name']}: {figure['tokens_per_s']:g} tokens/s, but {figure['tokens']} in {figure['ms']:g} ms are {by_time:g}")
            if figure["of_roof"] is not None and figure["of_roof"] > MOST_OF_ROOF:
                found.append(f"{figure['name']}: {figure['of_roof']:.2f} of what the card can do")
        faults += [f"{name}: {fault}" for fault in found]
    return faults


def faults_of_bench(name: str, part: Any) -> list[str]:
    if not isinstance(part, dict) or not isinstance(part.get("figures"), list):
        return [f"kernels of {name} have no figures"]
    faults = [f"kernels of {name}: the measurement ended with an error: {part['error']}"] if "error" in part else []
    for figure in part["figures"]:
        found = faults_of_figure(figure, ["rows", "us", "runs", "bytes", "flops", "gb_per_s", "tflop_per_s"])
        if not found and figure["us"] <= 0:
            found = [f"{figure['name']}: it took no time"]
        faults += [f"kernels of {name}: {fault}" for fault in found]
    return faults


def faults_of(report: Report) -> list[str]:
    """What is wrong with a report, a sentence each."""
    if report.get("gossamer_gpu_report") != FORMAT:
        return [f"this is no report of format {FORMAT}"]
    faults = [f"{key} is {report.get(key)!r} and no text" for key in ("program", "date") if not isinstance(report.get(key), str)]
    if not (report.get("revision", 0) is None or isinstance(report.get("revision"), str)):
        faults.append("revision is neither a text nor null")
    device = report.get("device")
    if not isinstance(device, dict):
        return faults + ["it does not say which device it is of"]
    faults += [f"device.{key} is {device.get(key)!r} and no text" for key in ("name", "capability", "driver", "runtime") if not isinstance(device.get(key), str)]
    faults += [f"device.{key} is {device.get(key)!r} and no number" for key in ("processors", "memory_bytes", "l2_bytes", "clock_mhz") if not is_number(device.get(key))]
    for part in ("roof", "selftest", "models", "bench"):
        if not isinstance(report.get(part, {}), dict):
            return faults + [f"{part} is no object"]
    selftest = report.get("selftest", {})
    if selftest.get("failed", 0):
        faults.append(f"selftest: {selftest['failed']} checks failed")
    if "unfinished" in selftest:
        faults.append(f"selftest: it did not end; the last check that did is {selftest['unfinished']!r}")
    faults += [f"roof: {error}" for error in report.get("roof", {}).get("errors", [])]
    for name, part in report.get("models", {}).items():
        faults += faults_of_model(name, part)
    for name, part in report.get("bench", {}).items():
        faults += faults_of_bench(name, part)
    names = [f"{model}: {figure['name']}" for model, part in [*report.get("models", {}).items(), *report.get("bench", {}).items()]
             if isinstance(part, dict) for figure in part.get("figures", []) if isinstance(figure, dict) and "name" in figure]
    if not names and not faults and not report.get("roof"):
        faults.append("there is no figure in it")
    return faults


def compare(old: Report, new: Report) -> tuple[list[str], list[str]]:
    """What changed and what is missing, a line each; and those of the lines that say a figure is too much worse."""
    before, after = figures_of(old), figures_of(new)
    lines, worse = [], []
    for name, value in before.items():
        if name not in after:
            lines.append(f"{name}: missing in the newer report")
            continue
        change = after[name] / value - 1
        if abs(change) > WORTH_SAYING:
            lines.append(f"{name}: {100 * change:+.1f} %")
        if change < -MOST_WORSE:
            worse.append(lines[-1])
    lines += [f"{name}: new" for name in after if name not in before]
    return lines, worse


def last_two(reports: list[tuple[str, Report]]) -> list[tuple[tuple[str, Report], tuple[str, Report]]]:
    """Of each device the two newest, the older first."""
    of_device: dict[str, list[tuple[str, Report]]] = {}
    for name, report in sorted(reports, key=lambda each: each[1].get("date", "")):
        of_device.setdefault(device_of(report), []).append((name, report))
    return [(each[-2], each[-1]) for each in of_device.values() if len(each) > 1]


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    reports = [load(path) for path in arguments]
    for path, report in zip(arguments, reports):
        if faults := faults_of(report):
            print("\n".join(f"{path}: {fault}" for fault in faults), file=sys.stderr)
            return 1
    if len(reports) == 1:
        print(f"{device_of(reports[0])}: {len(figures_of(reports[0]))} figures")
        return 0
    old, new = reports
    if device_of(old) != device_of(new):
        print(f"{arguments[0]} is of {device_of(old)}, {arguments[1]} of {device_of(new)}: they are not compared", file=sys.stderr)
        return 2
    lines, worse = compare(old, new)
    print("\n".join(lines) if lines else f"nothing changed by more than {100 * WORTH_SAYING:.0f} %")
    if worse:
        print(f"{len(worse)} of {len(figures_of(old))} figures are more than {100 * MOST_WORSE:.0f} % worse:\n" + "\n".join(worse), file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
