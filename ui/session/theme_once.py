"""The theme is read from the configuration once, not with every run of every visitor.

Streamlit 1.67 sends the theme with each run, and looks up each of its 200 options anew for it: a
tenth of what a busy server computes. It has no option for this, so one of its functions is
replaced. The configuration does not change while the server runs.
"""

from functools import lru_cache

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

plain_populate = app_session._populate_theme_msg


def install() -> None:
    """Put `populate` in the place of Streamlit's own function."""
    app_session._populate_theme_msg = populate  # type: ignore[assignment]  # its name of the argument


def populate(message: CustomThemeConfig, section: str = "theme") -> None:
    """Streamlit's own, with what it found before."""
    message.MergeFrom(_found(section))


@lru_cache(maxsize=16)
def _found(section: str) -> CustomThemeConfig:
    message = CustomThemeConfig()
    plain_populate(message, section)
    return message
