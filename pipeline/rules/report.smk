rule study_report:
    input:
        report_inputs,
    output:
        page=report(
            f"{FOLDER}/report/report.html",
            caption="captions/page.rst",
            category="Study report",
            labels={"page": "report"},
        ),
        figures=report(
            directory(f"{FOLDER}/report/figures"),
            patterns=["{figure}.svg"],
            caption="captions/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        tables=report(
            directory(f"{FOLDER}/report/tables"),
            patterns=["{table}.csv"],
            caption="captions/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    log:
        f"{FOLDER}/log/study_report/study_report.log",
    benchmark:
        f"{FOLDER}/benchmark/study_report/study_report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        code=code_fingerprint("pipeline.reporting.study_report"),
        templates=files_fingerprint(
            [
                *Path(PACKAGE, "pipeline/reporting/templates").iterdir(),
                Path(PACKAGE, "pipeline/study/model_families.py"),
                Path(PACKAGE, "pipeline/study/metric_registry.py"),
                Path(PACKAGE, "radiomics_params/ibsi_map.csv"),
            ]
        ),
        config=options(config),
        rows=ROWS_TO_JOIN,
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.reporting.study_report --study {params.study:q}"
        " --out {output.page:q} > {log:q} 2>&1"
