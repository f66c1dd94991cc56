"""What a child can be asked: the name of a task, and the function that does it.

A function takes the arguments as keywords, and returns a dict; both are JSON. It is imported in the
child when it is first asked for. Its module imports the modules that it needs, not names from
`compress_core` itself: the child leaves out the package's face, which would import torch.
Write `raise ValueError("…")` to refuse: the sentence reaches whoever asked, as a RefusedError.
"""

TASKS: dict[str, str] = {
    "guards": "compress_core.sandbox.confining:guards",
    **{
        name: f"compress_core.opening.tasks:{name}"
        for name in (
            "open_network",
            "look_at_data",
            "macs",
            "answers",
            "measured",
            "exported",
            "measured_file",
            "timed",
        )
    },
    "weights": "compress_core.models.importing.files.opening:weights",
}
