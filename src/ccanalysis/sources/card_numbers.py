"""Payment-card numbers and security codes in what people wrote or said, masked before anything is kept.

A full card number may be kept only where nobody can read it, and a security code not at all (PCI DSS 4.0.1,
requirements 3.3.1 and 3.5.1); a workbench for monitoring data needs neither. A number is taken for a card's where its
first digits and its length belong to a card scheme, its check digit is right (ISO/IEC 7812-1, annex B) and it is
grouped as people group it. A security code is known by the words around it, or because it follows a card number and
its expiry date.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

CARD, CODE = "[card]", "[cvv]"

# First six digits, from and to, and the lengths in use: issuer ranges of ISO/IEC 7812 as the schemes publish them.
_SCHEMES: tuple[tuple[int, int, frozenset[int]], ...] = (
    (222100, 272099, frozenset({16})),  # Mastercard
    (300000, 305999, frozenset({14, 16, 19})),  # Diners Club
    (309500, 309599, frozenset({14, 16, 19})),
    (340000, 349999, frozenset({15})),  # American Express
    (352800, 358999, frozenset({16, 17, 18, 19})),  # JCB
    (360000, 369999, frozenset({14, 16, 19})),  # Diners Club
    (370000, 379999, frozenset({15})),
    (380000, 399999, frozenset({14, 16, 19})),
    (400000, 499999, frozenset({13, 16, 19})),  # Visa
    (500000, 509999, frozenset({16, 18, 19})),  # Maestro, Verve
    (510000, 559999, frozenset({16})),
    (560000, 589999, frozenset({16, 18, 19})),  # Maestro
    (601100, 601199, frozenset({16, 19})),  # Discover
    (620000, 629999, frozenset({16, 17, 18, 19})),  # UnionPay
    (630400, 630499, frozenset({16, 18, 19})),  # Maestro
    (644000, 659999, frozenset({16, 19})),  # Discover, RuPay
    (675900, 676999, frozenset({16, 18, 19})),  # Maestro
)
_SHORTEST, _LONGEST = 13, 19

_WORDS = {
    **{"zero": "0", "oh": "0", "nought": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"},
    **{"six": "6", "seven": "7", "eight": "8", "nine": "9"},
}
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_NUMBER_WORD = "|".join(_WORDS)
_TOKEN = re.compile(
    rf"\d|\b(?:(?P<times>{'|'.join(_TIMES)})[\s-]+(?:(?P<timed>{_NUMBER_WORD})\b|(?P<timed_digit>\d)(?!\d))"
    rf"|(?P<word>{_NUMBER_WORD})\b)",
    re.IGNORECASE,
)
_SEPARATORS = r"[\s\-\u2010-\u2015.,/_*|()\u00b7]"
# What may stand between the groups of one number: a few signs, or a few words that people say while they read it out.
_GAP = re.compile(
    rf"{_SEPARATORS}{{0,4}}|{_SEPARATORS}*(?:(?:and|then|so|um+|uh+|erm?|ok|okay|next|space|dash|hyphen|dot|slash)"
    rf"{_SEPARATORS}+){{1,3}}",
    re.IGNORECASE,
)

_FEW = rf"(?:\d(?:{_SEPARATORS}?\d){{2,3}}(?!\d)|(?:(?:{_NUMBER_WORD})\b{_SEPARATORS}*){{3,4}})"
_NAME = (
    r"(?:\b(?:cvv2?|cvc2?|cv2|csc|cvn|cvd)\b"
    r"|\b(?:card\s+)?(?:security|verification)\s+(?:code|number|value|digits)\b"
    r"|\b(?:last\s+)?(?:three|3|four|4)\s+(?:digits|numbers?)\s+(?:on|from)\s+(?:the\s+)?(?:back|reverse|signature)\b"
    r"|\b(?:code|number|digits)\s+(?:on|from)\s+the\s+(?:back|reverse|signature\s+strip)\b)"
)
_FILL = (
    r"(?:[\s:=#\-,.()\"']|\b(?:is|was|are|number|no|code|digits?|the|my|it'?s|its|of|on|back|card|strip|reads|says|"
    r"would be|for|this|that|um|er)\b){0,12}?"
)
_CODE_AFTER = re.compile(rf"{_NAME}{_FILL}(?P<code>{_FEW})", re.IGNORECASE)
_CODE_BEFORE = re.compile(
    rf"(?<!\d)(?<!\d[ .,/-])(?P<code>\d{{3,4}})(?=[\s,)\-(]*(?:(?:is|was|are|as)\s+)?(?:(?:the|my|its?)\s+)?{_NAME}"
    r"|\s+on\s+the\s+(?:back|reverse|signature))",
    re.IGNORECASE,
)
_CODE_AFTER_EXPIRY = re.compile(
    r"[\s,;.()\-]{0,4}(?:\b(?:exp(?:iry|ires|iration)?|valid|until|to|date|end(?:s|ing)?)\b[\s:.\-]{0,3}){0,3}"
    r"(?:0?[1-9]|1[0-2])\s?[/\-. ]\s?(?:20)?\d{2}(?!\d)[\s,;.()\-]{1,4}(?P<code>\d{3,4})(?!\d)",
    re.IGNORECASE,
)
# What is quickly seen: a text without these has no security code, one with too few digits no card number.
_SPOKEN = re.compile(rf"\b(?:{_NUMBER_WORD})\b", re.IGNORECASE)
_OF_A_CODE = re.compile(r"\bc(?:vv|vc|v2|sc|vn|vd)|\b(?:security|verification|back|reverse|signature)\b", re.IGNORECASE)


class _Token(NamedTuple):
    digits: str
    begin: int
    end: int
    opens: bool  # a new group begins with it
    spoken: bool


@dataclass(frozen=True)
class Masked:
    """A text without card data.

    Attributes:
        text: The text, card numbers replaced by `[card]` and security codes by `[cvv]`.
        cards: How many card numbers were replaced.
        codes: How many security codes were replaced.
    """

    text: str
    cards: int
    codes: int


def mask(text: str) -> Masked:
    """Replace card numbers and security codes in a text.

    Args:
        text: Any text, such as a customer's comment or a line of a transcript.

    Examples:
        >>> mask("it is 4111 1111 1111 1111, expires 12/27, code 123 on the back").text
        'it is [card], expires 12/27, code [cvv] on the back'
        >>> mask("order 4111111111111112 on 2026-11-09").cards
        0
    """
    plain = text if text.isascii() else "".join(map(_ascii_digit, text))
    written = sum(map(plain.count, "0123456789"))
    spoken = len(_SPOKEN.findall(plain)) if written < _SHORTEST else 0
    cards = list(_cards(plain)) if written + max(_TIMES.values()) * spoken >= _SHORTEST else []
    codes = _codes(plain, cards) if cards or (written + spoken >= 3 and _OF_A_CODE.search(plain)) else []
    if not cards and not codes:
        return Masked(text, 0, 0)
    parts, upto = [], 0
    for start, end, sign in sorted([(*span, CARD) for span in cards] + [(*span, CODE) for span in codes]):
        parts += [text[upto:start], sign]
        upto = end
    return Masked("".join([*parts, text[upto:]]), len(cards), len(codes))


def is_card_number(digits: str) -> bool:
    """Tell whether digits are a card's: scheme, length and check digit.

    Examples:
        >>> is_card_number("4111111111111111"), is_card_number("4111111111111112"), is_card_number("123")
        (True, False, False)
    """
    if not _SHORTEST <= len(digits) <= _LONGEST:
        return False
    first, length = int(digits[:6]), len(digits)
    if not any(low <= first <= high and length in lengths for low, high, lengths in _SCHEMES):
        return False
    return _check_digit_is_right(digits)


def _check_digit_is_right(digits: str) -> bool:
    """Luhn's formula: every second digit from the right counts double, less nine where that has two digits."""
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(doubled[digit] for digit in numbers[1::2])) % 10 == 0


