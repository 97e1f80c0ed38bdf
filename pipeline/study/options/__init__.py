"""Every option of a study: one class a section, each field with unit, reason and bounds.

`study_options.Options` composes them. ``make options`` makes `config/default.yaml`,
`config/schema.json` and `docs/options.md` of them; `acceptance` holds a configuration to them.
Stages read the frozen study, so that nothing here changes a result.
"""
