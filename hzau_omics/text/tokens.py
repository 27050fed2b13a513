"""Splitting of texts into words that keeps marker names whole, in English and Chinese."""

import re
import unicodedata
from collections.abc import Iterator

TOKEN_PATTERN = r"(?u)\b\w+(?:-\w{1,3}\b)*(?:\+|-(?!\w))?"
"""Words of one letter or more: ``cd4+``, ``cd3-``, ``hla-dr`` and ``pd-1`` stay whole; ``b-cell``
and ``cd8-positive`` are split."""

# Chinese and Japanese write no spaces: ideographs and kana.
_UNSPACED = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿]+")

# Hyphens and minus signs that NFKC does not map to the ASCII hyphen. A superscript minus ends a
# word.
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2212", "-") | {"\u207b": "- "})


def plain(text: str) -> str:
    """Return a text in lower case, with Unicode variants replaced by the usual characters.

    Examples
    --------
    >>> plain("CD3⁻CD8⁺")
    'cd3- cd8+'
    """
    return unicodedata.normalize("NFKC", text.translate(_HYPHENS)).translate(_HYPHENS).lower()


def words(text: str, pattern: str = TOKEN_PATTERN) -> list[str]:
    """Return the words of a text in lower case, in order.

    In Chinese and Japanese, which have no spaces between words, successive pairs of characters
    serve as words, as is common in search without a dictionary; a single character stands for
    itself. Full-width and superscript letters, digits and signs are read as the usual ones.

    Parameters
    ----------
    text
        The text.
    pattern
        Regular expression that matches a word; if it has a group, the group is the word.

    Examples
    --------
    >>> words("CD4+ T cells, HLA-DR high; CD8-positive")
    ['cd4+', 't', 'cells', 'hla-dr', 'high', 'cd8', 'positive']
    >>> words("CD8阳性细胞")
    ['cd8', '阳性', '性细', '细胞']
    """
    spaced = _UNSPACED.sub(lambda run: f" {run.group()} ", plain(text))
    found = (_whole(match) for match in re.finditer(pattern, spaced))
    return [word for token in found if token for word in _parts(token)]


def _whole(match: re.Match[str]) -> str | None:
    """Return the group of a match, or the whole match if the pattern has no group."""
    return match.group(1) if match.re.groups else match.group()


def _parts(token: str) -> Iterator[str]:
    if not _UNSPACED.fullmatch(token) or len(token) == 1:
        yield token
        return
    yield from (token[i : i + 2] for i in range(len(token) - 1))