def _ascii_digit(character: str) -> str:
    """Give a digit of any script as 0 to 9; other characters stay, so that places stay."""
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for run in _runs(text):
        if sum(len(token.digits) for token in run) < _SHORTEST:
            continue
        begin = 0
        while begin < len(run):
            found = _card_at(run, begin)
            if found:
                yield run[begin].begin, run[found - 1].end
            begin = found or begin + 1


def _card_at(run: list[_Token], begin: int) -> int:
    """Return where a card number that begins at a token ends, or 0. It begins and ends where a group does."""
    if not run[begin].opens:
        return 0
    digits, best = "", 0
    groups: list[int] = []
    for place in range(begin, len(run)):
        token = run[place]
        size = len(token.digits)
        groups = [*groups, size] if token.opens else [*groups[:-1], groups[-1] + size]
        digits += token.digits
        if len(digits) > _LONGEST:
            break
        ends = place + 1 == len(run) or run[place + 1].opens
        if ends and (token.spoken or _as_people_write(groups)) and is_card_number(digits):
            best = place + 1
            if len(digits) in {14, 15, 16}:
                break
    return best


def _as_people_write(groups: list[int]) -> bool:
    """Tell whether the lengths of groups are those of a card number and not of dates or amounts in a row."""
    return len(groups) == 1 or max(groups) == 1 or (groups[0] in {2, 3, 4, 6, 8} and min(groups[:-1]) >= 2)


def _runs(text: str) -> Iterator[list[_Token]]:
    """Give rows of digits that may belong together."""
    run: list[_Token] = []
    for found in _TOKEN.finditer(text):
        begin, end = found.span()
        between = text[run[-1].end : begin] if run else ""
        if run and not _GAP.fullmatch(between):
            yield run
            run = []
        spoken = bool(found["word"] or found["times"])
        run.append(_Token(_digits(found), begin, end, not run or bool(between), spoken))
    if run:
        yield run


def _digits(found: re.Match[str]) -> str:
    if found["word"]:
        return _WORDS[found["word"].lower()]
    if found["times"]:
        digit = found["timed_digit"] or _WORDS[found["timed"].lower()]
        return digit * _TIMES[found["times"].lower()]
    return found[0]


def _codes(text: str, cards: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    if _OF_A_CODE.search(text):
        found += [match.span("code") for match in _CODE_AFTER.finditer(text)]
        found += [match.span("code") for match in _CODE_BEFORE.finditer(text)]
    for _, end in cards:
        if match := _CODE_AFTER_EXPIRY.match(text, end):
            found.append(match.span("code"))
    kept: list[tuple[int, int]] = []
    for begin, end in sorted(set(found)):
        trimmed = begin + len(text[begin:end].rstrip(" \t\n,.-/"))
        if not any(begin < other_end and other_begin < trimmed for other_begin, other_end in [*cards, *kept]):
            kept.append((begin, trimmed))
    return kept
