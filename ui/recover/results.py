"""What a training gave: before and after, its curves, and the weights as they moved."""

from collections.abc import Sequence

import streamlit as st

from compress_core import Recipe
from compress_core.compressed import Compressed
from compress_core.events import Epoch, Frame
from compress_core.jobs.job import Job
from compress_core.jobs.store import JobError
from compress_core.jobs.work import Training
from compress_core.recipe import format_recipe
from compress_core.steps import TRAINING, AnyStep
from compress_core.trained import epochs_of
from compress_core.training.frames import take_frames
from ui import figures, wake_up, words
from ui.language import N_, _, n_
from ui.panels.chart import chart
from ui.recover import progress, running
from ui.recover.methods import Arm, control_arm
from ui.recover.waiting import trouble
from ui.session import caches, executor, jobs, measuring, snapshots, state, values
from ui.session.state import Current

BEFORE = N_("before")  # the name of a time-lapse's first frame


def show(current: Current) -> None:
    """The trained step that is chosen, the last one to begin with; nothing without one."""
    places = [i for i, step in enumerate(current.recipe) if step.kind == TRAINING]
    if not places:
        return
    place = _choose_step(current.recipe, places)
    before, after = current.recipe[:place], current.recipe[: place + 1]
    epochs = epochs_of(current.original, after)
    layer = _numbers(current, before, after, epochs)
    _pictures(current, before, after, epochs, layer)
    _buttons(current, before, after)


def _choose_step(recipe: Recipe, places: Sequence[int]) -> int:
    place = values.chosen("recover_step", [*reversed(places)])
    if len(places) > 1:
        values.repair("recover_step", place)
        st.segmented_control(
            _("Training"),
            places,
            key="recover_step",
            persist_state="session",
            required=True,
            format_func=lambda i: _("step {n}: {step}", n=i + 1, step=words.describe(recipe[i])),
        )
    else:
        title = _("Step {n}: {step}", n=place + 1, step=words.describe(recipe[place]))
        st.subheader(title, anchor=False)
    return place


def _numbers(current: Current, before: Recipe, after: Recipe, epochs: Sequence[Epoch]) -> str:
    """Before and after, on the same test images; beside them the layer to draw, "" for none."""
    model = current.model
    sizes = [caches.size(model, recipe) for recipe in (before, after)]
    columns = st.columns([1.5, 1.1, 1, 1, 1.2])
    with columns[0]:
        _score(current, before, after)
    columns[1].metric(
        _("Size"),
        words.byte_size(sizes[1].stored_bytes),
        delta=_change_of_bytes(*(size.stored_bytes for size in sizes)),
        delta_color="off",
        delta_arrow="off",
    )
    columns[2].metric(
        _("Zeros"),
        words.percent(sizes[1].sparsity),
        delta=words.signed(100 * (sizes[1].sparsity - sizes[0].sparsity), 1, _(" points")),
        delta_color="off",
        delta_arrow="off",
    )
    columns[3].metric(
        _("Trained in"),
        words.seconds(sum(epoch.seconds for epoch in epochs)),
        delta=n_("1 epoch", "{n} epochs", len(epochs)),
        delta_color="off",
        delta_arrow="off",
    )
    with columns[4]:
        return running.choose_layer(epochs) if epochs else ""


def _change_of_bytes(before: int, after: int) -> str:
    if before == after:
        return _("same bytes")
    return _("{change} bytes", change=words.change(before, after))


def _score(current: Current, before: Recipe, after: Recipe) -> None:
    if measuring.data_problem(current.model):
        st.metric(_("Accuracy"), "—", delta_description=_("no test images"))
        return
    model = current.model
    n = measuring.measured_size(model, before, after)
    if not n:
        why = measuring.why_none(model, before, after)
        st.metric(_("Accuracy"), "—", delta_description=why)
        return
    first, last = (measuring.score(model, recipe, n)[0] for recipe in (before, after))
    change = measuring.change(model, before, after, n)
    low, high = (
        words.score_change(last.metric, bound)
        for bound in (change.difference_low, change.difference_high)
    )
    told = _(
        "Before and after this training on the same {n:,} test images; 95 % interval of the paired "
        "change {low} … {high}.",
        n=n,
        low=low,
        high=high,
    )
    st.metric(
        words.metric(last.metric).capitalize(),
        f"{words.measured(first.metric, first.value)} → {words.measured(last.metric, last.value)}",
        delta=words.score_change(last.metric, change.difference),
        delta_description=f"n = {n:,}",
        help=f"{told}{_exact(current, after)}",
    )


def _exact(current: Current, after: Recipe) -> str:
    """What the job measured on the whole test set, as soon as it was done."""
    found = executor.present()
    job = jobs.job_of(Training(current.model, format_recipe(after)))
    if found is None or job is None:
        return ""
    try:
        result = found.store.result(job.id)
    except JobError:
        return ""
    metric = measuring.metric(current.model)
    value = words.measured(metric, result[metric], 2)
    return _(" On all {n:,} test images: {value}.", n=result["n"], value=value)


