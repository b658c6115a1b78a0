"""Thirty questions of analysts, after what users of PostHog and GrowthBook ask in public, and their answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AnalystQuestion:
    """A question, and the way from the overview to its answer.

    Attributes:
        text: The question.
        clicks: Each a link of the menu (`menu:Audience`), a choice (`select:by=country`), what opens (`open:Now`)
            or a button (`button:simulate`). Words that are typed first stand in `typed`.
        answer: Key of the sheet, form or part that answers, or label of a card; empty where nothing answers yet.
        typed: Value by name of the field that it is typed into before the last click.
    """

    text: str
    clicks: tuple[str, ...]
    answer: str
    typed: tuple[tuple[str, str], ...] = ()


BEHAVIOUR, AUDIENCE = ("menu:Behaviour",), ("menu:Audience",)
QUESTIONS = (
    AnalystQuestion("Was yesterday better or worse than usual?", (), "card:Visits"),
    AnalystQuestion("What share of visits buys, and how sure is that?", (), "card:Visits with a purchase"),
    AnalystQuestion("What made the visits rise or fall?", (), "movers"),
    AnalystQuestion("Is anything wrong right now?", (), "alarms"),
    AnalystQuestion("Which sources bring people?", AUDIENCE, "channel"),
    AnalystQuestion("Do phones convert worse than computers?", AUDIENCE, "device"),
    AnalystQuestion("Which countries do people come from?", AUDIENCE, "country"),
    AnalystQuestion("What do people of one source do day by day?", (*AUDIENCE, "select:channel"), "days"),
    AnalystQuestion("Which campaign brings purchases?", AUDIENCE, "campaigns"),
    AnalystQuestion("Who is on the site right now?", (*AUDIENCE, "open:Right now"), "live"),
    AnalystQuestion("Where do people go after they arrive?", BEHAVIOUR, "paths"),
    AnalystQuestion("What do people do before and after a page?", (*BEHAVIOUR, "select:page"), "paths"),
    AnalystQuestion("Which pages are read, and for how long?", BEHAVIOUR, "pages"),
    AnalystQuestion("On which pages do people leave?", BEHAVIOUR, "pages"),
    AnalystQuestion("Where do people drop out on the way to a purchase?", BEHAVIOUR, "funnel-purchase"),
    AnalystQuestion("In which country do they drop out?", (*BEHAVIOUR, "select:by=country"), "funnel-purchase"),
    AnalystQuestion("Do people come back?", BEHAVIOUR, "retention"),
    AnalystQuestion("Do people of a segment come back?", (*BEHAVIOUR, "select:segment"), "retention"),
    AnalystQuestion("When should something be sent?", BEHAVIOUR, "dayparts"),
    AnalystQuestion("On which pages do people click without effect?", BEHAVIOUR, "vain-clicks"),
    AnalystQuestion("Which groups of people are there?", ("menu:Segments",), "sizes|segments"),
    AnalystQuestion("Did the experiment win?", ("menu:Experiments",), "decisions"),
    AnalystQuestion("Is the split of an experiment as planned?", ("menu:Experiments",), "decisions"),
    AnalystQuestion("What would a stranger see on a phone?",
                    ("menu:Recommendations", "select:device=mobile", "button:choose"), "list-champion"),
    AnalystQuestion("What is shown beside an item?", ("menu:Recommendations", "button:similar"), "similar",
                    (("item", "i1"),)),
    AnalystQuestion("Why does a slot show what it shows?", ("menu:Decisions", "button:simulate"), "verdicts",
                    (("slot", "hero"),)),
    AnalystQuestion("Which model answers, and since when?", ("menu:Models",), "history"),
    AnalystQuestion("Why were events refused?", ("menu:Health",), "letters"),
    AnalystQuestion("What do we know of this customer?", ("menu:People", "button:look-up"), "facts",
                    (("user_id", "ann"),)),
    AnalystQuestion("What may a key do, and how long is data kept?", ("menu:Privacy",), "record"),
)  # fmt: skip
