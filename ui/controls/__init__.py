"""Widgets → recipe step. Each `show_*` puts what the recipe says into its widgets and draws them;
the callbacks, and the `release_*` of the live component, write the step back into the recipe, so
that widgets and recipe never disagree."""
