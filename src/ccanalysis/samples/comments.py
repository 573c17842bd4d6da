"""What the invented customers write: comments in surveys and the words of complaints, by templates.

What is drawn here has random streams of its own, so that no other value of the samples depends on it. Some texts name
invented people, telephone numbers, addresses and cards, so that masking has something to find: the numbers are those
that are kept free for such use (Ofcom's numbers for drama, the schemes' test cards, `example.com`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.samples import centre
from ccanalysis.samples.centre import Plan

# What a share of all survey comments is about, whoever writes it; the rest follows from how satisfied they are.
STEADY = 0.10  # long waits, in every week
RISING = {"before": 0.03, "from": 0.20}  # missed appointments
NEW = 0.12  # the log-in of the app, of which nobody wrote before
NEW_IN_COMPLAINTS = 0.08
# Share of answers with a comment: of the dissatisfied, of other low scores, of the rest.
COMMENTING = {"dissatisfied": 0.95, "low": 0.60, "others": 0.26}
PERSONAL = 0.07  # share of texts with something personal

THEMES: dict[str, tuple[str, ...]] = {
    "app": (
        "The new app will not let me log in",
        "I cannot log in to the app since the update",
        "The app says my password is wrong, and it is not",
        "The app logs me out every time I try to see my bill",
        "Since the update the app asks for a code that never comes",
        "The log in of the app does not work, so I had to contact you",
    ),
    "appointment": (
        "The engineer did not turn up for my appointment",
        "I took a day off for the appointment and nobody came",
        "The engineer missed the appointment and nobody told me",
        "This was the second missed appointment",
        "Waited in all morning for an engineer who never turned up",
        "My appointment was cancelled on the day without a word",
    ),
    "wait": (
        "I was on hold for far too long",
        "It took ages to get through to anybody",
        "Long wait before anybody answered",
        "I waited in the queue for half an hour",
        "Far too long in the queue, and the music on hold is awful",
        "The wait to get through is too long",
    ),
    "bill": (
        "My bill is wrong again",
        "The bill is far higher than my meter reading",
        "You have charged me twice on the same bill",
        "The bill shows an estimated reading although I sent the right one",
        "The amount on my bill does not match what I was told",
    ),
    "refund": (
        "I am still waiting for my refund",
        "The refund that you promised has not arrived",
        "My refund is late and nobody can say when it comes",
        "I was told the refund would take five days and it has been weeks",
    ),
    "letter": (
        "The letter about my tariff makes no sense",
        "I do not understand the letter that you sent",
        "The letter says one thing and your website another",
        "Your letters are written so that nobody can follow them",
    ),
    "manner": (
        "The person I dealt with was rude",
        "I felt that nobody listened to me",
        "I was spoken to as if it were my fault",
        "Nobody seemed to care about my problem",
    ),
    "fault": (
        "The fault is still not mended",
        "The fault came back the next day",
        "I have reported this fault three times now",
        "You keep telling me the fault is fixed and it is not",
    ),
    "helpful": (
        "Very helpful, thank you",
        "Thank you, the person I spoke to was very helpful",
        "Really helpful and patient with me",
        "Helpful, clear and polite",
        "Everything was explained clearly",
    ),
    "quick": (
        "Quick and friendly",
        "Sorted in minutes, quick and easy",
        "Fast answer and friendly service",
        "My question was dealt with quickly",
    ),
    "plain": (
        "All fine",
        "OK",
        "Siân was lovely; merci!",
        'She said "sorted by Friday", and it was',
        "=SUM(1;1) good",
        "<b>Great</b> service",
        "No complaints from me",
    ),
}
_ADDED = (
    "This is not good enough.",
    "Please sort this out.",
    "I expected better.",
    "It is the second time this year.",
    "I have been a customer for years.",
    "Otherwise the service is good.",
    "I hope it gets better.",
    "I shall look at other suppliers.",
    "It should not be this hard.",
    "I had to ask more than once.",
)
_PRAISED = ("Keep it up.", "Well done.", "I was very pleased.", "It made my day.", "Five stars.", "No problems at all.")
_OF_CAUSE = {
    "Wrong bill": "bill",
    "Long wait": "wait",
    "Late refund": "refund",
    "Missed appointment": "appointment",
    "Unclear letter": "letter",
    "Staff attitude": "manner",
}
_UNHAPPY, _UNHAPPY_MIX = ("bill", "refund", "letter", "manner", "fault"), (0.30, 0.14, 0.12, 0.16, 0.28)
_HAPPY, _HAPPY_MIX = ("helpful", "quick", "plain"), (0.42, 0.34, 0.24)

# What masking must find. Nobody on the roster has these names.
CUSTOMERS = ("Margaret Oldroyd", "Dilwyn Parfitt", "Shabana Qureshi", "Ottilie Vane", "Kwame Boateng", "Ruth Eastwick")
PHONES = ("01632 960123", "07700 900456", "+44 7700 900777", "020 7946 0958", "(0113) 496 0321", "01632-960-888")
MAILS = ("m.oldroyd@example.com", "dilwyn_parfitt@example.org", "s.qureshi+home@example.net", "vane@mail.example.co.uk")
CARDS = ("4111 1111 1111 1111", "5555555555554444", "4012-8888-8888-1881", "3782 822463 10005", "5105 1051 0510 5100")
ACCOUNTS = ("30417752", "20-45-53 61928834", "NG4417290K", "8810-2236-71")
PLACES = ("14 Larch Close, Leeds LS8 2QT", "7 Heol y Parc, Cardiff CF14 3XZ", "Flat 2, 91 Ashdown Road, YO31 7EA")
_PERSONAL = (
    "My name is {customer}.",
    "Please ring {customer} on {phone}.",
    "You can reach me on {phone}.",
    "Write to {mail}.",
    "My account number is {account}.",
    "I live at {place}.",
    "I gave you my card {card} twice.",
    "It was taken from card {card}, please check.",
    "{agent} dealt with me.",
    "I spoke to {agent} about it.",
    "Regards, {customer}, {phone}",
)


def of_surveys(plan: Plan, asked: pd.DataFrame, agents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the comments of surveys.

    Args:
        plan: When what happens.
        asked: One row per invitation: `answers`, `true_csat`, `dissatisfied`, `invited_s`.
        agents: The name of the agent of each, as the roster writes it.

    Returns:
        The comments, empty where there is none, and the theme of each.
    """
    rng = plan.stream("comments", "surveys")
    size = len(asked)
    low = asked["true_csat"].to_numpy() <= 2
    shares = np.where(low, COMMENTING["low"], COMMENTING["others"])
    shares = np.where(asked["dissatisfied"], COMMENTING["dissatisfied"], shares)
    says = asked["answers"].to_numpy() & (rng.random(size) < shares)
    day = asked["invited_s"].to_numpy() // 86400
    new = np.where(day >= _number(plan.app_from), NEW, 0.0)
    rising = np.where(day >= _number(plan.appointments_from), RISING["from"], RISING["before"])
    draw = rng.random(size)
    bad = _picked(rng, _UNHAPPY, _UNHAPPY_MIX, size)
    good = _picked(rng, _HAPPY, _HAPPY_MIX, size)
    theme = np.where(asked["true_csat"].to_numpy() <= 3, bad, good)
    theme = np.where(draw < new + rising + STEADY, "wait", theme)
    theme = np.where(draw < new + rising, "appointment", theme)
    theme = np.where(draw < new, "app", theme)
    theme = np.where(says, theme, "").astype(object)
    return _written(rng, theme, agents), theme


