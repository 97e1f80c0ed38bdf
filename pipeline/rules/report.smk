rule study_report:
    input:
        report_inputs,
    output:
        page=f"{FOLDER}/report/report.html",
        figures=directory(f"{FOLDER}/report/figures"),
        tables=directory(f"{FOLDER}/report/tables"),
    log:
        f"{FOLDER}/log/study_report/study_report.log",
    benchmark:
        f"{FOLDER}/benchmark/study_report/study_report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        code=code_fingerprint("pipeline.reporting.study_report"),
        templates=files_fingerprint(
            Path(workflow.basedir, "pipeline/reporting/templates").iterdir()
        ),
        config=options(config),
        rows=ROWS_TO_JOIN,
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.reporting.study_report --study {params.study:q}"
        " --out {output.page:q} > {log:q} 2>&1"
