"""Personal data in what people wrote, masked before anything of it is counted or quoted.

No list of names is complete and no pattern finds every address, so two means go together. What can be recognised is
replaced: card data, mail and web addresses, numbers, references, postcodes, street addresses, names of the roster, and
words written like a name. What is left is quoted only word by word as far as others use the same words: a word that
few texts share is not shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from ccanalysis.sources import card_numbers

NAME, NUMBER, ADDRESS, MAIL, LINK, REFERENCE = "[name]", "[number]", "[address]", "[e-mail]", "[link]", "[reference]"
GAP = "[...]"
# A word that fewer texts share is not quoted: a name or a place that no pattern knows is rare.
FEWEST_SHARING = 5
# Seen so often in small letters, a word is no name only because somebody begins it with a capital one.
_ORDINARY_FROM = 3

_WORD = r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*"
_CAPITAL = r"[A-Z\u00c0-\u00d6\u00d8-\u00de\u0100\u0106\u010c\u0141\u015a\u0160\u017b\u017d]"
_NAMELIKE = rf"{_CAPITAL}[^\W\d_]*(?:['\u2019\-][^\W\d_]+)*"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+'\-]+\s?@\s?[\w\-]+(?:\.[\w\-]+)+"), MAIL),
    (re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE), LINK),
    (re.compile(r"(?<![\w@])@\w{2,}"), NAME),
    # a house number and a street, up to a comma and the next words written large
    (
        re.compile(
            rf"\b(?:flat|unit|apartment|apt)\s+\d{{1,4}}[a-z]?\b,?|\b\d{{1,5}}[a-z]?,?\s+(?:{_WORD}\s+){{0,4}}?"
            r"(?:street|st|road|rd|lane|ln|avenue|ave|close|drive|way|court|crescent|gardens|grove|terrace|place|square|"
            r"hill|row|mews|park|parc|heol|rue|stra(?:ss|\u00df)e|platz|weg)\b\.?",
            re.IGNORECASE,
        ),
        ADDRESS,
    ),
    (re.compile(rf"\b\d{{1,4}}\s+{_NAMELIKE}(?:\s+(?:y\s+)?{_NAMELIKE}){{1,3}}"), ADDRESS),
    (re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b", re.IGNORECASE), ADDRESS),  # a British postcode
    # what has both letters and figures, as customers' numbers, and national insurance and vehicle numbers have
    (re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d_])[\w\-/]{4,}\b"), REFERENCE),
    (re.compile(r"[+(]?\d(?:[\s.()/\-\u2010-\u2015]{0,2}\d){3,}\)?"), NUMBER),
)
_CUES = re.compile(
    r"\b(?P<cue>(?i:my name is|my name'?s|name:|mr|mrs|ms|miss|mx|dr|regards|sincerely|faithfully|signed|dear|"
    r"spoke (?:to|with)|speak (?:to|with)|talked to|dealt with by|served by|called|ring|phone|contact|from|with|to|by)"
    r"\b[.,:]?\s+)"
    rf"(?P<name>{_NAMELIKE}(?:\s+{_NAMELIKE}){{0,2}})"
)
_ROW = re.compile(rf"(?<!\[)\b{_NAMELIKE}(?:\s+{_NAMELIKE})+\b(?!\])")
# A single word at the beginning of a sentence is a name where it does what a person does.
_DOES = re.compile(
    r"\s+(?:was|is|has|had|were|did|helped|dealt|called|rang|phoned|told|explained|said|sorted|never|also"
    r"|and \w+ (?:was|were))\b"
)
_TOKEN = re.compile(rf"\[[a-z\-.]+\]|{_WORD}")
# What is no name though it is written large.
_SMALL = frozenset(
    """
    i i'm i've i'd i'll he she it we you they this that these those there who what which everything nothing something
    everyone everybody someone somebody nobody anyone anybody all both service staff agent customer a an the ok
    monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december english british uk
    """.split()  # noqa: SIM905  words read better than a list of them
)
# Names that are words too: in small letters they are words.
_ALSO_WORDS = frozenset(
    """
    will mark may grace hope rose joy bill grant frank summer april june august dawn sky art drew rob sue pat chase
    miles faith penny price long short young old white black brown green gray king day best good man hand cook baker
    page read wells west east north south bell post case call rich wood stone field hill bush reed swift noble power
    cash
    """.split()  # noqa: SIM905
)


def masked(texts: Sequence[str], names: Collection[str] = ()) -> list[str]:
    """Replace what is recognised as personal in texts.

    Args:
        texts: What people wrote; all of it together, for what others write small is told to be no name.
        names: Names of colleagues, in whatever order their parts stand.

    Returns:
        The texts, with a word in square brackets for what was replaced.

    Examples:
        >>> masked(["My name is Ann Ember, ring 01632 960001 or write to ann@example.com"])
        ['My name is [name], ring [number] or write to [e-mail]']
    """
    known = {part for name in names for part in map(_folded, re.findall(_WORD, name)) if len(part) > 1}
    small = Counter(word for text in texts for word in set(re.findall(_WORD, text)) if word == word.lower())
    ordinary = {_folded(word) for word, count in small.items() if count >= _ORDINARY_FROM} | _SMALL
    return [_masked(text, known, ordinary) for text in texts]


def _masked(text: str, known: Collection[str], ordinary: Collection[str]) -> str:
    text = card_numbers.mask(unicodedata.normalize("NFC", text)).text
    for pattern, sign in _PATTERNS:
        text = pattern.sub(sign, text)
    text = _CUES.sub(lambda found: found["cue"] + _unless_ordinary(found["name"], ordinary), text)
    text = _ROW.sub(lambda found: _unless_ordinary(found[0], ordinary), text)

    def single(found: re.Match[str]) -> str:
        word = found[0]
        if word.startswith("["):
            return word
        folded = _folded(word)
        if folded in known or folded.removesuffix("'s") in known:
            return word if word == word.lower() and folded in _ALSO_WORDS else NAME
        begins = not found.string[: found.start()].rstrip(" \"'(\u2018\u201c").rstrip().removesuffix(")") or bool(
            re.search(r"[.!?;:\n]\s*[\"'(]?\s*$", found.string[: found.start()])
        )
        large = word[0].isupper() and folded not in ordinary and folded.removesuffix("'s") not in ordinary
        acts = bool(_DOES.match(found.string, found.end()))
        return NAME if large and (acts or not begins) else word

    text = _TOKEN.sub(single, text)
    return re.sub(rf"{re.escape(NAME)}(?:[\s,]+{re.escape(NAME)})+", NAME, text)


def _unless_ordinary(words: str, ordinary: Collection[str]) -> str:
    """Replace a row of words written large, but for those at its beginning that are no names."""
    parts = words.split()
    kept: list[str] = []
    while parts and _folded(parts[0]) in ordinary:
        kept.append(parts.pop(0))
    return " ".join([*kept, NAME] if parts else kept)


def quotable(texts: Sequence[str], *, fewest: int = FEWEST_SHARING) -> list[str]:
    """Take the words that few texts share out of masked texts.

    Args:
        texts: Masked texts, all of them together.
        fewest: How many texts must share a word for it to be shown.

    Examples:
        >>> quotable(["the app is slow", "the app is Zyx"], fewest=2)
        ['the app is [...]', 'the app is [...]']
    """
    shared = Counter(word for text in texts for word in set(_words(text)))

    def one(found: re.Match[str]) -> str:
        word = found[0]
        return word if word.startswith("[") or shared[_folded(word)] >= fewest else GAP

    gaps = re.compile(rf"{re.escape(GAP)}(?:[\s,]+{re.escape(GAP)})+")
    return [gaps.sub(GAP, _TOKEN.sub(one, text)) for text in texts]


def whole(text: str) -> bool:
    """Tell whether nothing was taken out of a text."""
    return "[" not in text


def without_signs(text: str) -> str:
    """Give a masked text without what stands for what was taken out.

    Examples:
        >>> without_signs("ring [name] on [number] please")
        'ring   on   please'
    """
    return re.sub(r"\[[a-z\-.]+\]", " ", text)


def _words(text: str) -> Iterable[str]:
    return (_folded(word) for word in _TOKEN.findall(text) if not word.startswith("["))


def _folded(word: str) -> str:
    """Give a word in small letters without accents, so that Sian is Siân."""
    plain = unicodedata.normalize("NFD", word.replace("\u2019", "'").casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
