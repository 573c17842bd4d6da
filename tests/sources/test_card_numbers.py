"""Card numbers and security codes: none of those that people write is kept, and other numbers stay what they are."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis.sources.card_numbers import CARD, CODE, is_card_number, mask

# Numbers that card schemes and payment services publish for tests: first digits, length and check digit are right.
PUBLISHED = [
    "4111111111111111",
    "4012888888881881",
    "4222222222222",
    "4242424242424242",
    "5555555555554444",
    "5105105105105100",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "30569309025904",
    "38520000023237",
    "36227206271667",
    "6011111111111117",
    "6011000990139424",
    "3530111333300000",
    "3566002020360505",
    "6200000000000005",
    "6759649826438453",
]
STARTS = {
    "4": 16,
    "51": 16,
    "55": 16,
    "2221": 16,
    "2720": 16,
    "34": 15,
    "37": 15,
    "36": 14,
    "6011": 16,
    "65": 16,
    "62": 19,
}
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def luhn_sum(digits):
    """The sum of ISO/IEC 7812-1, annex B, written out digit by digit."""
    total = 0
    for place, digit in enumerate(digits[::-1]):
        value = int(digit) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total


def drawn(chance):
    """Draw a card number of any scheme."""
    start, length = chance.choice(list(STARTS.items()))
    body = start + "".join(chance.choices("0123456789", k=length - len(start) - 1))
    return body + str(-luhn_sum(body + "0") % 10)


def grouped(number, sign):
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(number), (4,) * 5)
    parts, upto = [], 0
    for size in sizes:
        parts.append(number[upto : upto + size])
        upto += size
    return sign.join(filter(None, parts))


def grouped_words(number):
    spoken = [WORDS[int(digit)] for digit in number]
    return ", ".join(" ".join(spoken[place : place + 4]) for place in range(0, len(spoken), 4))


def doubled(number):
    """Say it as people do: double four, one, triple two."""
    said, place = [], 0
    while place < len(number):
        same = 1
        while same < 3 and number[place : place + same + 1] == number[place] * (same + 1):
            same += 1
        said.append({1: "", 2: "double ", 3: "triple "}[same] + WORDS[int(number[place])])
        place += same
    return " ".join(said)


WRITTEN = {
    "plain": lambda number: number,
    "spaces": lambda number: grouped(number, " "),
    "hyphens": lambda number: grouped(number, "-"),
    "spaced_hyphens": lambda number: grouped(number, " - "),
    "dots": lambda number: grouped(number, "."),
    "commas": lambda number: grouped(number, ", "),
    "no_break_spaces": lambda number: grouped(number, "\u00a0"),
    "dashes": lambda number: grouped(number, "\u2013"),
    "lines": lambda number: grouped(number, "\n"),
    "digit_by_digit": " ".join,
    "full_width": lambda number: number.translate({ord(str(n)): 0xFF10 + n for n in range(10)}),
    "arabic_indic": lambda number: grouped(number.translate({ord(str(n)): 0x0660 + n for n in range(10)}), " "),
    "words": lambda number: " ".join(WORDS[int(digit)] for digit in number),
    "words_and_commas": grouped_words,
    "with_and_then": lambda number: grouped(number, " and then "),
    "doubled": doubled,
}

AROUND = [
    "{}",
    "my card is {} thanks",
    "Card no: {}.",
    "Customer read out {}, I stopped them.",
    "pay with {} exp 11/28",
    "ref 2026-11-09 10:15, card {} / Mrs Okonkwo",
    "({})",
    "call 07700 900123; card {}",
    "\u201c{}\u201d she said",
]
CODES = [
    "cvv {}",
    "CVV: {}",
    "cvv2={}",
    "the cvc is {}",
    "CSC {}",
    "security code {}",
    "the security code is {}",
    "my card security code: {}",
    "security number was {}",
    "card verification value {}",
    "last three digits on the back are {}",
    "the 3 digits on the back: {}",
    "number on the back is {}",
    "code on the back of the card is {}",
    "{} is my cvv",
    "{} is the security code",
    "{} (cvc)",
    "it says {} on the back",
]
CLEAN = [
    "I rang on {date} at {time} and waited {small} minutes.",
    "Call me on {phone} or {phone2} after {time}.",
    "International: +44 7{nine9} or 00 44 7{nine9}",
    "Order {ten} was delivered to number {small}, not {small2}.",
    "Invoice INV-{eight} of {date} for £{small}.{small2}",
    "Sort code {two}-{two}-{two}, account {eight}",
    "My meter reading is {five} and the MPAN is 1{twelve}",
    "NHS number 943 476 5919, appointment {date}",
    "Policy {nine} / claim {seven} / case {eight}",
    "Between {date} {time}:00 and {date} {time}:59",
    "I was asked for the security code {small} times",
    "the security code failed in 2024 and in 2025",
    "The one two three of good service; one, two or three people told me four things",
    "2026-11-09 10:22:33,2026-11-09 10:25:01,{small},{small2},{five}",
    "IBAN GB29 NWBK 6016 1331 9268 19",
    "Prices went from 1,000,000 to 2,500,000 in {small} years",
    "Tracking {ten}{ten}{ten}, parcel {small} of {small2}",
    "I have been a customer since 1987, 38 years, and paid 4 times 49.99",
    "Very helpful, thank you!",
    "They said nine to five but nobody came at all",
    "code on the door is broken; the number on the back office is wrong",
    "Agent {five} at desk {two} took {small} calls, {small2} of them twice",
]


def filled(template, chance):
    digits = lambda k: "".join(chance.choices("0123456789", k=k))  # noqa: E731
    return template.format(
        date=f"{chance.randint(1, 28):02}/{chance.randint(1, 12):02}/20{chance.randint(20, 26)}",
        time=f"{chance.randint(0, 23):02}:{chance.randint(0, 59):02}",
        small=chance.randint(2, 99),
        small2=chance.randint(2, 99),
        phone=f"0{chance.randint(1, 9)}{digits(3)} {digits(6)}",
        phone2=f"07{digits(3)} {digits(3)} {digits(3)}",
        nine9=digits(9),
        ten=digits(10),
        eight=digits(8),
        nine=digits(9),
        seven=digits(7),
        five=digits(5),
        two=digits(2),
        twelve=digits(12),
    )


@pytest.mark.parametrize("number", PUBLISHED)
def test_published_test_numbers_are_card_numbers(number):
    """Scheme, length and check digit are known of each."""
    assert luhn_sum(number) % 10 == 0
    assert is_card_number(number)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not is_card_number(wrong)


@pytest.mark.parametrize("way", WRITTEN)
def test_a_card_number_is_masked_however_it_is_written(way):
    """None of 99 in a hundred is left; what is left of a text is what stood around it."""
    chance = random.Random(20261109)
    missed = []
    for _ in range(300):
        around, number = chance.choice(AROUND), drawn(chance)
        text = around.format(WRITTEN[way](number))
        if mask(text).text != around.format(CARD):
            missed.append(text)
    assert len(missed) <= 3, missed[:5]


@pytest.mark.parametrize("template", CODES)
def test_a_security_code_is_masked_where_words_say_that_it_is_one(template):
    """In digits, in digits apart and in words."""
    chance = random.Random(7)
    for _ in range(40):
        code = "".join(chance.choices("0123456789", k=chance.choice((3, 3, 3, 4))))
        forms = [code]
        if not template.startswith(("{", "it says")):
            forms += [" ".join(code), " ".join(WORDS[int(digit)] for digit in code)]
        for form in forms:
            found = mask(template.format(form))
            assert (found.text, found.codes) == (template.format(CODE), 1), form


@pytest.mark.parametrize("between", [" 12/27 ", " exp 01/29 ", ", expires 3/28, ", " 12/2027 "])
def test_a_code_after_number_and_expiry_date_is_masked_without_any_word(between):
    found = mask(f"4111 1111 1111 1111{between}123")
    assert found.text == f"{CARD}{between}{CODE}"


def test_other_numbers_stay_what_they_are():
    """At most one text in a hundred without card data is changed: dates, telephones, orders, accounts, readings."""
    chance = random.Random(11)
    texts = [filled(template, chance) for template in CLEAN for _ in range(200)]
    changed = [text for text in texts if mask(text).text != text]
    assert len(changed) <= len(texts) / 100, changed[:10]


@given(st.text())
def test_masking_twice_changes_nothing_more(text):
    """Whatever the text, masking ends, and what is masked holds nothing more to mask."""
    once = mask(text)
    again = mask(once.text)
    assert (again.text, again.cards) == (once.text, 0)


@given(st.text(alphabet="0123456789 -.", max_size=60))
def test_nothing_is_left_that_is_a_card_number_of_its_own(text):
    """No group of digits that stands alone is a card number."""
    for group in re.findall(r"(?<![\d.-])(?<![\d.-] )\d+(?![\d.-]| [\d.-])", mask(text).text):
        assert not is_card_number(group)
