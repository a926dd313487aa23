# SPDX-License-Identifier: MIT
"""What the scenarios share: nodes as processes, a client of the wire, TAP."""
import os
import sys


def _preload_sanitizer():
    """Begins anew under the sanitizer's runtime, which the sanitized libweft needs in this process.

    Python's own leaks are not looked for; nodes and commands get the options as they were.
    """
    runtime = os.environ.pop("WEFT_PRELOAD", "")
    if not runtime:
        return
    options = os.environ.get("ASAN_OPTIONS", "")
    os.environ.update(LD_PRELOAD=runtime, NODES_ASAN_OPTIONS=options,
                      ASAN_OPTIONS=options + ":detect_leaks=0")
    os.execv(sys.executable, [sys.executable, *sys.argv])


_preload_sanitizer()
