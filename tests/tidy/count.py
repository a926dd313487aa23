# SPDX-License-Identifier: MIT
"""Sums up meson's test logs: prints `PASSED FAILED SKIPPED` over all tests of all logs given, and on
stderr what each that failed had to say.

A test program that speaks TAP counts as many tests as it reports, any other as one. One that crashed,
timed out or reported fewer than it planned has failed once more than it says.
"""
import json
import re
import sys

TAIL_LINES = 100  # of a failed program's stderr
LINE = re.compile(r"^(not )?ok\b([^#]*)(#\s*(skip|todo)\b)?", re.IGNORECASE)


def count(entry):
    passed = failed = skipped = 0
    for line in entry.get("stdout", "").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        if (found.group(4) or "").lower() == "skip":
            skipped += 1
        elif found.group(1):
            failed += 1
        else:
            passed += 1
    result = entry["result"]
    if result in ("OK", "EXPECTEDFAIL"):
        if passed + failed + skipped == 0:
            passed = 1
    elif result == "SKIP":
        if skipped == 0:
            skipped = 1
    elif failed == 0:
        failed = 1
    return passed, failed, skipped


def explain(entry):
    """Which tests of a program failed, and the end of its stderr (of its stdout when it has none)."""
    lines = entry.get("stdout", "").splitlines()
    words = [line for line in lines if line.startswith("not ok")]
    words += ["    " + line for line in (entry.get("stderr", "").splitlines() or lines)[-TAIL_LINES:]]
    print(f"FAILED: {entry['name']}: {entry['result']} after {entry['duration']:.0f} s", *words,
          sep="\n", file=sys.stderr)


def main(paths):
    sums = [0, 0, 0]
    seen = 0
    for path in paths:
        with open(path, encoding="utf-8") as log:
            for line in log:
                seen += 1
                entry = json.loads(line)
                counts = count(entry)
                sums = [a + b for a, b in zip(sums, counts)]
                if counts[1] > 0:
                    explain(entry)
    if seen == 0:
        sys.exit("no test was run")
    print(*sums)


main(sys.argv[1:])
