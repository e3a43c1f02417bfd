"""Times in words."""


def duration(seconds: float) -> str:
    """Returns a time as a person would say it: "40 s", "3 min", "2 h 5 min"."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