def _pictures(
    current: Current, before: Recipe, after: Recipe, epochs: Sequence[Epoch], layer: str
) -> None:
    left, right = st.columns(2)
    with left:
        _curves(current, before, after)
    if layer:
        with right:
            chart(
                figures.time_lapse(_frames(current, before, epochs, layer), state.colors()),
                "recover_time_lapse",
                _("Weights of {layer}, epoch by epoch", layer=layer),
                None,
            )


def _frames(
    current: Current, before: Recipe, epochs: Sequence[Epoch], layer: str
) -> list[tuple[str, Frame]]:
    """The layer before the training, where it had the same weights, and after each epoch."""
    moved = [
        (_("epoch {n}", n=epoch.epoch), frame)
        for epoch in epochs
        for frame in epoch.frames
        if frame.layer == layer
    ]
    first = _frame(caches.compressed(current.model, before), layer, moved[0][1])
    return [(_(BEFORE), first), *moved] if first else moved


def _frame(compressed: Compressed, layer: str, like: Frame) -> Frame | None:
    weights = {
        key: weight
        for stored in compressed.layers.values()
        for key, weight in zip(stored.weight_keys, stored.weights, strict=True)
        if key == layer
    }
    return next(iter(take_frames(weights, {layer: like.high})), None)


@st.fragment
def _curves(current: Current, before: Recipe, after: Recipe) -> None:
    """The training's curves, and those of its control arm; they grow while that one is trained."""
    runs = {_("this training"): epochs_of(current.original, after)}
    arm = control_arm(after[-1])
    twin = (*before, arm.step) if arm else ()
    job = jobs.job_of(Training(current.model, format_recipe(twin))) if arm else None
    if arm:
        told = epochs_of(current.original, twin)
        growing = progress.runs(jobs.events(job))[-1:] if job and not told else []
        runs[_(arm.words)] = told or (growing[0] if growing else ())
    running.curves(current, {name: run for name, run in runs.items() if run})
    if arm:
        _arm(current, arm, after, twin, job)


def _arm(current: Current, arm: Arm, after: Recipe, twin: Recipe, job: Job | None) -> None:
    """What the control arm came to, or where it is, or the button that starts it."""
    if not state.split_fitting(current.model, twin).waiting:
        st.markdown(_verdict(current, arm, after, twin))
    elif job is not None and job.unfinished:
        told = progress.last_progress(jobs.events(job))
        st.progress(told.fraction if told else 0.0, text=_("Control arm: {arm}", arm=_(arm.words)))
        wake_up.show("recover_arm_wake_up", wake_up.SECOND)
    elif job is not None and job.state in {"failed", "cancelled"}:
        trouble(job, key="recover_arm")
    else:
        st.button(
            _("Control arm: {arm}", arm=_(arm.words)),
            key="recover_arm_start",
            icon=":material/science:",
            on_click=_start_arm,
            args=(current, twin),
            help=_("Trained beside it, not in the recipe: shows what the method itself is worth."),
        )


def _verdict(current: Current, arm: Arm, after: Recipe, twin: Recipe) -> str:
    if measuring.data_problem(current.model):
        return _(
            "The control arm, {arm}, is trained; there are no test images to compare.",
            arm=_(arm.words),
        )
    n = measuring.measured_size(current.model, twin, after)
    if not n:
        why = measuring.why_none(current.model, twin, after)
        return _("Control arm, {arm}. {why}", arm=_(arm.words), why=why)
    score = measuring.score(current.model, twin, n)[0]
    change = measuring.change(current.model, twin, after, n)
    low, high = (
        words.score_change(score.metric, bound)
        for bound in (change.difference_low, change.difference_high)
    )
    return _(
        "Control arm, {arm}: {score}. This training against it: **{change}** (95 % interval {low} "
        "… {high}, n = {n:,}, one seed).",
        arm=_(arm.words),
        score=words.score(score),
        change=words.score_change(score.metric, change.difference),
        low=low,
        high=high,
        n=n,
    )


def _start_arm(current: Current, twin: Recipe) -> None:
    split = state.split_fitting(current.model, twin)
    if split.waiting:
        jobs.submit(jobs.training_of(current.model, split.recipe, split.waiting), anew=True)


def _buttons(current: Current, before: Recipe, after: Recipe) -> None:
    st.button(
        _("Pin before and after"),
        key="recover_pin",
        icon=":material/push_pin:",
        on_click=_pin,
        args=(current.model, before, after),
        help=_("As snapshots in the sidebar; both stand on the plane of Trade-offs then."),
    )


def _pin(model: str, *recipes: tuple[AnyStep, ...]) -> None:
    snapshots.pin(*(state.shown_as(model, recipe) for recipe in recipes))
