"""Percentages that are 0 or 100 only where nothing else is true."""

_MOST_DIGITS = 6


def percent(share: float) -> str:
    """Return a share in per cent, with digits enough to tell it from none and from all.

    Parameters
    ----------
    share
        From 0 to 1.

    Examples
    --------
    >>> percent(1), percent(0.998), percent(0.624), percent(0.0004), percent(0)
    ('100 %', '99.8 %', '62 %', '0.04 %', '0 %')
    """
    exact = 100 * share
    text = f"{exact:.0f}"
    for digits in range(1, _MOST_DIGITS):
        if float(text) not in (0, 100) or float(text) == exact:
            break
        text = f"{exact:.{digits}f}"
    return f"{text} %"
