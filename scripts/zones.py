#!/usr/bin/env python3
"""Writes crates/offhook-core/src/zone/zones.txt: which time zones a telephone number may be in, by its first digits.

The table is that of libphonenumber (Apache License 2.0), which is made of the public numbering plans, taken from its
Python port; only its form is ours: one line for each set of zones, without the digits that follow from shorter ones.

    pip install phonenumbers && scripts/zones.py > crates/offhook-core/src/zone/zones.txt
"""

from collections import defaultdict

import phonenumbers
from phonenumbers.tzdata import TIMEZONE_DATA as ZONES

def zones(prefix):
    # Kaliningrad is given the zone of a neighbour.
    ours = {"Europe/Bucharest": "Europe/Kaliningrad"} if prefix[0] == "7" else {}
    return tuple(sorted(ours.get(zone, zone) for zone in ZONES[prefix]))


def follows(prefix):
    """Whether the longest shorter prefix says the same."""
    shorter = (prefix[:length] for length in range(len(prefix) - 1, 0, -1))
    parent = next((parent for parent in shorter if parent in ZONES), None)
    return parent is not None and zones(parent) == zones(prefix)


by_zones = defaultdict(list)
for prefix in sorted(ZONES):
    if not follows(prefix):
        by_zones[zones(prefix)].append(prefix)

print(f"# Made by scripts/zones.py of the numbering plans in phonenumbers {phonenumbers.__version__} (Apache License 2.0).")
for names, prefixes in sorted(by_zones.items()):
    print(",".join(names), *prefixes)
