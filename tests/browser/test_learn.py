"""Every lesson played through in a browser, from the first page on, as a visitor does it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import visit
from ui.learn.lesson import Choice, Lesson, Step, Values
from ui.learn.lessons import LESSONS
from ui.session import measuring

pytestmark = pytest.mark.browser
CODEBOOK = "-0.08 -0.01 0.02 0.09"


def bar(page: Page) -> Locator:
    return page.locator(".st-key-lesson")


def predict(page: Page, step: Step) -> None:
    """Any prediction will do."""
    match step.prediction:
        case Choice():
            bar(page).get_by_test_id("stButtonGroup").get_by_role("radio").first.click()
        case Values():
            bar(page).get_by_role("textbox").fill(CODEBOOK)
        case _:
            bar(page).get_by_role("spinbutton").fill("5")
    bar(page).get_by_role("button", name="Check").click()


def play(page: Page, lesson: Lesson) -> None:
    """All steps of a lesson, one after the other by its links, and back to the list."""
    page.locator(f".st-key-learn_{lesson.name}").get_by_role("link").click()
    for at, step in enumerate(lesson.steps, 1):
        start = step.question.split("’")[0][:40]
        expect(bar(page)).to_contain_text(f"{lesson.title} · {at} of {len(lesson.steps)}")
        expect(bar(page)).to_contain_text(start)
        predict(page, step)
        # a latency takes as long as the machine is busy; tests/ui/learn waits for it
        expect(bar(page)).to_contain_text(
            re.compile("Measured|The optimum|is right|being measured")
        )
        expect(page.get_by_test_id("stException")).to_have_count(0)
        following = "Next" if at < len(lesson.steps) else "All lessons"
        bar(page).get_by_role("link", name=following).click()
    expect(page.get_by_role("heading", name="Learn")).to_be_visible()


def test_every_lesson_is_played_through(
    app: str, page: Page, console_errors: list[str], foreign_requests: list[str]
) -> None:
    visit(page, app, "Compress Explorer")
    page.locator(".st-key-doors").get_by_role("link", name="Learn").click()
    here = [
        lesson
        for lesson in LESSONS
        if not any(measuring.data_problem(step.model) for step in lesson.steps)
    ]
    for lesson in here:
        play(page, lesson)
    page.reload()  # the browser remembers what was done
    for lesson in here:
        expect(page.locator(f".st-key-learn_{lesson.name}")).to_contain_text("Once more")
    page.get_by_role("button", name="Forget my progress").click()
    expect(page.get_by_text("Once more")).to_have_count(0)
    assert console_errors == []
    assert foreign_requests == []
