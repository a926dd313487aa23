# SPDX-License-Identifier: MIT
"""What the scenarios share: nodes as processes, a client of the wire, TAP."""
