"""A participant in a real browser who meets every kind of page of a study and notes what was shown and said."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page

WAIT_MS = 120_000
CARD_CM = 8.56

_NEXT = (
    "section.trial.open:not([data-seen]), section.page:not([data-seen]), "
    "#withdrawn:not([hidden]), #joined:not([hidden]), #paused:not([hidden]), #late:not([hidden])"
)
Rule = Callable[[str, str, int], str]
"""From block, picture's place on its screen and number of the person to an answer."""


@dataclass(kw_only=True, slots=True)
class Walker:
    """Who takes part.

    Attributes:
        link: Where the study is.
        number: Tells people apart; answers hang on it.
        phone: A small touch screen.
        reply: To the question at the start.
        leaves_after: Closes the tab after so many pages.
        look: Called once for each kind of page, with its name.
        kinds: The kinds of pages that came, in order.
        answers: Position to what was said.
        ended: The last page's kind.
        leave_code: As the last page shows it.
        complaints: Of the browser's console.
    """

    link: str
    number: int = 0
    phone: bool = False
    reply: str = "old"
    leaves_after: int = 10_000
    look: Callable[[Page, str], None] = lambda page, kind: None
    kinds: list[str] = field(default_factory=list)
    answers: dict[int, str] = field(default_factory=dict)
    counts: list[str] = field(default_factory=list)
    ended: str = ""
    leave_code: str = ""
    complaints: list[str] = field(default_factory=list)

    def take_part(self, browser: Browser) -> None:
        """From the link to the last page, or as far as they go."""
        size = {"width": 390, "height": 780} if self.phone else {"width": 1440, "height": 900}
        context = browser.new_context(viewport=size, has_touch=self.phone, is_mobile=self.phone, locale="en-GB")
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.link)
        page.wait_for_selector(f"#agree, {_NEXT}")
        if page.is_visible("#agree"):
            self._note(page, "consent")
            self._press(page, "#agree")
        while not self.ended and len(self.kinds) < self.leaves_after:
            page.wait_for_selector(_NEXT)
            self._step(page)
        context.close()

    def _step(self, page: Page) -> None:
        kind = page.evaluate(
            "selector => { const s = document.querySelector(selector); s.dataset.seen = 1;"
            "return s.id || (s.querySelector('form') ? 'questions' : s.className); }",
            _NEXT,
        )
        # What is on its way to the next page must not be taken for it.
        name = next((known for known in ("mushra", "overview", "calibrate", "device") if known in kind), kind)
        name = {"trial open": "trial", "page": "text", "page end": "end", "page screened": "screened"}.get(
            name, name
        )
        if name == "trial":
            name = "trial " + str(page.get_attribute("section.trial", "data-block"))
        self._note(page, name)
        if name in ("end", "screened", "joined", "paused", "late", "withdrawn"):
            self.ended = name
            if page.query_selector("#leave-code"):
                self.leave_code = page.inner_text("#leave-code")
        elif name == "questions":
            self._questions(page)
        elif name == "calibrate":
            # The card is as wide as on a screen of 96 dots per inch.
            self._press(page, "section.calibrate button.main")
        elif name == "mushra":
            self._rate_all(page)
        elif name == "overview":
            self._overview(page)
        elif name.startswith("trial"):
            self._answer(page)
        else:
            self._press(page, "section.page button.main")

    def _note(self, page: Page, kind: str) -> None:
        if kind not in self.kinds:
            self.look(page, kind)
        self.kinds.append(kind)
        self.counts.append(page.inner_text("#count") if page.is_visible("#count") else "")

    def _questions(self, page: Page) -> None:
        if page.query_selector(f"input[value='{self.reply}']"):
            page.check(f"input[value='{self.reply}']")
        self._press(page, "form button.main")
        page.wait_for_selector("section.page[data-seen] form", state="detached")

    def _rate_all(self, page: Page) -> None:
        for place, slider in enumerate(page.query_selector_all(".mushra input")):
            position = int(str(slider.get_attribute("data-position")))
            value = str(min(100, 30 + 10 * place + self.number))
            slider.fill(value)
            self.answers[position] = value
        self._press(page, ".mushra button.main")
        page.wait_for_selector(".mushra.open[data-seen]:not(.over)", state="detached")

    def _overview(self, page: Page) -> None:
        left = page.query_selector(".tile:not(.said)")
        if left is None:
            self._press(page, ".close-part")
            page.wait_for_selector(".overview[data-seen]", state="detached")
            return
        left.tap() if self.phone else left.click()
        page.wait_for_selector(".overview[data-seen]", state="detached")

    def _answer(self, page: Page) -> None:
        position = int(str(page.get_attribute("section.trial", "data-position")))
        prompt = page.inner_text("section.trial h1")
        wanted = re.search("please answer “(\\d)", prompt)
        if page.query_selector(".pick") and not self.phone:
            page.click(".pick >> nth=1")
            self.answers[position] = "second"
        else:
            buttons = [
                b.get_attribute("data-value") for b in page.query_selector_all(".answers button[data-value]")
            ]
            value = wanted[1] if wanted else str(buttons[(self.number + position) % len(buttons)])
            self.answers[position] = value
            self._press(page, f"button[data-value='{value}']")
        gone = f"section.trial.open[data-seen][data-position='{position}']:not(.over)"
        page.wait_for_selector(f"section.further, section.page, section.trial:not({gone})")
        if page.query_selector("section.further"):
            page.wait_for_selector("section.further .answers button:not(:disabled)")
            self._press(page, ".further .answers button >> nth=0")
        page.wait_for_selector(gone, state="detached")

    def _press(self, page: Page, selector: str) -> None:
        page.wait_for_selector(f"{selector} >> visible=true")
        page.tap(selector) if self.phone else page.click(selector)
