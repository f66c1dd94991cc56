"""Every lesson played through in a browser, from the first page on, as a visitor does it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import heading, metric, settle, visit
from ui import language
from ui.learn.lesson import Choice, Lesson, Step, Values
from ui.learn.lessons import BY_NAME, LESSONS

pytestmark = pytest.mark.browser
SLOW = ("speedup",)  # takes as long as the machine is busy; tests/ui/learn waits for it
WAITS = "The latency is being measured, which takes seconds."
MEASURED = (  # one of these is said of each prediction
    "You: {predicted}. Measured: **{measured}**.",
    "The optimum: **{shown}**.",
    ":material/check: **{chosen}** is right.",
)
CODEBOOK = "-0.08 -0.01 0.02 0.09"
ENGLISH = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")  # three words, or more


def bar(page: Page) -> Locator:
    return page.locator(".st-key-lesson")


def said(spoken: str, text: str) -> str:
    """A text of the code as a reader of a language sees it."""
    found = language.catalog(spoken).gettext(text)
    assert spoken == "en" or found != text, f"not translated: {text}"
    return found


def pattern(spoken: str, *texts: str) -> re.Pattern[str]:
    """What one of the texts looks like on the page, anything in the place of its placeholders."""
    shown = [re.sub(r"\*\*|:material/\w+: ", "", said(spoken, text)) for text in texts]
    return re.compile("|".join(re.sub(r"\\\{\w+\\\}", ".+", re.escape(text)) for text in shown))


def predict(page: Page, step: Step, spoken: str = "en") -> None:
    """Any prediction will do."""
    match step.prediction:
        case Choice():
            bar(page).get_by_test_id("stButtonGroup").get_by_role("radio").first.click()
        case Values():
            bar(page).get_by_role("textbox").fill(CODEBOOK)
        case _:
            bar(page).get_by_role("spinbutton").fill("5")
    bar(page).get_by_role("button", name=said(spoken, "Check")).click()


def play(page: Page, lesson: Lesson, spoken: str) -> None:
    """All steps of a lesson, one after the other by its links, and back to the list."""
    title, steps = said(spoken, lesson.title), len(lesson.steps)
    page.locator(f".st-key-learn_{lesson.name}").get_by_role("link").click()
    for at, step in enumerate(lesson.steps, 1):
        where = said(spoken, "{at} of {steps}").format(at=at, steps=steps)
        expect(bar(page)).to_contain_text(f"{title} · {where}")
        expect(bar(page)).to_contain_text(said(spoken, step.question)[:40])
        predict(page, step, spoken)
        # what is slow may have been measured for somebody else
        for told in [(WAITS, *MEASURED)] if step.answer in SLOW else [MEASURED, (step.why,)]:
            expect(bar(page)).to_contain_text(pattern(spoken, *told))
        if spoken != "en":
            assert ENGLISH.findall(bar(page).inner_text()) == []
        expect(page.get_by_test_id("stException")).to_have_count(0)
        following = said(spoken, "Next" if at < steps else "All lessons")
        bar(page).get_by_role("link", name=following).click()
    expect(heading(page, said(spoken, "Learn"))).to_be_visible()


def test_the_first_page_leads_to_the_lessons(app: str, page: Page) -> None:
    visit(page, app, "Compress Explorer")
    page.locator(".st-key-doors").get_by_role("link", name="Learn").click()
    expect(heading(page, "Learn")).to_be_visible()


@pytest.mark.parametrize("spoken", language.LANGUAGES)
def test_every_lesson_is_played_through(
    app: str, page: Page, console_errors: list[str], foreign_requests: list[str], spoken: str
) -> None:
    visit(page, f"{app}/learn?lang={spoken}", said(spoken, "Learn"))
    here = [lesson for lesson in LESSONS if all("digits" in step.model for step in lesson.steps)]
    for lesson in here:
        play(page, lesson, spoken)
    here = [lesson for lesson in here if not any(step.answer in SLOW for step in lesson.steps)]
    once_more = said(spoken, "Once more")
    page.reload()  # the browser remembers what was done
    for lesson in here:
        expect(page.locator(f".st-key-learn_{lesson.name}")).to_contain_text(once_more)
    page.get_by_role("button", name=said(spoken, "Forget my progress")).click()
    expect(page.get_by_text(once_more)).to_have_count(0)
    assert console_errors == []
    assert foreign_requests == []


PARTS = {
    "bar": ".st-key-lesson",
    "picture": ".live .stage",
    "handle": ".live .grip:visible",
    "rows": ".live .rows",
    "plane": ".live .plane",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("present", ["", "&present=1"])
def test_bar_control_and_picture_stand_above_the_fold(
    app: str, page: Page, present: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    rounding = BY_NAME["rounding"]
    assert isinstance(rounding, Lesson)
    visit(page, f"{app}/quantize?lesson=rounding&at=3{present}", "Quantize")
    predict(page, rounding.steps[2])
    expect(bar(page)).to_contain_text("Measured")
    settle(page)
    bottoms = {}
    for name, selector in PARTS.items():
        found = page.locator(selector).last.bounding_box()
        assert found, name
        bottoms[name] = found["y"] + found["height"]
    assert {name: bottom for name, bottom in bottoms.items() if bottom > 900} == {}
    assert page.locator(".st-key-quantize_bits").is_visible()


def test_what_a_lesson_hides_cannot_be_reached_by_the_keyboard(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?lesson=zeros", "Prune")
    expect(bar(page)).to_be_visible()
    expect(page.get_by_role("slider", name="Sparsity", exact=True)).to_be_visible()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-label') || ''"))
    assert not any("Method" in name or "Threshold" in name for name in reached)
    assert any("Sparsity" in name for name in reached)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_an_instructors_link_collects_a_prediction_that_the_class_page_shows(
    app: str, page: Page, console_errors: list[str]
) -> None:
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.9", "Prune")
    page.get_by_text("Make a link of this screen").click()
    page.get_by_label("Question").fill("How many zeros?")
    choose(page, "What is measured", "Zeros, %")
    page.get_by_text("Collect the predictions of a class").click()
    page.get_by_role("button", name="Make the link").click()
    page.goto(page.get_by_test_id("stCode").inner_text())
    code = page.url.partition("class=")[2].partition("&")[0]
    expect(metric(page, "Sparsity")).to_have_text("0.0 %")
    bar(page).get_by_role("spinbutton").fill("80")
    bar(page).get_by_role("button", name="Check").click()
    expect(bar(page)).to_contain_text("You: 80 %. Measured: 90.0 %.")
    expect(metric(page, "Sparsity")).to_have_text("90.0 %")
    page.goto(f"{app}/class_answers?class={code}")
    expect(page.get_by_text("1 prediction.")).to_be_visible()
    page.get_by_text("Show the measured answers").click()
    expect(page.get_by_text("1 prediction. Measured: 90.0 %.")).to_be_visible()
    assert console_errors == []


def test_back_goes_to_the_step_before(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?lesson=zeros", "Prune")
    expect(bar(page)).to_contain_text("1 of 3")
    bar(page).get_by_role("link", name="Next").click()
    expect(bar(page)).to_contain_text("2 of 3")
    expect(page.get_by_role("heading", name="Encode")).to_be_visible()
    settle(page)
    page.go_back()
    expect(bar(page)).to_contain_text("1 of 3")
    expect(page.get_by_role("heading", name="Prune")).to_be_visible()
    page.go_forward()
    expect(bar(page)).to_contain_text("2 of 3")
    expect(page.get_by_role("heading", name="Encode")).to_be_visible()
