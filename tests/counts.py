"""A pytest plugin: how many tests of each folder passed, failed or were skipped, and which files took longest."""

from collections import Counter

SHOWN = 25


def pytest_terminal_summary(terminalreporter):
    words = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
    counts = Counter()
    for word in words:
        for report in terminalreporter.stats.get(word, []):
            folder = report.nodeid.partition("::")[0].rpartition("/")[0]
            counts[folder, word] += 1
    if not counts:
        return
    terminalreporter.section("tests by folder")
    for folder in sorted({folder for folder, _ in counts}):
        figures = [f"{counts[folder, word]} {word}" for word in words if counts[folder, word]]
        terminalreporter.write_line(f"{folder}: {', '.join(figures)}")

    seconds = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section("longest files")
    for file, took in seconds.most_common(SHOWN):
        terminalreporter.write_line(f"{took:.0f} s {file}")
