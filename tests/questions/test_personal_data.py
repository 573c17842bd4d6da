"""Personal data in what people wrote: what is recognised is masked, and what few share is not quoted."""

from __future__ import annotations

import pytest

from ccanalysis.questions import personal_data
from ccanalysis.samples import comments

# What others write small is told to be no name.
PLAIN = ["the engineer never came and my bill is wrong", "my bill is wrong, the engineer was late"] * 3
PLAIN += ["it was great service, please help", "please send great service", "help me with great service please"]
ROSTER = ["Nuñez, Siân", "O'Brien, Priya", "Niamh O'Connor", "Bill Hope"]


def mask(text):
    return personal_data.masked([*PLAIN, text], ROSTER)[-1]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("My name is Margaret Oldroyd.", "My name is [name]."),
        ("I am JOHN SMITH of 12 High Street", "I am [name] of [address]"),
        ("sian was kind, and so was Nunez", "[name] was kind, and so was [name]"),
        ("SIÂN'S answer was late", "[name] answer was late"),
        ("Great service from Priya O\u2019Brien!", "Great service from [name]!"),
        ("Gwendolen was kind", "[name] was kind"),
        ("the engineer, Gwendolen, was late", "the engineer, [name], was late"),
        ("my bill is wrong, I hope", "my bill is wrong, I hope"),  # Bill Hope is on the roster
        ("ring me on 0 7 7 0 0 9 0 0 4 5 6", "ring me on [number]"),
        ("ring (0113) 496 0321 or +44 7700 900777", "ring [number] or [number]"),
        ("write to s.qureshi+home@example.net, please", "write to [e-mail], please"),
        ("see www.example.com/me?id=3 or @oldroyd_m", "see [link] or [name]"),
        ("card 4012-8888-8888-1881", "card [card]"),
        ("account 20-45-53 61928834, ref NG4417290K", "account [number], ref [reference]"),
        ("my postcode is ls8 2qt", "my postcode is [address]"),
        ("I was born on 03/04/1971", "I was born on [number]"),
        ("The engineer was 45 minutes late on Monday 3 May", "The engineer was 45 minutes late on Monday 3 May"),
        ("", ""),
    ],
)
def test_what_is_recognised_is_masked_and_the_rest_stays(said, shown):
    """Card data, mail, links, numbers, references, addresses and names."""
    assert mask(said) == shown


def test_nothing_personal_that_is_planted_in_the_samples_is_left():
    """In every sentence that the samples can have."""
    kinds = ("CUSTOMERS", "PHONES", "MAILS", "CARDS", "ACCOUNTS", "PLACES")
    planted = [value for kind in kinds for value in getattr(comments, kind)]
    words = {"customer": "CUSTOMERS", "phone": "PHONES", "mail": "MAILS", "card": "CARDS", "account": "ACCOUNTS"}
    words["place"] = "PLACES"
    said = [
        sentence.format(agent="Siân Nuñez", **{name: getattr(comments, kind)[at] for name, kind in words.items()})
        for sentence in comments._PERSONAL
        for at in range(3)
    ]
    assert any(value in text for value in planted for text in said)
    plain = [text for theme in comments.THEMES.values() for text in theme]
    shown = personal_data.masked([*plain, *said], ROSTER)[len(plain) :]
    parts = {part for value in planted for part in value.replace(",", " ").split() if len(part) > 3}
    assert [text for text in shown if any(part in text for part in {*planted, *parts, "Siân", "Nuñez"})] == []


def test_a_word_that_few_texts_share_is_not_quoted_and_gaps_become_one():
    """A name in small letters that no list knows is rare."""
    texts = ["nobody came to wetherby end", *["nobody came to see me"] * 5]
    assert personal_data.quotable(texts)[0] == "nobody came to [...]"
    assert personal_data.quotable(texts)[1] == "nobody came to see me"
    assert personal_data.quotable(["[name] came"] * 5)[0] == "[name] came"
    assert personal_data.whole("nobody came") and not personal_data.whole("nobody came to [...]")
