"""A participant in a real browser: looks at the pictures, answers by a rule, notes what was seen and said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ElementHandle, Page, Playwright

from drawn_pictures import read_colour

CONDITIONS = ("ours", "pix2pix", "truth", "masked")
CHROMIUM = Path("/usr/bin/chromium")
WAIT_MS = 90_000

_NEXT = (
    "section.trial.open:not([data-position='{position}']), section.page button.main, "
    ".feedback button, .page.end, section:not([hidden])#withdrawn"
)
OPENING = threading.Lock()
"""Held while a page is opened: people load a page again that does not come, scripted ones do not."""

# The colour of each picture of the trial, also of those that are gone from sight.
_COLOURS = """section => [...section.querySelectorAll("img")].map(image => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [...context.getImageData(0, 0, 1, 1).data];
})"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One trial as the page showed it; pictures as (condition, face) in their order."""

    position: int
    block: str
    role: str
    pictures: tuple[tuple[str, str], ...]
    prompt: str


@dataclass(kw_only=True, slots=True)
class ScriptedPerson:
    """Who takes part, and how.

    Attributes:
        link: Where the study is.
        rule: From what is seen to the answer's value.
        touch: A phone that is tapped, instead of a keyboard.
        returns_after: Closes the tab after so many answers and opens the link again.
        withdraws_after: Withdraws after so many answers.
        said: What was seen and answered, in order.
        practice: What was said about the practice answers.
        code: As the last page shows it.
        complaints: What the browser's console says.
    """

    link: str
    rule: Callable[[Seen], str]
    touch: bool = False
    returns_after: int = -1
    withdraws_after: int = -1
    said: list[tuple[Seen, str]] = field(default_factory=list)
    practice: list[str] = field(default_factory=list)
    code: str = ""
    complaints: list[str] = field(default_factory=list)

    def take_part(self, browser: Browser) -> None:
        """From the link to the last page."""
        size = {"width": 390, "height": 780} if self.touch else {"width": 1100, "height": 800}
        context = browser.new_context(viewport=size, has_touch=self.touch, is_mobile=self.touch, locale="en-GB")
        context.set_default_timeout(WAIT_MS)
        page = self._open(context.new_page())
        self._press(page, "#agree")
        position = -1
        while True:
            page.wait_for_selector(_NEXT.format(position=position))
            if page.query_selector(".page.end"):
                self.code = page.inner_text("#own-code")
                self.link = page.url
                break
            if page.query_selector("#withdrawn:not([hidden])"):
                break
            if button := page.query_selector(".feedback button"):
                self.practice.append(page.inner_text(".feedback p"))
                self._press_focused(page, button)
                page.wait_for_selector(".feedback", state="detached")
            elif trial := page.query_selector(f"section.trial.open:not([data-position='{position}'])"):
                position = self._answer(page, trial)
                if len(self.said) == self.returns_after:
                    here = f"section.trial[data-position='{position}']"
                    # On a quick machine the next trial is there before anyone saw this one end.
                    page.wait_for_selector(f"{here}.over, section.trial:not({here}), .page, .feedback")
                    link = page.url
                    page.close()
                    page = self._open(context.new_page(), link)
                elif len(self.said) == self.withdraws_after:
                    self._withdraw(page)
            elif page.query_selector("form"):
                page.check("input[value='30-49']")
                page.fill("textarea", "words of my own")
                self._press(page, "form button.main")
                page.wait_for_selector("form", state="detached")
            elif button := page.query_selector("section.page button.main"):
                heading = page.inner_text("h1")
                self._press_focused(page, button)
                page.wait_for_function("old => document.querySelector('h1')?.innerText !== old", arg=heading)
        context.close()

    def _open(self, page: Page, link: str = "") -> Page:
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        with OPENING:
            page.goto(link or self.link)
            page.wait_for_selector(f"#agree, {_NEXT.format(position=-1)}")
        return page

    def _answer(self, page: Page, trial: ElementHandle) -> int:
        seen = _look(trial)
        value = self.rule(seen)
        self.said.append((seen, value))
        if page.query_selector("input[type=range]"):
            for digit in value:
                page.keyboard.press(digit)
            self._press(page, ".slider button.main") if self.touch else page.keyboard.press("Space")
        elif self.touch:
            page.tap(f"button[data-value='{value}']")
        else:
            buttons = page.query_selector_all("button[data-value]")
            values = [button.get_attribute("data-value") for button in buttons]
            page.keyboard.press(str(values.index(value) + 1))
        return seen.position

    def _withdraw(self, page: Page) -> None:
        self._press(page, "#leave")
        self._press(page, "dialog button.danger")
        page.wait_for_selector(
            "#withdrawn:not([hidden])"
        )  # Another page: nothing may look at this one meanwhile.

    def _press(self, page: Page, selector: str) -> None:
        page.wait_for_selector(selector)
        page.tap(selector) if self.touch else page.click(selector)

    def _press_focused(self, page: Page, button: ElementHandle) -> None:
        # The button has the focus by itself: a keyboard goes on with space, without looking for it.
        button.tap() if self.touch else page.keyboard.press("Space")


def _look(trial: ElementHandle) -> Seen:
    colours = trial.evaluate(_COLOURS)
    names = ("data-position", "data-block", "data-role")
    position, block, role = (trial.get_attribute(name) for name in names)
    prompt = trial.query_selector("h1").inner_text()
    if prompt.startswith("For this picture please answer"):  # It looks like any other trial.
        assert role == "main"
        role = "check"
    return Seen(
        position=int(position),
        block=block,
        role=role,
        pictures=tuple(read_colour(CONDITIONS, red, green) for red, green, *_ in colours),
        prompt=prompt,
    )


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium, without a window."""
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    return playwright.chromium.launch(executable_path=str(CHROMIUM), args=quiet)
