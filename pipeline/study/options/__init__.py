"""The options of a study as a whole, and the pages and checks that are made of them.

`study_options.Options` composes the sections of `pipeline.study.sections`. ``make options`` makes
`config/default.yaml`, `config/schema.json` and `docs/options.md` of them; `acceptance` holds a
configuration to them. Stages read the frozen study, so that nothing here changes a result.
"""
