"""The answer about time, measured as a job."""

from compress_core.jobs.work import Timing
from compress_core.recipe import format_recipe
from compress_core.wording.speed import speed_in_words
from ui import words
from ui.core_sentences import of_core
from ui.language import _
from ui.learn.answers.asked import Answer, Asked, NotYet
from ui.session import jobs, measured

LOOK_S = 1.0  # between two looks at the job


def speedup(asked: Asked) -> Answer:
    """Time before / after in onnxruntime, measured as a job. Facts: macs, before, after, why."""
    found = measured.speed(asked.model, asked.recipe)
    if found is None:
        raise _timing(Timing(asked.model, format_recipe(asked.recipe)))
    facts = (
        ("macs", words.percent(1 / found.promise)),
        ("before", f"{found.before.latency_ms_p50:.3g} ms"),
        ("after", f"{found.after.latency_ms_p50:.3g} ms"),
        ("why", speed_in_words(found)),
    )
    return Answer(found.speedup, f"{found.speedup:.2f}", facts)


def _timing(work: Timing) -> NotYet:
    """Have it measured, once for everybody. Raises ValueError where it cannot be."""
    job = jobs.job_of(work)
    if job is None:
        jobs.submit(work)
    elif not job.unfinished:
        reason = of_core(job.reason)
        raise ValueError(_("the latency cannot be measured: {reason}", reason=reason))
    return NotYet(LOOK_S, _("The latency is being measured, which takes seconds."))
