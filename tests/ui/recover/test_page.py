"""The page Recover: a training is chosen, started, watched, stopped, and compared."""

from collections.abc import Callable

from compress_core import compress, load_dataset, load_model, measure
from compress_core.events import Epoch, Frame, Progress
from compress_core.recipe import parse_recipe
from compress_core.trained import cached_bytes
from tests.ui.bench import Bench
from tests.ui.recover.conftest import MODEL
from tests.whole_app import WholeApp, open_app, turn_to
from ui import words
from ui.session import caches, executor

PRUNED = "prune:sparsity=0.9"


def open_page(recipe: str, **query: str) -> WholeApp:
    app = open_app("recover", model=MODEL, recipe=recipe, **query)
    assert not app.exception
    return app


def shown(app: WholeApp) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.main.metric}


def press(app: WholeApp, key: str) -> WholeApp:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def epoch(number: int, **changes: object) -> Epoch:
    frames = (
        Frame("fc1.weight", -1, 1, (5, 7), 0.9, codebook=(-0.5, 0.5)),
        Frame("fc2.weight", -1, 1, (1, 2), 0.8),
    )
    fields = {"step": "finetune:epochs=4,seed=5", "epoch": number, "epochs": 4, "loss": 0.25}
    fields |= {"accuracy": 0.9, "sparsity": 0.875, "seconds": 10.0, "frames": frames}
    return Epoch(**fields | changes)  # type: ignore[arg-type]


def test_start_adds_the_step_and_has_it_trained(bench: Bench) -> None:
    app = open_page(PRUNED)
    app.number_input(key="recover_finetune_epochs").set_value(1).run()
    app.number_input(key="recover_seed").set_value(1).run()
    press(app, "recover_start")
    assert app.session_state["recipe"] == f"{PRUNED};finetune:epochs=1,seed=1"
    assert [job.work.recipe for job in bench.jobs()] == [app.session_state["recipe"]]  # type: ignore[union-attr]


def test_the_fields_of_a_method_make_its_step() -> None:
    app = open_page(PRUNED, recover_method="distil")
    app.number_input(key="recover_distil_alpha").set_value(0.5).run()
    app.number_input(key="recover_rate").set_value(0.02).run()
    press(app, "recover_add")
    assert app.session_state["recipe"].endswith("distil:alpha=0.5,learning_rate=0.02")


def test_a_step_that_does_not_fit_cannot_be_started() -> None:
    app = open_page(PRUNED, recover_method="train codes")
    assert app.button(key="recover_start").disabled
    assert any("Not possible here" in caption.value for caption in app.main.caption)


def test_without_a_server_of_its_own_the_page_says_so() -> None:
    executor.close()
    app = open_page(f"{PRUNED};finetune:epochs=4")
    assert any("start the app by app.py" in warning.value for warning in app.warning)


def test_a_training_on_its_way_shows_its_last_epoch(bench: Bench) -> None:
    app = press(open_page(f"{PRUNED};finetune:epochs=4,seed=5"), "recover_start")
    bench.run(epoch(1), epoch(2), Progress(0.5, "finetune:epochs=4,seed=5: epoch 3 of 4"))
    app.run()
    assert shown(app)["Epoch"] == "2 of 4"
    assert shown(app)["Time left"] == "20 s"
    assert shown(app)["Zeros"] == "87.5 %"
    assert app.selectbox(key="recover_layer").options == ["fc1.weight", "fc2.weight"]


def test_stop_ends_it_and_resume_goes_on(bench: Bench) -> None:
    app = press(open_page(f"{PRUNED};finetune:epochs=1,seed=6"), "recover_start")
    press(app, "recover_stop").run()
    assert "cancelled" in app.info[0].value
    press(app, "recover_resume")
    assert bench.jobs()[0].state == "queued"


def test_afterwards_before_and_after_are_the_cores_numbers(bench: Bench) -> None:
    recipe = f"{PRUNED};finetune:epochs=1,seed=2"
    app = press(open_page(recipe), "recover_start")
    bench.work_off()
    app.run()
    original, data = load_model(MODEL), load_dataset("digits")
    reports = [measure(compress(original, parse_recipe(r)), data) for r in (PRUNED, recipe)]
    before, after = (words.percent(report.score.value) for report in reports)
    assert shown(app)["Accuracy"] == f"{before} → {after}"
    assert shown(app)["Size"] == words.byte_size(reports[1].size.stored_bytes)


