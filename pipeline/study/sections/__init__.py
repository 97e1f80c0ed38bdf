"""The sections of a configuration: one class each, each field with unit, reason and bounds.

`pipeline.study.options.study_options` composes them. Stages read the frozen study, so that no
default here changes a result.
"""
