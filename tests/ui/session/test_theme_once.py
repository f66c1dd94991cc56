"""The theme that is kept is the one that Streamlit would read anew."""

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import CustomThemeConfig

from ui.session import theme_once

KINDS = [kind.value for kind in config.CustomThemeCategories]


@pytest.mark.parametrize("section", ["theme", *(f"theme.{kind}" for kind in KINDS)])
def test_each_section_is_streamlits_own_at_first_and_later(section: str) -> None:
    own = CustomThemeConfig()
    theme_once.plain_populate(own, section)
    for _ in range(2):
        kept = CustomThemeConfig()
        theme_once.populate(kept, section)
        assert kept == own


def test_the_sections_within_a_theme_are_kept_too() -> None:
    own, kept = CustomThemeConfig(), CustomThemeConfig()
    for message, populate in ((own, theme_once.plain_populate), (kept, theme_once.populate)):
        populate(message)
        populate(message.dark, "theme.dark")
        populate(message.dark.sidebar, "theme.dark.sidebar")
    assert kept == own