def test_two_users_who_start_the_same_share_one_job(bench: Bench) -> None:
    recipe = f"{PRUNED};finetune:epochs=1,seed=3"
    first, second = (open_page(recipe) for _ in range(2))
    press(first, "recover_start")
    press(second, "recover_start")
    assert len(bench.jobs()) == 1
    press(first, "recover_stop")
    assert bench.jobs()[0].unfinished


def test_a_training_of_another_recipe_is_named_and_leads_back(bench: Bench) -> None:
    recipe = f"{PRUNED};finetune:epochs=1,seed=4"
    app = press(open_page(recipe), "recover_start")
    app.text_input(key="recipe_typed").set_value("prune:sparsity=0.5").run()
    assert "another recipe" in app.info[0].value
    press(app, f"recover_back_{bench.jobs()[0].id}")
    assert app.session_state["recipe"] == recipe


def test_a_diverged_training_says_what_to_do_and_keeps_the_state_before(bench: Bench) -> None:
    recipe = f"{PRUNED};finetune:epochs=2,learning_rate=90.0"
    app = press(open_page(recipe), "recover_start")
    bench.work_off()
    app.run()
    assert "diverged" in app.error[0].value
    assert app.session_state["recipe"] == recipe
    press(app, "recover_delete")
    assert bench.jobs() == ()
    assert app.button(key="recover_start")


def test_a_step_is_taken_out_to_train_in_another_way() -> None:
    app = open_page(f"{PRUNED};finetune:epochs=4;quantize:bits=4")
    press(app, "recover_take_out")
    assert app.session_state["recipe"] == f"{PRUNED};quantize:bits=4"


def test_a_ticket_has_its_control_arm(bench: Bench, train: Callable[[str], None]) -> None:
    train(f"{PRUNED};rewind:epochs=1")
    app = press(open_page(f"{PRUNED};rewind:epochs=1"), "recover_arm_start")
    bench.work_off()
    app.run()
    assert any("the same from random weights" in text.value for text in app.markdown)
    assert app.session_state["recipe"] == f"{PRUNED};rewind:epochs=1"


def test_before_and_after_are_pinned(train: Callable[[str], None]) -> None:
    train(f"{PRUNED};finetune:epochs=1")
    app = press(open_page(f"{PRUNED};finetune:epochs=1"), "recover_pin")
    pinned = caches.snapshot_store().snapshots(app.session_state["snapshots_token"]) or ()
    assert [snapshot.recipe for snapshot in pinned] == [PRUNED, f"{PRUNED};finetune:epochs=1"]


def test_a_result_comes_back_with_its_recipe(train: Callable[[str], None]) -> None:
    recipe = f"{PRUNED};finetune:epochs=1"
    train(recipe)
    app = open_app("prune", model=MODEL, recipe=recipe)
    app.number_input(key="prune_sparsity").set_value(80.0).run()
    assert app.session_state["recipe"] == "prune:sparsity=0.8;finetune:epochs=1"
    assert any("Not trained yet" in caption.value for caption in app.sidebar.caption)
    app.number_input(key="prune_sparsity").set_value(90.0).run()
    assert not any("Not trained yet" in caption.value for caption in app.sidebar.caption)


def test_cleared_results_are_trained_anew(bench: Bench) -> None:
    recipe = f"{PRUNED};finetune:epochs=1,seed=8"
    app = press(open_page(recipe), "recover_start")
    bench.work_off()
    press(app.run(), "recover_clear")
    assert cached_bytes() == 0
    press(app, "recover_start")
    assert bench.jobs()[0].state == "queued"


def test_other_pages_tell_how_far_a_training_is_and_notice_its_end(bench: Bench) -> None:
    recipe = f"{PRUNED};finetune:epochs=1,seed=9"
    app = press(open_page(recipe), "recover_start")
    bench.run(Progress(0.5, "finetune:epochs=1,seed=9: epoch 1 of 1"))
    turn_to(app, "prune")
    assert any("Being trained 50.0 %" in caption.value for caption in app.sidebar.caption)
    bench.store.requeue(bench.jobs()[0].id, "")
    bench.work_off()
    app.run()
    assert not [c for c in app.sidebar.caption if "rained" in c.value and "state before" in c.value]