def of_complaints(plan: Plan, made: pd.DataFrame, cause: np.ndarray, agents: np.ndarray) -> tuple[Any, np.ndarray]:
    """Write the words of complaints; those whose cause is not recorded yet may be about what is new.

    Args:
        plan: When what happens.
        made: One row per complaint: `root_cause` (empty while open), `received_s`.
        cause: The root cause of each, recorded or not, as a place in the list of causes.
        agents: The name of the agent of each, as the roster writes it.

    Returns:
        The words, and the theme of each.
    """
    rng = plan.stream("comments", "complaints")
    theme = np.array([_OF_CAUSE[name] for name in centre.ROOT_CAUSES], dtype=object)[cause]
    late = made["received_s"].to_numpy() // 86400 >= _number(plan.app_from)
    fresh = (rng.random(len(made)) < NEW_IN_COMPLAINTS) & late & (made["root_cause"] == "").to_numpy()
    theme = np.where(fresh, "app", theme).astype(object)
    return _written(rng, theme, agents), theme


def _number(day: Any) -> int:
    return (day - pd.Timestamp(0).date()).days


def _picked(rng: np.random.Generator, names: tuple[str, ...], mix: tuple[float, ...], size: int) -> np.ndarray:
    return np.array(names, dtype=object)[rng.choice(len(names), size, p=mix)]


def _written(rng: np.random.Generator, theme: np.ndarray, agents: np.ndarray) -> np.ndarray:
    """Write one text per theme: a sentence of the theme, perhaps another, and here and there something personal."""
    draws = rng.random((len(theme), 5))
    texts = [
        _text(str(name), draw, str(agent)) if name else ""
        for name, draw, agent in zip(theme, draws, agents, strict=True)
    ]
    return np.array(texts, dtype=object)


def _text(theme: str, draw: np.ndarray, agent: str) -> str:
    sentence = _one(THEMES[theme], draw[0])
    if theme == "plain":
        return sentence
    more = _PRAISED if theme in _HAPPY else _ADDED
    parts = [f"{sentence}."]
    if draw[1] < 0.55:
        parts.append(_one(more, draw[1] / 0.55))
    if draw[2] < PERSONAL:
        place = draw[2] / PERSONAL
        last, _, first = agent.partition(", ")
        told = {"customer": CUSTOMERS, "phone": PHONES, "mail": MAILS, "card": CARDS, "account": ACCOUNTS}
        given = {name: _one(values, draw[3]) for name, values in {**told, "place": PLACES}.items()}
        given["agent"] = f"{first} {last}" if draw[4] < 0.5 else first
        parts.append(_one(_PERSONAL, place).format(**given))
    return " ".join(parts)


def _one(of: tuple[str, ...], draw: float) -> str:
    return of[min(int(draw * len(of)), len(of) - 1)]
