"""The names of time zones, in the data that Python finds on this machine."""

from __future__ import annotations

import difflib
import zoneinfo


def is_zone(name: str) -> bool:
    """Whether a time zone has this name."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # a path, a folder of zones
        return False
    return True


def near_zone(name: str) -> str:
    """What to write instead of a name that no zone has."""
    known = zoneinfo.available_timezones()
    if not known:
        return "this machine has no time zone data: pip install tzdata"
    folded = {zone.casefold().rpartition("/")[2]: zone for zone in sorted(known)}  # berlin is enough
    folded |= {zone.casefold(): zone for zone in known}
    close = difflib.get_close_matches(name.casefold().replace(" ", "_"), folded, 1)
    return f"did you mean {folded[close[0]]}?" if close else "such as UTC or Europe/Berlin"
