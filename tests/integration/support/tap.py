# SPDX-License-Identifier: MIT
"""Runs scenarios and reports them as TAP: a scenario is a function whose docstring says what it shows."""
import os
import signal
import sys
import traceback


class Skip(Exception):
    """Raised by a scenario that cannot run here; its text says why."""


def say(text):
    """A line for whoever watches; TAP readers ignore it."""
    print("# " + text, flush=True)


def complain(text):
    """Why a scenario failed. Goes to stderr, which is what meson shows of a failing test."""
    print(text, file=sys.stderr, flush=True)


def sanitized():
    """Whether the programs under test are sanitized, which makes each of them some five times as slow."""
    return "NODES_ASAN_OPTIONS" in os.environ


def rounds(default):
    """How often a scenario with random moments repeats, a quarter of it when sanitized; WEFT_ROUNDS
    says otherwise."""
    return int(os.environ.get("WEFT_ROUNDS") or default // (4 if sanitized() else 1))


def slow():
    """By how much deadlines stretch, for sanitized builds and busy machines."""
    return float(os.environ.get("WEFT_SLOW", "1"))


def _interrupt(number, _):
    """A test that took too long gets SIGTERM, and half a second to end what it started."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def run(*scenarios):
    """Runs all, or those whose name holds the first argument, and ends the process."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    failed = False
    signal.signal(signal.SIGTERM, _interrupt)
    print(f"1..{len(scenarios)}", flush=True)
    for number, scenario in enumerate(scenarios, 1):
        title = " ".join(scenario.__doc__.split()).rstrip(".")
        if wanted not in scenario.__name__:
            print(f"ok {number} - {title} # SKIP not asked for", flush=True)
            continue
        try:
            scenario()
            print(f"ok {number} - {title}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {title} # SKIP {reason}", flush=True)
        except BaseException as reason:
            failed = True
            print(f"not ok {number} - {title}", flush=True)
            complain(f"{scenario.__name__}: {traceback.format_exc()}")
            if isinstance(reason, KeyboardInterrupt):
                break
    sys.exit(1 if failed else 0)
