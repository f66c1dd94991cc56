"""Every page renders recipes with steps that train, trained or not, in any place."""

from collections.abc import Callable

import pytest

from tests.ui.recover.conftest import MODEL
from tests.whole_app import PAGES, WholeApp, open_app, turn_to

TRAINED = (
    "prune:sparsity=0.9;finetune:epochs=1;share:clusters=8;finetune:epochs=1",
    "factorize:rank=8,layers=fc1;distil:epochs=1;quantize:bits=3;qat:epochs=1;prune:sparsity=0.5",
)
UNTRAINED = (
    "finetune:epochs=8;quantize:bits=4;factorize:rank=8,layers=fc1",
    "prune:sparsity=0.9;finetune:epochs=1;share:clusters=4;finetune:epochs=9;prune_structured:pruning_ratio=0.3",
)


@pytest.fixture(scope="module")
def app_with(train: Callable[[str], None]) -> Callable[[str], WholeApp]:
    """The app with a recipe, opened once."""
    apps: dict[str, WholeApp] = {}

    def opened(recipe: str) -> WholeApp:
        if recipe not in apps:
            if recipe in TRAINED:
                train(recipe)
            apps[recipe] = open_app(model=MODEL, recipe=recipe)
        return apps[recipe]

    return opened


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("recipe", [*TRAINED, *UNTRAINED])
def test_a_page_renders(app_with: Callable[[str], WholeApp], recipe: str, page: str) -> None:
    app = turn_to(app_with(recipe), page)
    assert [error.value for error in (*app.exception, *app.error)] == []
    untrained = [c for c in app.sidebar.caption if "Not trained yet" in c.value]
    assert len(untrained) == (recipe in UNTRAINED)
